"""Server and client over a real socket: framing, modes, roles, the account log, stopping."""

from __future__ import annotations

import asyncio
import io
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from moonpost.config.live import LiveConfiguration
from moonpost.config.model import examine
from moonpost.control.access import Authorization, Caller, Entry, Journal
from moonpost.control.client import Console, NoConsole, default_address, main, split_address
from moonpost.control.frames import (
    BadFrame,
    Reply,
    decode_header,
    encode,
    join_words,
    split_words,
)
from moonpost.control.server import CannotListen, ControlServer, ControlSettings, open_socket
from moonpost.control.services import Services


def services(**given: object) -> Services:
    config, _ = examine("/etc/a.conf", text="retry_interval = 5")
    return Services(LiveConfiguration(config), "1.2.3", **given)  # type: ignore[arg-type]


@asynccontextmanager
async def serving(
    settings: ControlSettings, wired: Services | None = None, journal: Journal | None = None
) -> AsyncIterator[ControlServer]:
    server = ControlServer(wired or services(), now=lambda: 1700000000.5, journal=journal)
    await server.start([settings])
    try:
        yield server
    finally:
        await server.stop()


def in_thread(
    path: Path,
    client: Callable[[], object],
    *,
    wired: Services | None = None,
    journal: Journal | None = None,
    **given: object,
) -> object:
    """Run a blocking client against a server on `path`."""

    async def both() -> object:
        settings = ControlSettings(str(path), **given)  # type: ignore[arg-type]
        async with serving(settings, wired, journal):
            return await asyncio.to_thread(client)

    return asyncio.run(both())


def test_commands_get_replies_of_any_length(tmp_path: Path) -> None:
    path = tmp_path / "c.sock"

    def client() -> list[Reply]:
        with Console(str(path)) as console:
            return [
                console.request("version"),
                console.request("config get retry_interval"),
                console.request("no such thing"),
                console.request("help"),
                console.request('config set ehlo_hostname "grün"'),
            ]

    version, get, wrong, help, name = in_thread(path, client)  # type: ignore[misc]
    assert version == Reply("ok", "moonpost version: 1.2.3")
    assert get.text == "Retry_Interval = 5"
    assert not wrong.ok
    assert len(help.text) > 1000
    assert name.text == 'EHLO_Hostname = "grün"'


@pytest.mark.parametrize("mode", [0o600, 0o660])
def test_the_socket_has_its_mode_and_goes_away(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "c.sock"
    seen = in_thread(path, lambda: stat.S_IMODE(os.stat(path).st_mode), file_mode=mode)
    assert seen == mode
    assert not path.exists()


def test_a_socket_left_behind_is_replaced_and_a_live_one_is_not(tmp_path: Path) -> None:
    path = str(tmp_path / "c.sock")
    open_socket(path, 0o600).close()
    first = open_socket(path, 0o600)
    first.listen()
    with pytest.raises(CannotListen, match="another process listens there"):
        open_socket(path, 0o600)
    first.close()


def test_a_path_that_cannot_be_is_explained(tmp_path: Path) -> None:
    with pytest.raises(CannotListen, match="at most 107 octets, this one"):
        open_socket(str(tmp_path / ("x" * 120)), 0o600)
    with pytest.raises(CannotListen, match="No such file or directory"):
        open_socket(str(tmp_path / "no" / "c.sock"), 0o600)


def test_every_command_is_accounted_for(tmp_path: Path) -> None:
    path, log = tmp_path / "c.sock", tmp_path / "acct.ec"
    roles = Authorization(True, {"root": ["^config"], os.environ.get("USER", "root"): ["^config"]})

    def client() -> list[str]:
        with Console(str(path)) as console:
            return [
                console.request(line).text
                for line in ("config set gateway a@b", "version", "config get nonsense")
            ]

    told = in_thread(path, client, journal=Journal(str(log)), authorization=roles)
    assert told[1] == "Not Authorized for this command"  # type: ignore[index]
    lines = [line.split("@") for line in log.read_text().splitlines()]
    assert lines[0][:3] == ["1700000000", "Z", str(path)]
    assert (
        log.read_text()
        .splitlines()[0]
        .split("@", 5)[5]
        .startswith(f"1@config set gateway a\\@b@{lines[0][4]}@1@2@")
    )
    assert [line[5] for line in lines] == ["1", "0", "-1"]
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_an_account_line_cannot_be_forged() -> None:
    entry = Entry(1, "l", Caller("a@b"), True, True, "x\ny@1\\", "r", (1, 1), ("", ""))
    assert entry.line() == "1@Z@l@pid 0@a\\@b@1@x\\x0ay\\@1\\\\@r@1@1@@"


def test_roles_are_tried_in_order() -> None:
    caller = Caller("ann", ("staff", "wheel"))
    roles = Authorization(True, {"staff": ["^config get"], "wheel": ["shutdown$"]})
    assert roles.role_for(caller, "config get x") == "staff"
    assert roles.role_for(caller, "shutdown") == "wheel"
    assert roles.role_for(caller, "config set x 1") is None
    assert Authorization().role_for(caller, "shutdown") == "ann"


def test_an_internal_error_is_logged_and_told_blandly(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise ZeroDivisionError("secret detail")

    path = tmp_path / "c.sock"

    def client() -> list[Reply]:
        with Console(str(path)) as console:
            return [console.request("reopen logs"), console.request("version")]

    first, second = in_thread(path, client, wired=services(reopen_logs=broken))  # type: ignore[misc]
    assert first == Reply("failed", "internal error; the server's log has the traceback")
    assert second.ok, "the session goes on"
    assert "secret detail" in caplog.text


def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.sock"

    def client() -> bytes:
        with socket.socket(socket.AF_UNIX) as raw:
            raw.connect(str(path))
            raw.sendall(b"x" * 200_000)
            return raw.recv(1000)

    assert b"at most 65536 octets" in in_thread(path, client)  # type: ignore[operator]


def test_a_silent_session_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "c.sock"

    def client() -> bytes:
        with socket.socket(socket.AF_UNIX) as raw:
            raw.connect(str(path))
            return raw.recv(10)

    assert in_thread(path, client, idle_time_s=0.05) == b""


def test_stopping_ends_open_sessions(tmp_path: Path) -> None:
    path = tmp_path / "c.sock"

    async def both() -> float:
        server = ControlServer(services(), now=lambda: 0.0)
        await server.start([ControlSettings(str(path))])
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b"version\n")
        assert (await reader.readline()).startswith(b"ok")
        begun = asyncio.get_running_loop().time()
        await server.stop()
        writer.close()
        return asyncio.get_running_loop().time() - begun

    assert asyncio.run(both()) < 1


# --- the client


def test_batch_mode_runs_lines_and_tells_failure(tmp_path: Path) -> None:
    path = tmp_path / "c.sock"
    out, err = io.StringIO(), io.StringIO()
    lines = "# comment\nversion\nnonsense\npid\nquit\nshutdown\n"

    def client() -> int:
        return main([str(path)], stdin=io.StringIO(lines), stdout=out, stderr=err)

    assert in_thread(path, client) == 1
    assert out.getvalue() == f"moonpost version: 1.2.3\n{os.getpid()}\n"
    assert err.getvalue() == "nonsense: no such command; `help` lists them\n"


def test_one_command_with_words_that_hold_blanks(tmp_path: Path) -> None:
    path = tmp_path / "c.sock"
    out = io.StringIO()

    def client() -> int:
        return main([str(path), "config", "set", "ehlo_hostname", 'a "b'], stdout=out)

    assert in_thread(path, client) == 0
    assert out.getvalue() == 'EHLO_Hostname = "a \\"b"\n'


def test_an_interactive_session_has_banner_and_prompt(tmp_path: Path) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    path = tmp_path / "c.sock"
    out = io.StringIO()
    in_thread(path, lambda: main([str(path)], stdin=Terminal("pid\nquit\n"), stdout=out))
    banner, help, prompt, last = out.getvalue().split("\n")
    assert (banner, help) == ("# moonpost version: 1.2.3", "# `help` lists the commands")
    assert prompt[8:] == f" moonpost({path})> {os.getpid()}"
    assert last.endswith("> ")


def test_no_server_is_told(tmp_path: Path) -> None:
    err = io.StringIO()
    assert main([str(tmp_path / "none.sock"), "version"], stderr=err) == 2
    assert "No such file or directory" in err.getvalue()
    with pytest.raises(NoConsole, match="not a network address"):
        Console("localhost:2025")


def test_addresses() -> None:
    assert split_address(["./c.sock", "a", "b"]) == ("./c.sock", ["a", "b"])
    assert split_address(["config", "get"]) == (default_address(), ["config", "get"])
    assert split_address(["ec_logger:x", "reopen"])[1] == ["ec_logger:x", "reopen"]
    assert split_address(["localhost:2025", "x"])[0] == "localhost:2025"
    assert default_address().endswith("/2025")


# --- frames


@pytest.mark.parametrize("words", [["a"], ["a b", ""], ['"', "\\", "c\td"], ["=", "(", ")"], ["'"]])
def test_words_survive_the_line(words: list[str]) -> None:
    assert split_words(join_words(words)) == words


def test_frames_survive_the_wire() -> None:
    reply = Reply("ok", "two\nlines ü")
    header, _, body = encode(reply).partition(b"\n")
    assert decode_header(header + b"\n") == ("ok", len(body))
    for junk in (b"", b"220 hello\n", b"ok -1\n", b"ok\n"):
        with pytest.raises(BadFrame):
            decode_header(junk)


async def check(user: str, password: str) -> tuple[str, ...] | None:
    """Who may log in: ann with her password; the check of eva's breaks."""
    if user == "eva":
        raise RuntimeError("no directory today")
    return ("operators", "staff") if (user, password) == ("ann", "let me in") else None


def test_a_socket_that_asks_for_a_login_takes_no_other_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, journal = tmp_path / "c.sock", Journal(str(tmp_path / "acct"))
    monkeypatch.setenv("MOONPOST_CONSOLE_PASSWORD", "let me in")

    def client() -> list[Reply]:
        with Console(str(path)) as console:
            replies = [console.request("shutdown"), console.request("login ann")]
            replies.append(console.request("login ann wrong"))
            with pytest.raises(NoConsole):
                console.request("version")
        with Console(f"ann@{path}") as console:
            replies.append(console.request("authz id"))
        with pytest.raises(NoConsole, match="eva: nobody can log in at present"):
            Console(f"eva@{path}")
        return replies

    first, usage, wrong, known = in_thread(path, client, login=check, journal=journal)  # type: ignore[misc]
    assert (first.ok, first.text) == (False, "log in first: moonpost console USER@SOCKET")
    assert (usage.ok, usage.text) == (False, "usage: login USER PASSWORD")
    assert (wrong.ok, wrong.text) == (False, "login incorrect")
    assert known.text == "user: ann\nroles: operators staff"
    record = (tmp_path / "acct").read_text()
    assert "@login ann@" in record
    assert "wrong" not in record and "let me in" not in record


def test_groups_of_a_login_are_roles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.sock"
    monkeypatch.setenv("MOONPOST_CONSOLE_PASSWORD", "let me in")
    roles = Authorization(enabled=True, roles={"staff": ["^version"]})

    def client() -> list[bool]:
        with Console(f"ann@{path}") as console:
            return [console.request(command).ok for command in ("version", "help")]

    assert in_thread(path, client, login=check, authorization=roles) == [True, False]


def test_a_login_where_none_is_asked_for_is_refused_and_not_recorded(tmp_path: Path) -> None:
    path, journal = tmp_path / "c.sock", Journal(str(tmp_path / "acct"))

    def client() -> list[bool]:
        with Console(str(path)) as console:
            return [console.request("login ann secret").ok, console.request("version").ok]

    assert in_thread(path, client, journal=journal) == [False, True]
    assert "secret" not in (tmp_path / "acct").read_text()
