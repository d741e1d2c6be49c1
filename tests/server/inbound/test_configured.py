"""Options of a configuration file, as a client over a real socket meets them."""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from moonpost.app.listeners import esmtp_listeners
from moonpost.config.diagnostics import is_error
from moonpost.config.model import load
from moonpost.config.validate import validate
from moonpost.inbound.settings import ListenSettings
from testkit.smtp_server import careless_tls, certificate, client, receiving

ENVELOPE = (
    b"MAIL FROM:<ann@client.test>\r\nRCPT TO:<bob@elsewhere.test>\r\nDATA\r\n",
    [b"250", b"250", b"354"],
)
V2 = b"\r\n\r\n\x00\r\nQUIT\n"


def settings(folder: Path, text: str) -> ListenSettings:
    """The one listener of a configuration."""
    path = folder / "ecelerity.conf"
    path.write_text(f'hostname = "mx.test"\n{text}\n', encoding="utf-8")
    (only,) = esmtp_listeners(load(str(path)))
    return only


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 20))  # type: ignore[arg-type]


async def said(port: int, data: bytes = b"", *, to_end: bool = False) -> list[bytes]:
    """What the server answers to these bytes, until it hangs up or they are answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    if not to_end:
        writer.write(b"QUIT\r\n")
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer.splitlines()


def listener(inside: str, *, listen: str = "", outside: str = "") -> str:
    return f'{outside}\nESMTP_Listener {{ {inside} Listen "127.0.0.1:0" {{ {listen} }} }}'


# --- PROXY


def v2(command: int, family: int, addresses: bytes) -> bytes:
    return V2 + bytes([0x20 | command, family]) + struct.pack("!H", len(addresses)) + addresses


IPV4 = bytes([203, 0, 113, 9, 192, 0, 2, 1]) + struct.pack("!HH", 5555, 25)
IPV6 = (
    socket.inet_pton(socket.AF_INET6, "2001:db8::9")
    + socket.inet_pton(socket.AF_INET6, "2001:db8::1")
    + struct.pack("!HH", 5555, 25)
)


@pytest.mark.parametrize(
    ("header", "address"),
    [
        (b"PROXY TCP4 203.0.113.9 192.0.2.1 5555 25\r\n", "203.0.113.9"),
        (b"PROXY TCP6 2001:db8::9 2001:db8::1 5555 25\r\n", "2001:db8::9"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (v2(1, 0x11, IPV4), "203.0.113.9"),
        (v2(1, 0x11, IPV4 + b"\x03\x00\x04abcd"), "203.0.113.9"),
        (v2(1, 0x21, IPV6), "2001:db8::9"),
        (v2(0, 0x00, b""), "127.0.0.1"),
        (v2(0, 0x11, IPV4), "127.0.0.1"),  # the proxy itself asks how we are
        (v2(1, 0x31, b"/a".ljust(108, b"\0") * 2), "127.0.0.1"),
    ],
)
def test_a_proxy_names_the_peer_and_its_own_options_hold(
    tmp_path: Path, header: bytes, address: str
) -> None:
    text = listener(
        'Proxy_Protocol = true Peer "203.0.113.0/24" { Context = [ who = "known" ] }',
        outside="Relay_Hosts = ( 203.0.113.0/24 )",
    )

    async def scenario() -> None:
        async with receiving(settings(tmp_path, text)) as here:
            seen = []
            here.generation.on(
                "validate_connect",
                lambda accept, vctx: seen.append((accept.remote_addr.ip, dict(vctx.conn))),
            )
            lines = await said(here.port, header + ENVELOPE[0] + b"X: y\r\n\r\nx\r\n.\r\n")
            ((ip, conn),) = seen
            assert ip == address
            known = address == "203.0.113.9"
            assert (conn.get("who") == "known") is known
            assert (conn.get("can_relay") == "true") is known
            assert lines[0] == b"220 mx.test ESMTP"
            assert lines[2][:3] == (b"250" if known else b"550")
            assert len(here.kept.messages) == int(known)

    run(scenario)


@pytest.mark.parametrize(
    "header",
    [
        b"EHLO client.test\r\n",
        b"PROXY TCP4 203.0.113.9\r\n",
        b"PROXY TCP4 203.0.113.999 192.0.2.1 5555 25\r\n",
        b"PROXY TCP4 203.0.113.9 192.0.2.1 5555 25\n",
        b"PROXY TCP4 203.0.113.9 192.0.2.1 5555 70000\r\n",
        b"PROXY TCP4 " + b"1" * 200 + b"\r\n",
        b"P" * 20_000,
        v2(2, 0x11, IPV4),
        v2(1, 0x11, IPV4[:6]),
        V2[:-1] + b"X" + bytes(20),
        b"PROXY",  # and no more
    ],
)
def test_a_header_that_is_no_good_ends_the_connection_without_a_word(
    tmp_path: Path, header: bytes
) -> None:
    text = listener("Proxy_Protocol = true Proxy_Protocol_Timeout = 0.2")

    async def scenario() -> None:
        async with receiving(settings(tmp_path, text)) as here:
            with contextlib.suppress(ConnectionResetError):
                assert await said(here.port, header, to_end=True) == []
            assert here.service.tally.refused_connections == 1
            assert here.kept.panics == []
            assert not here.service.sessions

    run(scenario)


def test_a_header_from_a_peer_that_is_no_trusted_proxy_is_no_header(tmp_path: Path) -> None:
    text = listener('Peer "192.0.2.7" { Proxy_Protocol = true }')

    async def scenario() -> None:
        async with receiving(settings(tmp_path, text)) as here:
            lines = await said(here.port, b"PROXY TCP4 203.0.113.9 192.0.2.1 5555 25\r\nNOOP\r\n")
            assert [line[:3] for line in lines] == [b"220", b"500", b"250", b"221"]

    run(scenario)


def test_the_header_comes_before_the_handshake(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    text = listener(
        "Proxy_Protocol = true",
        listen=f'Use_SSL = true TLS_Certificate = "{cert}" TLS_Key = "{key}"',
    )

    def talk(port: int, header: bytes) -> list[bytes]:
        with socket.create_connection(("127.0.0.1", port), 10) as plain:
            # The header and the first bytes of the handshake come in one segment, as haproxy sends them.
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = careless_tls().wrap_bio(incoming, outgoing, server_hostname="mx.test")
            with pytest.raises(ssl.SSLWantReadError):
                tls.do_handshake()
            plain.sendall(header + outgoing.read())
            while True:
                incoming.write(plain.recv(65536))
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    plain.sendall(outgoing.read())
            tls.write(b"QUIT\r\n")
            plain.sendall(outgoing.read())
            got = b""
            while b"\r\n221" not in got or not got.endswith(b"\r\n"):
                try:
                    got += tls.read()
                except ssl.SSLWantReadError:
                    incoming.write(plain.recv(65536))
            return got.splitlines()

    async def scenario() -> None:
        async with receiving(settings(tmp_path, text)) as here:
            seen = []
            here.generation.on(
                "validate_connect",
                lambda accept, vctx: seen.append((accept.remote_addr.ip, vctx.conn["tls"])),
            )
            for header in (b"PROXY TCP4 203.0.113.9 192.0.2.1 5555 25\r\n", v2(1, 0x11, IPV4)):
                lines = await client(talk, here.port, header)
                assert [line[:3] for line in lines] == [b"220", b"221"]
            assert seen == [("203.0.113.9", "on")] * 2

    run(scenario)


# --- limits


async def greeting(port: int, header: bytes = b"") -> tuple[bytes, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(header)
    return await asyncio.wait_for(reader.readline(), 10), writer


def test_each_block_of_peers_has_its_own_budget(tmp_path: Path) -> None:
    text = listener(
        """Proxy_Protocol = true Listener_Sessions = 4
        Peer "203.0.113.0/24" { Listener_Sessions = 1 }
        Peer "0.0.0.0/0" { Listener_Sessions = 2 }"""
    )

    async def scenario() -> None:
        async with receiving(settings(tmp_path, text)) as here:
            peers = ["203.0.113.9", "203.0.113.10", "198.51.100.1", "192.0.2.5", "192.0.2.6"]
            codes, open_now = [], []
            for peer in peers:
                line, writer = await greeting(
                    here.port, f"PROXY TCP4 {peer} 192.0.2.1 5555 25\r\n".encode()
                )
                codes.append(line[:9])
                open_now.append(writer)
            greeted, full = b"220 mx.te", b"421 4.4.5"
            assert codes == [greeted, full, greeted, greeted, full]
            open_now[0].close()
            while len(here.service.sessions) > 2:
                await asyncio.sleep(0)
            line, _ = await greeting(here.port, b"PROXY TCP4 203.0.113.11 192.0.2.1 1 25\r\n")
            assert line[:9] == greeted
            for writer in open_now:
                writer.close()

    run(scenario)


def test_a_block_of_peers_may_be_silent_for_less_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moonpost.inbound.listener.SWEEP_S", 0.02)
    text = listener('Idle_Time = 300 Peer "127.0.0.0/8" { Idle_Time = 0.05 }')

    async def scenario() -> None:
        async with receiving(settings(tmp_path, text)) as here:
            lines = await said(here.port, to_end=True)
            assert lines[-1].startswith(b"421 4.4.2 mx.test timeout")

    run(scenario)


def test_recipients_and_bad_commands_are_limited(tmp_path: Path) -> None:
    text = listener(
        "Open_Relay = true Max_Recipients_Per_Message = 1 Max_Bad_Commands = 2"
        " Max_Receptions_Per_Connection = 1"
    )

    async def scenario() -> None:
        async with receiving(settings(tmp_path, text)) as here:
            lines = await said(
                here.port,
                b"MAIL FROM:<a@x.test>\r\nRCPT TO:<b@x.test>\r\nRCPT TO:<c@x.test>\r\n"
                b"XX\r\nYY\r\nZZ\r\nNOOP\r\n",
                to_end=True,
            )
            assert [line[:3] for line in lines] == [
                b"220", b"250", b"250", b"452", b"500", b"500", b"421",
            ]  # fmt: skip

    run(scenario)


@pytest.mark.parametrize("where", ["global", "pathway"])
def test_messages_are_throttled_in_the_scope_that_says_so(tmp_path: Path, where: str) -> None:
    rate = "Inbound_Throttle_Messages = 2/1000"
    inside = 'Open_Relay = true Peer "203.0.113.0/24" { Proxy_Protocol = true Pathway = "p" }'
    outside = f'Pathway "p" {{ {rate if where == "pathway" else ""} }}'
    text = listener(inside, outside=f"{rate if where == 'global' else ''} {outside}")
    text = text.replace('Peer "203', 'Pathway = "p" Peer "203')
    mail = b"MAIL FROM:<a@x.test>\r\nRSET\r\n"

    async def scenario() -> None:
        async with receiving(settings(tmp_path, text)) as here:
            first = await said(here.port, mail * 2)
            assert [line[:3] for line in first[1::2]] == [b"250", b"250", b"221"]
            second = await said(here.port, mail)
            assert second[1] == b"451 4.3.2 too many messages at present, try again later"
            assert here.kept.refusals[0].module == "throttle"

    run(scenario)


# --- TLS


def tls_listener(folder: Path, inside: str) -> str:
    cert, key = certificate(folder)
    return listener(f'TLS_Certificate = "{cert}" TLS_Key = "{key}" {inside}')


def relayed(port: int, context: ssl.SSLContext) -> int:
    """What RCPT TO a stranger gets inside TLS; 0: no TLS."""
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
        try:
            smtp.starttls(context=context)
            smtp.ehlo()
        except (ssl.SSLError, smtplib.SMTPServerDisconnected, ConnectionError):
            return 0
        smtp.mail("ann@client.test")
        return smtp.rcpt("bob@elsewhere.test")[0]


@pytest.mark.parametrize(
    ("mode", "shows", "code"),
    [
        ("", "good", 250),
        ("", "none", 550),
        ("", "strange", 0),
        ("TLS_Verify_Mode = require", "good", 250),
        ("TLS_Verify_Mode = require", "none", 0),
        ("TLS_Verify_Mode = none", "good", 550),
        ("TLS_Verify_Mode = none", "strange", 550),
    ],
)
def test_certificates_of_clients(tmp_path: Path, mode: str, shows: str, code: int) -> None:
    good, strange = certificate(tmp_path, "client.test"), certificate(tmp_path, "strange.test")
    text = tls_listener(
        tmp_path, f'TLS_Client_CA = "{good[0]}" TLS_Verified_Peer_Can_Relay = true {mode}'
    )
    context = careless_tls()
    if shows != "none":
        context.load_cert_chain(*(good if shows == "good" else strange))

    async def scenario() -> None:
        async with receiving(settings(tmp_path, text)) as here:
            assert await client(relayed, here.port, context) == code
            assert here.kept.panics == []

    run(scenario)


@pytest.mark.parametrize(
    ("protocols", "spoken"),
    [("+TLSv1.2", "TLSv1.2"), ("+ALL:-TLSv1.2", "TLSv1.3"), ("+ALL:-SSLv3", "TLSv1.3")],
)
def test_versions_and_ciphers(tmp_path: Path, protocols: str, spoken: str) -> None:
    def version(port: int) -> tuple[str, str]:
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
            smtp.starttls(context=careless_tls())
            name, protocol, _ = smtp.sock.cipher()
            return protocol, name

    inside = f'TLS_Protocols = "{protocols}" TLS_Ciphers = "ECDHE+AES256+AESGCM"'

    async def scenario() -> None:
        text = tls_listener(tmp_path, inside)
        async with receiving(settings(tmp_path, text)) as here:
            protocol, name = await client(version, here.port)
            assert protocol == spoken
            assert "AES" in name and ("256" in name or protocol == "TLSv1.3")

    run(scenario)


@pytest.mark.parametrize(
    ("policy", "codes"),
    [("reject", [b"220", b"501"]), ("ignore", [b"220", b"220"]), ("allow", [b"220", b"220"])],
)
def test_what_is_sent_ahead_of_the_handshake(
    tmp_path: Path, policy: str, codes: list[bytes]
) -> None:
    text = tls_listener(tmp_path, f"Starttls_Injection_Policy = {policy}")

    def talk(port: int) -> tuple[list[bytes], list[bytes]]:
        with socket.create_connection(("127.0.0.1", port), 10) as plain:
            plain.sendall(b"STARTTLS\r\nMAIL FROM:<evil@x.test>\r\nNOOP\r\n")
            before = b""
            while before.count(b"\n") < 2:
                before += plain.recv(4096)
            if policy == "reject":
                return before.splitlines(), []
            with careless_tls().wrap_socket(plain, server_hostname="mx.test") as tls:
                tls.sendall(b"EHLO x\r\nRCPT TO:<b@x.test>\r\nQUIT\r\n")
                after = b""
                while data := tls.recv(4096):
                    after += data
                return before.splitlines(), after.splitlines()

    async def scenario() -> None:
        async with receiving(settings(tmp_path, text)) as here:
            before, after = await client(talk, here.port)
            assert [line[:3] for line in before] == codes
            assert [line[:3] for line in after if line[3:4] == b" "] in (
                [],
                [b"250", b"503", b"221"],
            )

    run(scenario)


# --- XCLIENT, and the options of who it names


def test_xclient_brings_the_options_of_the_peer_it_names(tmp_path: Path) -> None:
    text = listener(
        """Peer "127.0.0.1" { SMTP_Extensions = ( "XCLIENT" ) Context = [ who = "proxy" ] }
        Peer "203.0.113.0/24" { Open_Relay = true Max_Message_Size = 1000 }"""
    )
    words = (
        b"XCLIENT ADDR=203.0.113.9 PORT=77 HELO=spike.test\r\nEHLO spike.test\r\n"
        b"MAIL FROM:<a@x.test> SIZE=2000\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@elsewhere.test>\r\n"
        b"RSET\r\nXCLIENT ADDR=198.51.100.1\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@elsewhere.test>\r\n"
    )

    async def scenario() -> None:
        async with receiving(settings(tmp_path, text)) as here:
            lines = await said(here.port, words)
            last = [line for line in lines if line[3:4] == b" "]
            assert [line[:3] for line in last] == [
                b"220", b"220", b"250", b"552", b"250", b"250", b"250", b"220", b"250", b"550",
                b"221",
            ]  # fmt: skip
            assert b"250-SIZE 1000" in lines

    run(scenario)


# --- conntrol and mail_loop


def test_who_does_not_wait_for_the_greeting_is_sent_away(tmp_path: Path) -> None:
    text = listener(
        "Open_Relay = true",
        outside=r"""conntrol "one" {
          banner = "220-Welcome\r\n" pause_time = 0.1
          disconnect_ratware = "421 mx.test not before the banner\r\n" }""",
    )

    async def scenario() -> None:
        async with receiving(settings(tmp_path, text)) as here:
            here.generation.on("validate_connect", lambda *_: 0)
            assert await said(here.port, b"EHLO x\r\n") == [b"421 mx.test not before the banner"]
            assert here.kept.notes == ["421 mx.test not before the banner"]
            assert "validate_connect" not in here.generation.ran
            reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
            assert await reader.readline() == b"220-Welcome\r\n"
            assert await reader.readline() == b"220 mx.test ESMTP\r\n"
            writer.close()

    run(scenario)


LOOPING = (
    b"".join(b"Received: from x by y; now\r\n" for _ in range(3)) + b"\r\nReceived: no header\r\n"
)


@pytest.mark.parametrize(("most", "code", "reply"), [(2, 554, b"554 5.4.6 mail loop: 3"), (2, 250, b"250"), (3, 554, b"250")])  # fmt: skip
def test_mail_that_goes_in_circles(tmp_path: Path, most: int, code: int, reply: bytes) -> None:
    text = listener(
        "Open_Relay = true",
        outside=f"mail_loop {{ max_received_headers = {most} code = {code} use_ip = true }}",
    )

    async def scenario() -> None:
        async with receiving(settings(tmp_path, text)) as here:
            seen = []
            here.generation.on("validate_data", lambda msg, ac, vctx: seen.append(dict(vctx.conn)))
            lines = await said(here.port, ENVELOPE[0] + LOOPING + b".\r\n")
            assert lines[4].startswith(reply)
            if reply == b"250":
                counted = seen[0].get("mail_loop_header_count")
                assert counted == ("3" if most == 2 else None)
                assert "mail_loop_ip" not in seen[0]  # loopback is what local clients use
            else:
                assert here.kept.refusals[0].module == "mail_loop"
                assert here.kept.messages == []

    run(scenario)


# --- mistakes are told before the start


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("TLS_Verify_Mode = require", "no TLS_Client_CA names their issuers"),
        ('TLS_Client_CA = "nowhere.pem"', "No such file"),
        ('TLS_Ciphers = "NONSENSE"', "TLS_Ciphers `NONSENSE`"),
        ('TLS_Protocols = "+TLSv9"', "is no version of TLS"),
        ('TLS_Protocols = "-ALL"', "leaves no version of TLS"),
    ],
)
def test_tls_options_that_can_not_work(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "ecelerity.conf"
    path.write_text(listener(text), encoding="utf-8")
    problems = [problem for problem in validate(load(str(path))) if is_error(problem)]
    assert any(words in str(problem) for problem in problems), problems


def test_a_proxy_header_where_nobody_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "ecelerity.conf"
    path.write_text('HTTP_Listener { Listen ":80" { Proxy_Protocol = true } }', encoding="utf-8")
    problems = [str(problem) for problem in validate(load(str(path)))]
    assert any("PROXY headers are read at an ESMTP_Listener" in each for each in problems)


@pytest.mark.parametrize("option", ['banner = "Welcome"', 'disconnect_ratware = "go away"'])
def test_replies_of_conntrol_that_are_none(tmp_path: Path, option: str) -> None:
    path = tmp_path / "ecelerity.conf"
    path.write_text(f"conntrol {{ {option} }}", encoding="utf-8")
    assert any("C508" in str(problem) for problem in validate(load(str(path))))
