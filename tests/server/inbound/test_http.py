"""Injection over HTTP: real clients and raw bytes against the listener, policy, and a spool that can fail."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from email import message_from_bytes, policy
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from moonpost.app.injection import PATH, InjectionOptions, Injector
from moonpost.inbound.http import HttpLimits
from moonpost.inbound.http_listener import HttpListener
from moonpost.inbound.interface import Credentials
from moonpost.inbound.settings import ListenSettings
from moonpost.inbound.transmission import NotUnderstood, read_transmission
from moonpost.spool.interface import SpoolError, SpoolFull
from testkit.fake_policy import FakeGeneration, FakePolicy
from testkit.smtp_players import Kept
from testkit.smtp_server import careless_tls, certificate, client, server_tls

LOCAL = InjectionOptions("http", "mx.test", networks=(ip_network("127.0.0.0/8"),))
CLOSED = replace(LOCAL, networks=())
LIMITS = HttpLimits(max_body_bytes=100_000, idle_s=5)
ONE: dict[str, Any] = {
    "recipients": [{"address": "bob@example.test"}],
    "content": {"from": "ann@client.test", "subject": "hello", "text": "a line"},
}
RAW: dict[str, Any] = {
    "recipients": [{"address": "bob@example.test"}, {"address": {"email": "carol@y.test"}}],
    "return_path": "bounces@client.test",
    "content": {"email_rfc822": "From: Ann <ann@client.test>\nDate: now\n\n.a line\n"},
}


@dataclass(slots=True)
class Here:
    port: int
    kept: Kept
    generation: FakeGeneration
    listener: HttpListener


class Passwords:
    async def check(self, credentials: Credentials) -> bool:
        if credentials.user == b"broken":
            raise OSError("directory server is away")
        return (credentials.user, credentials.password) == (b"ann", b"secret")


@asynccontextmanager
async def injecting(
    options: InjectionOptions = LOCAL,
    limits: HttpLimits = LIMITS,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Here]:
    kept, generation = Kept(), FakeGeneration()
    injector = Injector(
        options=lambda _peer: options,
        policy=FakePolicy(generation),
        keeper=kept,
        log=kept,
        events=None,
        authenticator=Passwords(),
        now=lambda: 1_700_000_000.0,
    )
    listening = socket.create_server(("127.0.0.1", 0))
    listener = HttpListener(
        ListenSettings(tls=tls, tls_from_start=tls is not None), injector, lambda _peer: limits
    )
    await listener.start(listening)
    try:
        yield Here(listening.getsockname()[1], kept, generation, listener)
    finally:
        await listener.stop()
        assert generation.users == 0


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 20))  # type: ignore[arg-type]


def post(
    port: int,
    request: Any = ONE,
    headers: dict[str, str] | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    path: str = PATH,
    method: str = "POST",
) -> tuple[int, Any]:
    """Status and JSON of one request."""
    if tls is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    else:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=tls)
    body = request if isinstance(request, bytes) else json.dumps(request).encode()
    try:
        connection.request(
            method, path, body, {"Content-Type": "application/json", **(headers or {})}
        )
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None
    finally:
        connection.close()


def test_parts_become_a_message_for_each_recipient() -> None:
    request = {
        "recipients": [
            {"address": "bob@example.test"},
            {"address": {"email": "carol@example.test", "name": "Cårol, the second"}},
        ],
        "return_path": "bounces@client.test",
        "content": {
            "from": {"email": "ann@client.test", "name": "Ann"},
            "subject": "Grüße",
            "text": "Größe\n.\n",
            "html": "<p>Größe</p>",
            "reply_to": "desk@client.test",
            "headers": {"X-Campaign": "spring"},
        },
    }

    async def scenario() -> None:
        async with injecting() as here:
            status, told = await client(post, here.port, request)
            assert status == 200
            bob, carol = here.kept.messages
            assert told == {
                "results": {
                    "total_accepted_recipients": 2,
                    "total_rejected_recipients": 0,
                    "id": bob.batch_id.text,
                }
            }
            assert (bob.sender, bob.recipient) == ("bounces@client.test", "bob@example.test")
            assert bob.body_block is carol.body_block
            assert bob.id == bob.batch_id == carol.batch_id != carol.id
            read = message_from_bytes(carol.content, policy=policy.default)
            assert read["To"].addresses[0].display_name == "Cårol, the second"
            assert read["Subject"] == "Grüße"
            assert (read["From"], read["X-Campaign"]) == ("Ann <ann@client.test>", "spring")
            assert (
                read["Date"] and read["Message-ID"] == f"<{bob.id.text.replace('/', '.')}@mx.test>"
            )
            assert "by mx.test with HTTP id" in read["Received"]
            plain = read.get_body(("plain",))
            assert plain is not None and plain.get_content() == "Größe\r\n.\r\n"
            assert (
                message_from_bytes(bob.content, policy=policy.default)["To"] == "bob@example.test"
            )
            assert here.kept.receptions[0].protocol == "HTTP"
            assert here.kept.receptions[0].remote.startswith("127.0.0.1:")

    run(scenario)


def test_a_whole_message_goes_as_it_is() -> None:
    async def scenario() -> None:
        async with injecting() as here:
            assert (await client(post, here.port, RAW))[0] == 200
            bob, carol = here.kept.messages
            trace, _, rest = bob.content.partition(b"From: Ann")
            assert rest == b" <ann@client.test>\r\nDate: now\r\n\r\n.a line\r\n"
            assert trace.startswith(b"Received: ") and b"Date:" not in trace
            assert b"Message-ID: <" in trace
            assert carol.content == bob.content

    run(scenario)


def test_policy_is_asked_at_its_own_moments_and_at_no_other() -> None:
    async def scenario() -> None:
        async with injecting() as here:
            for callout in ("validate_connect", "validate_data_spool", "validate_data"):
                here.generation.on(callout, lambda *_: 1 / 0)
            here.generation.on("msg_gen_data_spool", lambda msg: 0)
            here.generation.on(
                "validate_set_binding", lambda msg: setattr(msg, "binding_name", "x")
            )
            here.generation.on("core_final_validation", lambda msg, ac, vctx: None)
            await client(post, here.port)
            assert here.generation.ran == [
                "msg_gen_data_spool",
                "validate_set_binding",
                "core_final_validation",
            ]
            assert here.kept.messages[0].binding_name == "x"
            assert here.kept.messages[0].mess["rcptto_domain"] == "example.test"

    run(scenario)


@pytest.mark.parametrize(
    ("refused", "status", "counts"),
    [(["bob@example.test"], 200, (1, 1)), (["bob@example.test", "carol@y.test"], 422, (0, 2))],
)
def test_recipients_that_policy_refuses_are_counted(
    refused: list[str], status: int, counts: tuple[int, int]
) -> None:
    def final(msg: Any, accept: Any, vctx: Any) -> int:
        if msg.recipient not in refused:
            return 0
        vctx.set_code(550, "5.7.1 not to them")
        return 1

    async def scenario() -> None:
        async with injecting() as here:
            here.generation.on("core_final_validation2", final)
            got, told = await client(post, here.port, RAW)
            assert got == status
            assert len(here.kept.messages) == counts[0]
            assert here.kept.notes == ["550 5.7.1 not to them"] * counts[1]
            if status == 200:
                assert told["results"]["total_rejected_recipients"] == counts[1]

    run(scenario)


def test_one_that_is_put_off_puts_off_the_whole_request() -> None:
    def final(msg: Any, accept: Any, vctx: Any) -> None:
        if msg.recipient == "carol@y.test":
            raise ZeroDivisionError("a mistake")

    async def scenario() -> None:
        async with injecting() as here:
            here.generation.on("core_final_validation", final)
            assert (await client(post, here.port, RAW))[0] == 503
            assert here.kept.messages == []
            assert any("a mistake" in line for line in here.kept.panics)

    run(scenario)


@pytest.mark.parametrize("error", [SpoolFull("disk full"), SpoolError("disk gone")])
def test_nothing_is_acknowledged_that_the_spool_has_not(error: SpoolError) -> None:
    async def scenario() -> None:
        async with injecting() as here:
            here.kept.fail_with = error
            assert (await client(post, here.port, RAW))[0] == 503
            assert str(error) in here.kept.panics[0]
            here.kept.fail_with = ZeroDivisionError("ours")
            assert (await client(post, here.port, RAW))[0] == 500
            assert "internal error" in here.kept.panics[1]

    run(scenario)


# --- who may


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.mark.parametrize(
    ("options", "headers", "status"),
    [
        (CLOSED, {}, 403),
        (CLOSED, basic("ann", "secret"), 403),
        (replace(CLOSED, authentication=True), {}, 401),
        (replace(CLOSED, authentication=True), basic("ann", "wrong"), 401),
        (replace(CLOSED, authentication=True), {"Authorization": "Basic ???"}, 401),
        (replace(CLOSED, authentication=True), {"Authorization": "Bearer x"}, 401),
        (replace(CLOSED, authentication=True), basic("broken", "x"), 503),
        (replace(CLOSED, authentication=True), basic("ann", "secret"), 200),
        (replace(LOCAL, authentication=True), {}, 200),
    ],
)
def test_who_may_send(options: InjectionOptions, headers: dict[str, str], status: int) -> None:
    async def scenario() -> None:
        async with injecting(options) as here:
            assert (await client(post, here.port, ONE, headers))[0] == status
            assert len(here.kept.messages) == int(status == 200)
            if status == 200 and headers:
                assert here.kept.messages[0].conn["auth_user"] == "ann"

    run(scenario)


def test_a_certificate_can_be_enough_and_a_new_one_of_ours_is_shown_after_a_reload(
    tmp_path: Path,
) -> None:
    context = server_tls(tmp_path)
    theirs = certificate(tmp_path, "client.test")
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(theirs[0])
    known = careless_tls()
    known.load_cert_chain(*theirs)

    def shown(port: int) -> bytes | None:
        plain = socket.create_connection(("127.0.0.1", port), 10)
        with careless_tls().wrap_socket(plain) as tls:
            return tls.getpeercert(binary_form=True)

    async def scenario() -> None:
        options = replace(CLOSED, certificate_is_enough=True)
        async with injecting(options, tls=context) as here:
            assert (await client(lambda: post(here.port, tls=careless_tls())))[0] == 403
            assert (await client(lambda: post(here.port, tls=known)))[0] == 200
            before = await client(shown, here.port)
            (tmp_path / "new").mkdir()
            newer = server_tls(tmp_path / "new")
            here.listener.settings = replace(here.listener.settings, tls=newer)
            assert await client(shown, here.port) != before

    run(scenario)


# --- what is no request


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"recipients": []}, "recipients must be 1 to"),
        ({"recipients": [{"address": "nobody"}]}, "is no address"),
        ({"recipients": [{"address": "a@x.test\r\nRCPT TO:<evil@x.test>"}]}, "is no address"),
        ({"recipients": [{"address": "a@x.test> NOTIFY=NEVER"}]}, "is no address"),
        ({"recipients": [{"address": "a@x.test", "tags": []}]}, "`tags` in a recipient"),
        ({"recipients": ["bob@x.test"]}, "a recipient must be an object"),
        ({"options": {}}, "`options` in the request is not provided"),
        ({"return_path": "a b@x.test"}, "return_path is no address"),
        ({"content": {}}, "needs a text or html"),
        ({"content": {"text": "x", "subject": "x"}}, "needs a from"),
        ({"content": {"text": "x", "from": "a@x.test"}}, "`subject` must be a text"),
        ({"content": {"text": "x", "from": "a@x.test", "subject": "x\r\nBcc: e@x"}}, "content: "),
        ({"content": {"text": "x", "from": "a@x.test", "subject": "x", "headers": {"To": "e"}}}, "`To` can't be set"),
        ({"content": {"text": "x", "from": "a@x.test", "subject": "x", "headers": {"X y": "e"}}}, "can't be set"),
        ({"content": {"text": "x", "from": "a@x.test", "subject": "x", "headers": {"X": "e\nY: f"}}}, "content: "),
        ({"content": {"text": "x", "from": {"email": "a@x.test", "name": "A\nBcc: e@x"}, "subject": "x"}}, "no address for a header"),
        ({"content": {"email_rfc822": "x: y\n\n"}}, "return_path is missing"),
        ({"return_path": "", "content": {"email_rfc822": "no header"}}, "has no header"),
        ({"return_path": "", "content": {"email_rfc822": "X: y\n\na\rb"}}, "bare CR"),
        ({"return_path": "", "content": {"email_rfc822": "X: y", "text": "x"}}, "`text` in content with"),
    ],
)  # fmt: skip
def test_what_is_not_understood(change: dict[str, Any], words: str) -> None:
    with pytest.raises(NotUnderstood) as wrong:
        read_transmission(json.dumps({**ONE, **change}).encode())
    assert words in str(wrong.value)


def test_a_null_sender() -> None:
    request = {**RAW, "return_path": "<>"}
    assert read_transmission(json.dumps(request).encode()).sender == ""


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {}, 422),
        (b"[" * 100_000, {}, 422),
        (b"[]", {}, 422),
        (b"\xff", {}, 422),
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b"x" * 200_000, {}, 413),
    ],
)
def test_bodies_that_are_none(body: bytes, headers: dict[str, str], status: int) -> None:
    async def scenario() -> None:
        async with injecting() as here:
            assert (await client(post, here.port, body, headers))[0] == status
            assert here.kept.panics == []

    run(scenario)


def test_other_paths_and_methods() -> None:
    async def scenario() -> None:
        async with injecting() as here:
            for path in ("/", "/api/v1/transmissions/../x", "/%2e%2e/etc/passwd"):
                assert (await client(lambda path=path: post(here.port, path=path)))[0] == 404
            assert (await client(lambda: post(here.port, method="GET")))[0] == 405

    run(scenario)


async def raw(port: int, data: bytes, *, end: bool = False) -> list[bytes]:
    """The status lines that these bytes get."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    if end:
        writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return [line[9:12] for line in answer.splitlines() if line.startswith(b"HTTP/1.1 ")]


BODY = json.dumps(ONE).encode()
HEAD = b"POST /api/v1/transmissions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY


@pytest.mark.parametrize(
    ("data", "codes"),
    [
        (b"EHLO client.test\r\n\r\n", [b"400"]),
        (b"GET / HTTP/1.1\r\n\r\n", [b"400"]),  # no Host
        (HEAD + b"X: " + b"a" * 100_000 + b"\r\n\r\n", [b"431"]),
        (HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [b"400"]),
        (HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", [b"400"]),
        (HEAD + b"Content-Length: -1\r\n\r\n", [b"400"]),
        (HEAD + b"Content-Length: 999999999999\r\n\r\n", [b"413"]),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFF\r\n", []),
        (HEAD + b"Content-Length: 10\r\n\r\nhalf", []),
        (WHOLE + WHOLE, [b"200", b"200"]),  # pipelined
        (HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY, [b"200"]),
        (b"", []),
    ],
)
def test_bytes_of_all_kinds(data: bytes, codes: list[bytes]) -> None:
    async def scenario() -> None:
        async with injecting() as here:
            got = await raw(here.port, data, end=True)
            assert [code for code in got if code != b"100"] in (codes, [*codes, b"400"])
            assert len(here.kept.messages) == got.count(b"200")
            assert here.kept.panics == []
            assert (await client(post, here.port))[0] == 200  # nobody else is concerned

    run(scenario)


def test_chunks_can_be_refused_and_are_counted() -> None:
    chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    big = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"

    async def scenario() -> None:
        async with injecting(limits=replace(LIMITS, chunked=False)) as here:
            assert await raw(here.port, chunked + b"0\r\n\r\n") == [b"411"]
        async with injecting() as here:
            assert await raw(here.port, chunked + big * 4) == [b"413"]

    run(scenario)


def test_slow_clients_are_hung_up_on_and_hold_up_nobody() -> None:
    async def scenario() -> None:
        async with injecting(limits=replace(LIMITS, idle_s=0.5)) as here:
            slow = [asyncio.create_task(raw(here.port, HEAD)) for _ in range(100)]
            while len(here.listener._connections) < 100:
                await asyncio.sleep(0)
            assert (await client(post, here.port))[0] == 200
            assert await asyncio.gather(*slow) == [[]] * 100

    run(scenario)


def test_a_stop_answers_what_came_whole() -> None:
    async def scenario() -> None:
        async with injecting() as here:
            stopping = asyncio.Event()
            keep = here.kept.keep

            async def slow(messages: Any, reception: Any) -> None:
                await stopping.wait()
                await keep(messages, reception)

            object.__setattr__(here.listener._handler, "keeper", _Slow(slow))
            idle = asyncio.create_task(raw(here.port, HEAD))
            busy = asyncio.create_task(raw(here.port, WHOLE))
            while not any(each.answering for each in here.listener._connections):
                await asyncio.sleep(0)
            ending = asyncio.create_task(here.listener.stop())
            await asyncio.sleep(0)
            stopping.set()
            await ending
            assert await busy == [b"200"]
            assert await idle == []
            assert len(here.kept.messages) == 1

    run(scenario)


@dataclass(frozen=True)
class _Slow:
    keep: Any


def test_requests_are_logged_when_asked_for() -> None:
    async def scenario() -> None:
        async with injecting(replace(LOCAL, log_requests=True)) as here:
            await client(post, here.port)
            (line,) = here.kept.panics
            assert line.startswith('http: 127.0.0.1 "POST /api/v1/transmissions HTTP/1.1" 200 ')

    run(scenario)
