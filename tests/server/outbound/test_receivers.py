"""Real receivers take mail from us, with and without TLS, with a login, in the name of a client: Postfix, Exim, Dovecot."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from moonpost.queue.keeper import Internal
from msys.message import Message
from testkit.certificates import certificate
from testkit.delivery import line
from testkit.mail_servers import (
    Server,
    dovecot,
    exim,
    needs_dovecot,
    needs_exim,
    needs_postfix,
    postfix,
)

CONTENT = b"Subject: n\xc3\xa4chste\r\n\r\n.dot\r\n..\r\n" + b"x" * 900 + b"\r\nlast\r\n"
USERS = {"ann": "a secret", "bob": "b=secret"}


def deliver(
    tmp_path: Path, port: int, *recipients: str, peer: str = "", **options: Any
) -> list[tuple[str, str]]:
    """Send one message; what was told of each recipient."""

    async def main() -> list[tuple[str, str]]:
        async with line(tmp_path, port, lmtp_port=port, **options) as made:
            message = Message(content=CONTENT, mailfrom="a@a.test", rcptto=recipients[0])
            message.conn["ehlo_domain"] = "client.test"
            copies = [message.copy_for(recipient) for recipient in recipients]
            await made.keeper.keep(copies, Internal(made.manager.clock.now(), remote=peer))
            await made.events(len(recipients), 20)
            return [(kind, text) for kind, _, text in made.journal.events if kind != "R"]

    return asyncio.run(main())


def body(letter: bytes) -> bytes:
    return letter.replace(b"\r\n", b"\n").partition(b"\n\n")[2]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server, str]]:
    """Postfix with TLS, logins that Dovecot knows, and XCLIENT; Dovecot's LMTP; the certificate of both."""
    folder = tmp_path_factory.mktemp("receivers")
    made = certificate(folder, "127.0.0.1", "mx.b.test")
    with (
        dovecot(folder / "dovecot", USERS, made.pem) as (lmtp, logins),
        postfix(
            folder / "postfix",
            {
                "smtpd_tls_security_level": "may", "smtpd_tls_cert_file": str(made.pem),
                "smtpd_tls_key_file": str(made.pem), "smtpd_sasl_auth_enable": "yes",
                "smtpd_sasl_type": "dovecot", "smtpd_sasl_path": f"inet:127.0.0.1:{logins}",
                "smtpd_authorized_xclient_hosts": "127.0.0.1", "smtpd_tls_received_header": "yes",
                "smtpd_sasl_authenticated_header": "yes", "smtpd_tls_ask_ccert": "yes",
                "smtpd_recipient_restrictions": "reject_unlisted_recipient, permit",
                "smtpd_relay_restrictions": "permit_auth_destination, reject",
            },
        ) as smtp,
    ):  # fmt: skip
        yield smtp, lmtp, str(made.pem)


@needs_postfix
@needs_dovecot
@pytest.mark.parametrize("tls", ["no", "ifavailable", "required"])
@pytest.mark.parametrize("mechanism", ["none", "", "plain", "login", "cram-md5"])
def test_postfix_takes_mail(
    tls: str, mechanism: str, servers: tuple[Server, Server, str], tmp_path: Path
) -> None:
    server, _, pem = servers
    seen = len(server.letters())
    login = {"outbound_smtp_auth_type": mechanism, "outbound_smtp_auth_user": "ann", "outbound_smtp_auth_pass": USERS["ann"]}  # fmt: skip
    told = deliver(
        tmp_path, server.port, "x@b.test", "y@b.test", tls=tls, tls_verify="host", tls_ca=pem,
        **(login if mechanism != "none" else {}),
    )  # fmt: skip
    assert [kind for kind, _ in told] == ["D", "D"]
    letters = server.wait_for(seen + 2)
    fresh = sorted(letters, key=len)
    for letter in letters:
        assert body(letter) == body(CONTENT)
    received = b"".join(fresh)
    assert (b"Authenticated sender: ann" in received) or mechanism == "none"
    assert b"with ESMTP" in received


@needs_postfix
@needs_dovecot
def test_postfix_says_what_it_saw(servers: tuple[Server, Server, str], tmp_path: Path) -> None:
    server, _, pem = servers
    seen = set(server.mail.rglob("new/*"))
    ours = certificate(tmp_path, "client.a.test")
    told = deliver(
        tmp_path, server.port, "x@b.test", peer="203.0.113.7:4711", tls="required", tls_ca=pem,
        tls_verify="host", xclient="required", tls_certificate=str(ours.pem),
        outbound_smtp_auth_user="bob", outbound_smtp_auth_pass=USERS["bob"],
    )  # fmt: skip
    assert told[0][0] == "D", told
    server.wait_for(len(seen) + 1)
    (path,) = set(server.mail.rglob("new/*")) - seen
    received = path.read_bytes().replace(b"\n\t", b" ")
    assert b"(unknown [203.0.113.7])" in received
    assert b"using TLSv1." in received and b"Authenticated sender: bob" in received
    assert b'Client CN "client.a.test"' in received


@needs_postfix
@needs_dovecot
def test_a_wrong_password_and_a_wrong_name_hold_mail(
    servers: tuple[Server, Server, str], tmp_path: Path
) -> None:
    server, _, _pem = servers
    told = deliver(
        tmp_path / "1", server.port, "x@b.test", outbound_smtp_auth_user="ann",
        outbound_smtp_auth_pass="wrong",
    )  # fmt: skip
    assert told[0][0] == "T" and told[0][1].startswith("535 5.7.8")
    told = deliver(
        tmp_path / "2", server.port, "x@b.test", tls="required", tls_verify="host",
        tls_ca=str(certificate(tmp_path, "other.test").pem),
    )  # fmt: skip
    assert told[0][0] == "T" and "CERTIFICATE_VERIFY_FAILED" in told[0][1]


@needs_postfix
@needs_dovecot
def test_postfix_refuses_and_we_say_so(servers: tuple[Server, Server, str], tmp_path: Path) -> None:
    server, *_ = servers
    told = deliver(tmp_path, server.port, "x@b.test", "y@elsewhere.test", gateway="127.0.0.1")
    assert sorted(kind for kind, _ in told) == ["D", "P"]
    ((_, text),) = [one for one in told if one[0] == "P"]
    assert text.startswith("554 5.7.1 <y@elsewhere.test>: ")


@needs_postfix
@needs_dovecot
@pytest.mark.parametrize("tls", ["no", "ifavailable"])
def test_dovecot_takes_mail_by_lmtp(
    tls: str, servers: tuple[Server, Server, str], tmp_path: Path
) -> None:
    _, server, _ = servers
    seen = len(server.letters())
    told = deliver(tmp_path, server.port, "x@b.test", "y@b.test", delivery_method="LMTP", tls=tls)
    assert [kind for kind, _ in told] == ["D", "D"], told
    letters = server.wait_for(seen + 2)
    assert {body(letter) for letter in letters} == {body(CONTENT)}


@pytest.fixture(scope="module")
def exim_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """Exim with TLS, and its certificate."""
    folder = tmp_path_factory.mktemp("exim")
    made = certificate(folder, "127.0.0.1")
    with exim(folder / "exim", made.pem) as server:
        yield server, str(made.pem)


@needs_exim
@pytest.mark.parametrize("tls", ["no", "ifavailable", "required"])
def test_exim_takes_mail(tls: str, exim_server: tuple[Server, str], tmp_path: Path) -> None:
    server, pem = exim_server
    before = server.letters()
    seen, protected = len(before), sum(b"with esmtps" in letter for letter in before)
    told = deliver(
        tmp_path, server.port, "x@b.test", "y@b.test", "z@elsewhere.test", tls=tls, tls_ca=pem,
        tls_verify="host", gateway="127.0.0.1",
    )  # fmt: skip
    assert sorted(kind for kind, _ in told) == ["D", "D", "P"]
    ((_, text),) = [one for one in told if one[0] == "P"]
    assert text == "550 relay not permitted"
    letters = server.wait_for(seen + 2)
    assert {body(letter) for letter in letters} == {body(CONTENT)}
    inside = sum(b"with esmtps" in letter for letter in letters)
    assert inside - protected == (2 if tls != "no" else 0)
