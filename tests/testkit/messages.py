"""Messages for tests: one of each shape that matters."""

from __future__ import annotations

from msys.message import Message


def wire(*lines: str | bytes) -> bytes:
    """Lines as message bytes: CRLF after each, text as UTF-8."""
    return b"".join(
        (line if isinstance(line, bytes) else line.encode("utf-8")) + b"\r\n" for line in lines
    )


PLAIN = wire(
    "Received: from a.test by b.test; Mon, 1 Jan 2024 00:00:00 +0000",
    "From: Ann <ann+list@example.test>",
    "To: Bob <bob@example.test>, carl@other.test",
    "Subject: Hello",
    "X-Tag: one",
    "x-tag: two",
    "",
    "Dear Bob,",
    ".dotted",
    "bye",
)

ALTERNATIVE = wire(
    "From: ann@example.test",
    "MIME-Version: 1.0",
    'Content-Type: multipart/alternative; boundary="b1"',
    "",
    "preamble stays",
    "--b1",
    "Content-Type: text/plain; charset=utf-8",
    "Content-Transfer-Encoding: quoted-printable",
    "",
    "Gr=C3=BC=C3=9Fe aus K=C3=B6ln",
    "--b1   ",
    "Content-Type: text/html; charset=iso-8859-1",
    "Content-Transfer-Encoding: 8bit",
    "",
    b"<b>Gr\xfc\xdfe</b>",
    "--b1--",
    "epilogue stays",
)

NESTED = wire(
    "From: ann@example.test",
    'Content-Type: multipart/mixed; boundary="outer"',
    "",
    "--outer",
    'Content-Type: multipart/alternative; boundary="inner"',
    "",
    "--inner",
    "",
    "plain text",
    "--inner",
    "Content-Type: text/html",
    "",
    "<p>html</p>",
    "--inner--",
    "",
    "--outer",
    "Content-Type: message/rfc822",
    "",
    "Subject: attached",
    "Content-Type: text/plain",
    "",
    "inside",
    "--outer",
    'Content-Type: application/pdf; name="r=?.pdf"',
    "Content-Transfer-Encoding: base64",
    "Content-Disposition: attachment; filename*=utf-8''Gr%C3%BC%C3%9Fe.pdf",
    "",
    "JVBERi0xLjQK",
    "--outer--",
)


def message(content: bytes = PLAIN, **data: object) -> Message:
    """A message with an envelope, as the server would make it."""
    known: dict[str, object] = {
        "mailfrom": "ann@example.test",
        "rcptto": "bob@example.test",
        "listener": ("192.0.2.1", 25),
        "peer": ("198.51.100.7", 40123),
    }
    return Message(content=content, **(known | data))  # type: ignore[arg-type]
