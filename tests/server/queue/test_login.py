"""Whose login a message goes with, over real sockets to a server that is not ours."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from moonpost.queue.keeper import Internal
from moonpost.queue.login import NoLogin
from moonpost.testing.sink import Sink
from msys.message import Message
from testkit.delivery import Line, Onlooker, line

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


class Host:
    """aiosmtpd that knows two users; remembers who sent what."""

    def __init__(self) -> None:
        self.mail: list[tuple[Any, list[str]]] = []

    async def handle_DATA(self, _: SMTP, session: Session, envelope: Envelope) -> str:
        self.mail.append((session.auth_data, envelope.rcpt_tos))
        return "250 kept"


def authenticate(_: SMTP, __: Session, ___: Envelope, mechanism: str, data: Any) -> AuthResult:
    user = data.login.decode()
    good = (user, data.password.decode()) in (("ann", "a-secret"), ("bob", "b-secret"))
    return AuthResult(success=good, handled=False, auth_data=f"{user} {mechanism}")


def run(test: Callable[[Line, Host], Awaitable[None]], tmp_path: Path, **options: Any) -> None:
    async def main() -> None:
        host = Host()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: SMTP(
                host, authenticator=authenticate, auth_require_tls=False, auth_required=True
            ),
            "127.0.0.1",
        )
        port = server.sockets[0].getsockname()[1]
        try:
            async with line(tmp_path, port, **options) as made:
                await test(made, host)
        finally:
            server.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("mechanism", "used"), [("", "PLAIN"), ("plain", "PLAIN"), ("login", "LOGIN")]
)
def test_the_options_of_the_queue_log_in(mechanism: str, used: str, tmp_path: Path) -> None:
    async def test(made: Line, host: Host) -> None:
        await made.send("x@b.test")
        await made.send("y@b.test")
        assert await made.events(2) == "DD"
        assert host.mail == [(f"ann {used}", ["x@b.test"]), (f"ann {used}", ["y@b.test"])]

    run(
        test, tmp_path, outbound_smtp_auth_user="ann", outbound_smtp_auth_pass="a-secret",
        outbound_smtp_auth_type=mechanism, max_outbound_connections=1,
    )  # fmt: skip


def test_a_wrong_password_holds_mail_and_tells_why(tmp_path: Path) -> None:
    async def test(made: Line, host: Host) -> None:
        await made.send("x@b.test")
        assert await made.events(1) == "T"
        assert made.journal.texts("T")[0].startswith("535 ")
        assert not host.mail and not made.manager.quarantine, "the host is well for others"

    run(test, tmp_path, outbound_smtp_auth_user="ann", outbound_smtp_auth_pass="wrong")


async def keep(made: Line, **users: str) -> None:
    """One message to each of these, in one reception, each with the login of a user."""
    message = Message(content=b"\r\nhi\r\n", mailfrom="a@a.test", rcptto="x")
    copies = [message.copy_for(f"{name}@b.test") for name in users]
    for copy, user in zip(copies, users.values(), strict=True):
        if user:
            copy.mess["outbound_smtp_auth_user"] = user
            copy.mess["outbound_smtp_auth_pass"] = f"{user[0]}-secret"
    await made.keeper.keep(copies, Internal(made.manager.clock.now()))


def test_the_context_of_a_message_goes_before_the_options(tmp_path: Path) -> None:
    async def test(made: Line, host: Host) -> None:
        await keep(made, x="", y="bob", z="", w="bob")
        assert await made.events(4) == "DDDD"
        found = {rcpt: auth for auth, rcpts in host.mail for rcpt in rcpts}
        assert found == {
            "x@b.test": "ann PLAIN", "z@b.test": "ann PLAIN",
            "y@b.test": "bob PLAIN", "w@b.test": "bob PLAIN",
        }  # fmt: skip

    run(
        test, tmp_path, outbound_smtp_auth_user="ann", outbound_smtp_auth_pass="a-secret",
        max_outbound_connections=1,
    )  # fmt: skip


def test_policy_says_who_a_message_is_sent_as(tmp_path: Path) -> None:
    class Policy(Onlooker):
        def login(self, record: Any, content: bytes | None) -> Any:
            async def said() -> dict[str, str]:
                return {"outbound_smtp_auth_user": "bob", "outbound_smtp_auth_pass": "b-secret"}

            return said()

    async def test(made: Line, host: Host) -> None:
        made.manager.notify_through(None, Policy())
        (record,) = await made.send("x@b.test")
        assert await made.events(1) == "D"
        assert host.mail == [("bob PLAIN", ["x@b.test"])]
        assert "outbound_smtp_auth_pass" not in record.mess

    run(test, tmp_path)


def test_policy_that_fails_holds_the_mail(tmp_path: Path) -> None:
    class Policy(Onlooker):
        def login(self, record: Any, content: bytes | None) -> Any:
            async def said() -> dict[str, str]:
                raise NoLogin("outbound_smtp_auth_config error: nil")

            return said()

    async def test(made: Line, host: Host) -> None:
        made.manager.notify_through(None, Policy())
        await made.send("x@b.test")
        assert await made.events(1) == "T"
        assert "outbound_smtp_auth_config" in made.journal.texts("T")[0] and not host.mail

    run(test, tmp_path)


def test_the_next_host_is_told_who_sent_a_message_to_us(tmp_path: Path) -> None:
    sink = Sink(features=("PIPELINING", "XCLIENT NAME ADDR PORT PROTO HELO LOGIN"))
    sink.answers["XCLIENT"] = "220 sink.test again"

    async def main() -> None:
        async with (
            sink,
            line(tmp_path, sink.port, xclient="required", max_outbound_connections=1) as made,
        ):
            for n, peer in enumerate(("192.0.2.1:77", "[2001:db8::1]:78", "")):
                message = Message(content=b"\r\nhi\r\n", mailfrom="a@a.test", rcptto=f"r{n}@b.test")
                message.conn["ehlo_domain"] = "pc.test"
                await made.keeper.keep([message], Internal(0, remote=peer, auth_user="ann"))
                await made.events(n + 1)
        said = [command for command in sink.commands if command.startswith("XCLIENT")]
        assert said == [
            "XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.1 PORT=77 PROTO=ESMTP HELO=pc.test LOGIN=ann",
            "XCLIENT NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::1 PORT=78 PROTO=ESMTP HELO=pc.test LOGIN=ann",
        ]
        assert sink.connections == 2, "what nobody sent us does not go out in the name of a client"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("answer", "pattern", "replace", "kinds", "text"),
    [
        ("454 no such user 'x'", "454 no such user ('.*')", "554 no such user $1", "P", "554 no such user 'x'"),
        ("550 5.2.2 mailbox full", "mailbox full", "452 $0", "T", "452 mailbox full"),
        ("550 5.2.2 mailbox full", "mailbox full", "250 fine", "P", "550 5.2.2 mailbox full"),
        ("550 5.1.1 who?", "mailbox full", "452 $0", "P", "550 5.1.1 who?"),
    ],
)  # fmt: skip
def test_an_answer_may_count_as_another(
    answer: str, pattern: str, replace: str, kinds: str, text: str, tmp_path: Path
) -> None:
    async def main() -> None:
        async with (
            Sink(answers={"RCPT": answer}) as sink,
            line(
                tmp_path,
                sink.port,
                response_transcode_pattern=pattern,
                response_transcode_replace=replace,
            ) as made,
        ):
            (record,) = await made.send("x@b.test")
            assert await made.events(1) == kinds
            assert made.journal.texts(kinds) == [text]
            kept = await made.spool.get(record.id)
            assert (kept is not None) == (kinds == "T")

    asyncio.run(main())


def test_our_own_permanent_failures_cannot_be_transcoded(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(
            tmp_path, 1, routes=(), dns={("null.test", "MX"): [(0, ".")]},
            response_transcode_pattern=".", response_transcode_replace="450 wait",
        ) as made:  # fmt: skip
            await made.send("x@null.test")
            assert await made.events(1) == "P"

    asyncio.run(main())
