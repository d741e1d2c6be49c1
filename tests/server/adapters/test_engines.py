"""Content engines for real: clamd, rspamd and spamd of the test's own, and engines that are down, slow or mad."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from moonpost.adapters.clamd import Clamd
from moonpost.adapters.clamd import report as clamd_report
from moonpost.adapters.http import HttpClient
from moonpost.adapters.rspamd import Rspamd
from moonpost.adapters.rspamd import report as rspamd_report
from moonpost.adapters.scanners import Engines, EngineScanners
from moonpost.adapters.spamd import Spamd
from moonpost.adapters.spamd import report as spamd_report
from msys.ports import Envelope, PortError, SpamReport, VirusReport
from msys.testing import check_ports as check
from msys.testing.fakes import FakeScanners
from testkit import engines

KNOWN = Envelope(
    "ann@example.test", ("bob@example.test", "eve@example.test"), "192.0.2.1", "client.test"
)


@pytest.fixture(scope="module")
def clamd() -> Iterator[str]:
    with engines.clamd() as daemon:
        yield daemon


@pytest.fixture(scope="module")
def spamd() -> Iterator[str]:
    with engines.spamd() as daemon:
        yield daemon


@pytest.fixture(scope="module")
def rspamd() -> Iterator[str]:
    with engines.rspamd() as daemon:
        yield daemon


def mail(subject: str) -> bytes:
    return f"From: ann@example.test\r\nSubject: {subject}\r\n\r\nhello\r\n".encode()


def with_http(work: Callable[[HttpClient], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        http = HttpClient()
        try:
            return await work(http)
        finally:
            await http.close()

    return asyncio.run(run())


@asynccontextmanager
async def peer(answer: bytes | None) -> Any:
    """A server that says `answer` to whoever connects and hangs up; None: it never says anything."""
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if answer is None:
            await done.wait()
        else:
            await asyncio.sleep(
                0.05
            )  # until the whole question is there: hanging up before would reset
            await reader.read(65536)
            writer.write(answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        done.set()
        server.close()


def failure(work: Awaitable[Any]) -> tuple[str, str]:
    with pytest.raises(PortError) as caught:
        asyncio.run(work)  # type: ignore[arg-type]
    return caught.value.code, str(caught.value)


# --- clamd


def test_clamd_finds_what_is_there_and_nothing_else(clamd: str) -> None:
    async def scan(content: bytes) -> VirusReport:
        return await Clamd(clamd).scan(content)

    assert asyncio.run(scan(b"hello\r\n")) == VirusReport("clean", "", "OK")
    found = asyncio.run(scan(b"Subject: x\r\n\r\n" + engines.EICAR + b"\r\n"))
    assert found.verdict == "infected" and found.name.startswith(engines.VIRUS)
    assert found.reply == f"{found.name} FOUND"
    assert asyncio.run(scan(bytes(700_000) + engines.EICAR)).verdict == "infected"


def test_clamd_says_what_it_cannot_look_into(clamd: str) -> None:
    async def scan(content: bytes) -> VirusReport:
        return await Clamd(clamd).scan(content)

    too_long = asyncio.run(scan(bytes(8 * engines.STREAM_MAX)))
    assert too_long.verdict == "limit" and "size limit" in too_long.name
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("a.txt", "text" * 100)
    locked = bytearray(archive.getvalue())
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):  # the flag that says: encrypted
        locked[locked.find(mark) + offset] |= 1
    assert asyncio.run(scan(bytes(locked))).verdict == "encrypted"


def test_clamd_by_unix_socket_and_by_many_at_once(tmp_path: Path) -> None:
    async def scans(daemon: str) -> list[str]:
        one = Clamd(daemon, max_concurrency=2)
        contents = [b"clean", engines.EICAR] * 4
        return [r.verdict for r in await asyncio.gather(*map(one.scan, contents))]

    with engines.clamd(tmp_path / "clamd.sock"):
        verdicts = asyncio.run(scans(str(tmp_path / "clamd.sock")))
    assert verdicts == ["clean", "infected"] * 4


@pytest.mark.parametrize(
    ("reply", "meant"),
    [
        ("stream: OK\0", VirusReport("clean", "", "OK")),
        ("stream: Win.Test.EICAR FOUND\0", VirusReport("infected", "Win.Test.EICAR", "Win.Test.EICAR FOUND")),
        (
            "stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND\0",
            VirusReport("limit", "Heuristics.Limits.Exceeded.MaxFileSize", "Heuristics.Limits.Exceeded.MaxFileSize FOUND"),
        ),
        (
            "INSTREAM size limit exceeded. ERROR\0",
            VirusReport("limit", "INSTREAM size limit exceeded", "INSTREAM size limit exceeded. ERROR"),
        ),
    ],
)  # fmt: skip
def test_clamd_words(reply: str, meant: VirusReport) -> None:
    assert clamd_report(reply) == meant


def test_a_clamd_that_is_down_slow_or_mad_is_an_error() -> None:
    async def against(answer: bytes | None) -> None:
        async with peer(answer) as daemon:
            await Clamd(daemon, timeout_s=0.2).scan(b"x")

    nobody = f"127.0.0.1:{engines.free_port()}"
    code, text = failure(Clamd(nobody).scan(b"x"))
    assert code == "UNREACHABLE" and nobody in text
    code, text = failure(against(None))
    assert code == "TIMEOUT" and "within 0.2 s" in text
    assert failure(against(b""))[0] == "UNREACHABLE"
    code, text = failure(against(b"stream: Can't allocate memory ERROR\0"))
    assert code == "ENGINE" and "Can't allocate memory" in text


# --- rspamd and spamd


def test_rspamd_judges_with_the_envelope(rspamd: str) -> None:
    async def scans(http: HttpClient) -> list[SpamReport]:
        one = Rspamd(rspamd, http)
        subjects = ("hello", engines.MAILING, engines.MARKED, engines.REFUSED)
        return [await one.scan(mail(subject), KNOWN) for subject in subjects]

    reports = with_http(scans)
    assert [r.action for r in reports] == ["pass", "pass", "mark", "reject"]
    assert all(r.engine == "rspamd" and "KNOWS_ENVELOPE" in r.symbols for r in reports)
    assert "BULK_MAIL" in reports[1].symbols
    assert reports[2].score == pytest.approx(7.1) and reports[2].reject_at == 15


def test_spamd_judges(spamd: str) -> None:
    async def scans() -> list[SpamReport]:
        one = Spamd(spamd)
        subjects = ("hello", engines.MAILING, engines.MARKED, engines.REFUSED)
        return [await one.scan(mail(subject), KNOWN) for subject in subjects]

    reports = asyncio.run(scans())
    assert [r.action for r in reports] == ["pass", "pass", "mark", "reject"]
    assert [r.score for r in reports] == [0, 0.5, 6, 20]
    assert reports[1].symbols == ("BULK_MAIL",) and reports[2].mark_at == 5


def test_rspamd_words() -> None:
    soft = b'{"score": 3, "action": "soft reject", "required_score": 12, "symbols": {"RATE": {}}}'
    assert rspamd_report(soft) == SpamReport("rspamd", "later", 3, 6, 12, ("RATE",))
    own = b'{"score": 7, "action": "our own", "thresholds": {"reject": 10, "add header": 5}}'
    assert rspamd_report(own) == SpamReport("rspamd", "mark", 7, 5, 10)
    assert rspamd_report(b'{"score": 1, "action": "no action", "message-id": "a@b"}').tag == "a@b"
    for bad in b"no json", b"[]", b'{"score": "x"}':
        with pytest.raises(PortError, match="cannot be read"):
            rspamd_report(bad)


def test_spamd_words() -> None:
    reply = "SPAMD/1.1 0 EX_OK\r\nSpam: False ; -1.5 / 5.0\r\n\r\nONE,TWO\r\n"
    assert spamd_report(reply) == SpamReport("spamd", "pass", -1.5, 5, 15, ("ONE", "TWO"))
    for bad in "", "SPAMD/1.0 76 Bad header line", "SPAMD/1.1 0 EX_OK\r\n\r\nX":
        with pytest.raises(PortError, match="spamd says"):
            spamd_report(bad)


@pytest.mark.parametrize("kind", ["rspamd", "spamd"])
def test_an_anti_spam_engine_that_is_down_slow_or_mad_is_an_error(kind: str) -> None:
    def scan_at(daemon: str) -> str:
        async def scan(http: HttpClient) -> None:
            one = Rspamd(daemon, http, 0.2) if kind == "rspamd" else Spamd(daemon, 0.2)
            await one.scan(mail("x"), KNOWN)

        with pytest.raises(PortError) as caught:
            with_http(scan)
        assert kind in str(caught.value)
        return caught.value.code

    async def against(answer: bytes | None) -> str:
        async with peer(answer) as daemon:
            return await asyncio.to_thread(scan_at, daemon)

    assert scan_at(f"127.0.0.1:{engines.free_port()}") == "UNREACHABLE"
    assert asyncio.run(against(None)) == "TIMEOUT"
    mad = b"HTTP/1.1 500 Broken\r\nContent-Length: 4\r\n\r\noops"
    assert asyncio.run(against(mad)) == "ENGINE"


# --- the port


def test_engines_stand_behind_modules(clamd: str, rspamd: str, spamd: str) -> None:
    configured = Engines(
        virus={"clamav": {"daemon": clamd}, "csapi": {"daemon": clamd}},
        modules={"cloudmark": {"daemon": rspamd}, "beik": {"engine": "spamd", "daemon": spamd}},
    )

    async def work(http: HttpClient) -> None:
        await check.check_scanners(
            EngineScanners(lambda: configured, http),
            virus=engines.EICAR,
            spam=mail(engines.REFUSED),
        )

    with_http(work)


def test_an_unknown_engine_is_named() -> None:
    def scanners(http: HttpClient) -> EngineScanners:
        return EngineScanners(lambda: Engines(modules={"beik": {"engine": "bmi"}}), http)

    async def work(http: HttpClient) -> None:
        await scanners(http).spam("beik", b"x", KNOWN)

    with pytest.raises(PortError, match="beik: unknown engine 'bmi'; use rspamd or spamd"):
        with_http(work)


def test_fake_scanners_do_the_same() -> None:
    fake = FakeScanners()
    fake.engines = ["clamav", "csapi"]
    fake.viruses = {engines.EICAR: engines.VIRUS}
    fake.modules = {"cloudmark": {}, "beik": {}, "clamav": {}}
    refused = SpamReport("rspamd", "reject", 20, 6, 15, ("ALL_SPAM",))
    fake.reports = {"cloudmark": refused, "beik": refused}
    asyncio.run(check.check_scanners(fake, virus=engines.EICAR, spam=mail(engines.REFUSED)))
