"""The form of messages: what the options RFC2821_* and RFC2822_* of a configuration add, mend and refuse."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from moonpost.app.listeners import esmtp_listeners
from moonpost.config.model import load
from testkit.smtp_server import Receiver, receiving

OPEN = 'hostname = "mx.test"\nESMTP_Listener { Open_Relay = true Listen "127.0.0.1:0" {} }\n'
FIT = b"Date: d\r\nMessage-ID: <m@x>\r\n\r\nx\r\n"


def sent(
    folder: Path, options: str, content: bytes, *, chunk: bool = False, sender: str = "a@x.test"
) -> tuple[list[str], Receiver]:
    """The reply codes of one session, and the receiver it was had with."""
    path = folder / "ecelerity.conf"
    path.write_text(OPEN + options + "\n", encoding="utf-8")
    (settings,) = esmtp_listeners(load(str(path)))
    data = (
        b"BDAT %d LAST\r\n" % len(content) + content if chunk else b"DATA\r\n" + content + b".\r\n"
    )

    async def scenario() -> tuple[list[str], Receiver]:
        async with receiving(settings) as here:
            here.generation.on(
                "validate_data",
                lambda msg, ac, vctx: vctx.set(1, "seen", msg.header("Date")[1] or ""),
            )
            reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
            writer.write(
                f"MAIL FROM:<{sender}>\r\nRCPT TO:<b@y.test>\r\n".encode() + data + b"QUIT\r\n"
            )
            lines = (await asyncio.wait_for(reader.read(), 10)).decode().splitlines()
            writer.close()
            return [line[:9] for line in lines], here

    return asyncio.run(scenario())


def head_of(here: Receiver) -> list[bytes]:
    """Header names after the trace header, in order."""
    (message,) = here.kept.messages
    lines = message.content.partition(b"\r\n\r\n")[0].split(b"\r\n")
    return [line.partition(b":")[0] for line in lines if line[:1] not in b" \t"]


@pytest.mark.parametrize(
    ("options", "content", "added"),
    [
        ("", FIT, [b"Received", b"Date", b"Message-ID"]),
        ("", b"dATE: d\r\nMESSAGE-id: m\r\n\r\nx\r\n", [b"Received", b"dATE", b"MESSAGE-id"]),
        ("", b"X: y\r\n\r\nDate: d\r\n", [b"Received", b"X", b"Date", b"Message-ID"]),
        ("", b"Date: d\r\n\r\nx\r\n", [b"Received", b"Date", b"Message-ID"]),
        ("", b"\r\nx\r\n", [b"Received", b"Date", b"Message-ID"]),
        ("RFC2822_Date_Header = ignore", b"X: y\r\n\r\n", [b"Received", b"X", b"Message-ID"]),
        ("RFC2822_MessageID_Header = ignore", b"X: y\r\n\r\n", [b"Received", b"X", b"Date"]),
        ("RFC2822_Trace_Headers = false", FIT, [b"Date", b"Message-ID"]),
        (
            "RFC2822_Missing_Headers = allow",
            b"no header\r\n",
            [b"Received", b"Date", b"Message-ID"],
        ),
    ],
)
def test_what_is_added(tmp_path: Path, options: str, content: bytes, added: list[bytes]) -> None:
    codes, here = sent(tmp_path, options, content)
    assert codes[-2] == "250 2.0.0", codes
    assert head_of(here) == added
    (message,) = here.kept.messages
    head, _, body = (
        content.partition(b"\r\n\r\n") if content[:2] != b"\r\n" else (b"", b"", b"x\r\n")
    )
    had_date = b"date:" in head.lower()
    assert ("rfc2822_date_missing" in message.mess) is not had_date
    assert bool(message.mess["seen"]) is had_date  # policy sees what the sender sent
    assert message.content.endswith(b"\r\n\r\n" + (body if head != content else content))


@pytest.mark.parametrize(
    ("options", "content"),
    [
        ("", b"no header\r\n"),
        ("", b""),
        ("", b": x\r\n\r\n"),
        ("RFC2822_Date_Header = pedantic", b"X: y\r\n\r\n"),
        ("RFC2822_MessageID_Header = pedantic", b"Date: d\r\n\r\n"),
        ("RFC2822_Max_Line_Length = pedantic", FIT + b"x" * 999 + b"\r\n"),
        (
            "RFC2822_Max_Line_Length = 50 RFC2822_Max_Line_Length_Policy = reject",
            FIT + b"x" * 51 + b"\r\n",
        ),
        ("", FIT + b"lone\nline feed\r\n"),
        ("RFC2822_Lone_LF_In_Body = fix", b"X: y\nDate: d\r\n\r\nx\r\n"),
        ("RFC2822_Lone_LF_In_Headers = fix", FIT + b"lone\nline feed\r\n"),
    ],
)
def test_what_is_refused(tmp_path: Path, options: str, content: bytes) -> None:
    for chunk in (False, True):
        codes, here = sent(tmp_path, options, content, chunk=chunk)
        assert codes[-2] in ("550 5.6.0", "550 5.6.1"), codes
        assert here.kept.messages == []


@pytest.mark.parametrize(
    ("options", "content"),
    [
        ("RFC2822_Max_Line_Length = pedantic", FIT + b"x" * 998 + b"\r\n"),
        ("RFC2822_Max_Line_Length = 50", FIT + b"x" * 51 + b"\r\n"),
        (
            "RFC2822_Max_Line_Length = 50 RFC2822_Max_Line_Length_Policy = reject",
            FIT + b"x" * 50 + b"\r\n",
        ),
    ],
)
def test_lines_that_are_short_enough(tmp_path: Path, options: str, content: bytes) -> None:
    assert sent(tmp_path, options, content)[0][-2] == "250 2.0.0"


BOTH = "RFC2822_Lone_LF_In_Body = fix RFC2822_Lone_LF_In_Headers = fix"


@pytest.mark.parametrize("chunk", [False, True])
@pytest.mark.parametrize(
    ("options", "content", "kept"),
    [
        ("RFC2822_Lone_LF_In_Body = fix", FIT + b"a\nb\rc\r\n", FIT + b"a\r\nb\r\nc\r\n"),
        (
            "RFC2822_Lone_LF_In_Headers = fix",
            b"X: y\nDate: d\r\n\r\nz\r\n",
            b"X: y\r\nDate: d\r\n\r\nz\r\n",
        ),
        (BOTH, b"X: y\n\nz\n", b"X: y\r\n\r\nz\r\n"),
        # What another server may take for the end is a line of the body here, and leaves with its dot doubled.
        (
            BOTH,
            FIT + b"a\n.\nMAIL FROM:<evil@x.test>\r\n",
            FIT + b"a\r\n.\r\nMAIL FROM:<evil@x.test>\r\n",
        ),
    ],
)
def test_what_is_mended(
    tmp_path: Path, options: str, content: bytes, kept: bytes, chunk: bool
) -> None:
    if not content.endswith(b"\r\n") and not chunk:
        content = content[:-1] + b"\r\n"
    as_it_is = "RFC2822_Date_Header = ignore RFC2822_MessageID_Header = ignore"
    codes, here = sent(tmp_path, f"{options} {as_it_is}", content, chunk=chunk)
    assert codes[-2] == "250 2.0.0", codes
    (message,) = here.kept.messages
    assert message.content.endswith(kept)
    assert len(codes) == (5 if chunk else 6)


@pytest.mark.parametrize("address", ["a..b@x.test", "a.@x.test", ".a@x.test"])
def test_addresses_with_odd_dots(tmp_path: Path, address: str) -> None:
    assert sent(tmp_path, "", FIT, sender=address)[0][1] == "553 5.1.7"
    lenient = "RFC2821_Pedantic_Address_Rules = false"
    assert sent(tmp_path, lenient, FIT, sender=address)[0][1] == "250 2.1.0"


@pytest.mark.parametrize("address", ['"a b"@x.test', "a.b@x.test"])
def test_dots_that_are_fine(tmp_path: Path, address: str) -> None:
    assert sent(tmp_path, "", FIT, sender=address)[0][1] == "250 2.1.0"
