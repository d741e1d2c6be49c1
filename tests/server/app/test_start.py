"""What keeps a server from starting is one message, with what to do, and exit code 2."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from moonpost.app.server import Server
from moonpost.cli.serve import serve, usable
from moonpost.spool.lmdb_store import LmdbSpool

CONFIGURATION = """
spoolbase = "var/spool"
nameservers = ( "127.0.0.1:1" )
alerting {}
inbound_audit {}
"""
LISTENER = 'ESMTP_Listener { Listen "127.0.0.1:0" {} }\n'
LONG = "x" * 120


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """Try to start; what was said, with the folder's name taken out."""

    def run(options: str) -> str:
        config = tmp_path / "a.conf"
        config.write_text(CONFIGURATION + options)
        try:
            code = asyncio.run(serve(Server(usable(config))))
        except SystemExit as end:
            code = int(str(end.code))
        said = capsys.readouterr()
        assert code == 2 and said.out == "" and "Traceback" not in said.err
        return said.err.replace(str(tmp_path), "DIR").replace("DIR/", "")

    return run


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_port_that_is_taken(refused: Callable[[str], str], taken: int) -> None:
    said = refused(f'ESMTP_Listener {{ Listen "127.0.0.1:{taken}" {{}} }}')
    assert said == (
        f'a.conf:6: Listen "127.0.0.1:{taken}": Address already in use; '
        "stop the process that listens there, or choose another address\n"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            'ESMTP_Listener { Listen "203.0.113.9:0" {} }',
            'a.conf:6: Listen "203.0.113.9:0": Cannot assign requested address; no interface of this machine has that',
        ),
        (
            f'ESMTP_Listener {{ Listen "var/{LONG}" {{}} }}',
            "AF_UNIX path too long; a socket's path has at most 107 octets",
        ),
        (
            f'Control_Listener {{ Listen "{LONG}" {{}} }}' + LISTENER,
            "AF_UNIX path too long; a socket's path has at most 107 octets",
        ),
        (
            'Control_Listener { Listen "a.conf/x.sock" {} }' + LISTENER,
            "the folder of console socket a.conf/x.sock cannot be written: File exists",
        ),
        (
            'ec_logger { mainlog = "a.conf/main" }' + LISTENER,
            "log file a.conf/main cannot be written: File exists",
        ),
        (
            'workers = 2 shared_state = "redis://127.0.0.1:1/0"' + LISTENER,
            "Shared_State, without which several workers would each count limits alone, cannot be used: ",
        ),
        ("workers = 2 " + LISTENER, "a.conf:6:11: C521 2 workers would each count limits for themselves"),
        ('event_log = "."' + LISTENER, "cannot be written: Is a directory"),
        ('tls_certificate = "none.pem"' + LISTENER, "a.conf:6:19: C516 none.pem: No such file or directory"),
        ('spoolbase = "a.conf"' + LISTENER, "the server cannot start: spool a.conf can't be made: File exists"),
    ],
)  # fmt: skip
def test_what_is_not_as_configured(refused: Callable[[str], str], options: str, said: str) -> None:
    assert said in refused(options)


def test_a_spool_that_is_none(refused: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "var" / "spool").mkdir(parents=True)
    (tmp_path / "var" / "spool" / "data.mdb").write_bytes(b"rubbish" * 1000)
    assert "the server cannot start: spool var/spool can't be opened" in refused(LISTENER)


def test_a_spool_that_another_server_uses(refused: Callable[[str], str], tmp_path: Path) -> None:
    other = LmdbSpool(tmp_path / "var" / "spool")
    said = refused(LISTENER)
    asyncio.run(other.close())
    assert f"spool var/spool belongs to a running server, process {os.getpid()};" in said


def test_a_spool_of_another_user(
    refused: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    really = os.open

    def denied(path: Path, *arguments: int) -> int:
        if str(path).endswith("owner.lock"):
            raise PermissionError(13, "Permission denied", str(path))
        return really(path, *arguments)

    monkeypatch.setattr("moonpost.spool.lmdb_store.os.open", denied)
    said = refused(LISTENER)
    assert "spool var/spool can't be used: var/spool/owner.lock: Permission denied" in said
    assert f"we are user id {os.geteuid()}" in said


def test_a_compile_cache_that_others_may_write(
    refused: Callable[[str], str], tmp_path: Path
) -> None:
    (tmp_path / "var" / "spool" / "policy").mkdir(parents=True)
    (tmp_path / "var" / "spool" / "policy").chmod(0o777)
    assert "it must belong to us with mode 0700" in refused(LISTENER)


def test_an_error_of_our_own_keeps_its_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def broken(self: Server) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(Server, "_start", broken)
    config = tmp_path / "a.conf"
    config.write_text(CONFIGURATION)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(serve(Server(usable(config))))
    assert "internal error while the server started; please report" in capsys.readouterr().err
