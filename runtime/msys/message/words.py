"""Header values between the wire and policy: encoded words of RFC 2047, and folding.

Policy sees UTF-8; the wire is ASCII. Pure functions over bytes.
"""

from __future__ import annotations

import binascii
import re
from email.charset import BASE64, QP, Charset
from itertools import chain, repeat

from msys.message.charsets import codec

FOLD_AT = 78  # RFC 5322 section 2.1.1
ENCODED = re.compile(rb"=\?([^?*\s]+)(?:\*[^?\s]*)?\?([BbQq])\?([^?\s]*)\?=")
ENCODED_RUN = re.compile(ENCODED.pattern + rb"(?:[ \t\r\n]+" + ENCODED.pattern + rb")*")
NON_ASCII = re.compile(rb"[\x80-\xff]")
QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
WHITE = re.compile(rb"[ \t]+")
BLANK = re.compile(rb"[ \t]*\Z")

# Fields whose values hold addresses: there, an encoded word must not stand inside a quoted string
ADDRESS_FIELDS = frozenset(
    (
        b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc", b"resent-from", b"resent-sender",
        b"resent-to", b"resent-cc", b"resent-bcc", b"disposition-notification-to", b"return-path",
    )
)  # fmt: skip


def decoded(value: bytes) -> bytes:
    """A value with its encoded words turned into UTF-8; words that cannot be decoded stay as they are."""
    if b"=?" not in value:
        return value
    return ENCODED_RUN.sub(_decoded_run, value)


def _decoded_run(match: re.Match[bytes]) -> bytes:
    """Neighbouring words: the space between them does not count, and characters may span words."""
    pieces: list[bytes] = []
    waiting, charset = b"", ""
    for word in ENCODED.finditer(match.group()):
        name = codec(word.group(1).decode("latin-1"))
        content = _word_content(word.group(2), word.group(3))
        if name is None or content is None:
            return match.group()
        if name != charset and waiting:
            pieces.append(waiting.decode(charset, "replace").encode("utf-8", "replace"))
            waiting = b""
        waiting, charset = waiting + content, name
    pieces.append(waiting.decode(charset, "replace").encode("utf-8", "replace"))
    return b"".join(pieces)


def _word_content(encoding: bytes, text: bytes) -> bytes | None:
    if encoding in b"Qq":
        return binascii.a2b_qp(text, header=True)
    try:
        return binascii.a2b_base64(text.rstrip(b"=") + b"=" * (-len(text.rstrip(b"=")) % 4))
    except binascii.Error:
        return None


def encoded(name: bytes, value: bytes) -> bytes:
    """A value as ASCII: what is not becomes encoded words, in UTF-8 if it is UTF-8, else in ISO 8859-1."""
    if value.isascii():
        return value
    if name.lower() in ADDRESS_FIELDS:
        value = QUOTED.sub(_encoded_quoted, value)
    return b"".join(_encoded_runs(value))


def _encoded_quoted(match: re.Match[bytes]) -> bytes:
    text = match.group(1)
    if text.isascii():
        return match.group()
    return _encoded_text(re.sub(rb"\\(.)", rb"\1", text, flags=re.DOTALL))


def _encoded_runs(value: bytes) -> list[bytes]:
    """ASCII words and space as they are; each run of other words, with the space inside, encoded."""
    pieces: list[bytes] = []
    run: list[bytes] = []
    space = b""
    for piece in re.split(rb"([ \t\r\n]+)", value):
        if not piece.strip(b" \t\r\n"):
            space = piece
        elif not piece.isascii():
            run += [space, piece] if run else [piece]
            if len(run) == 1:
                pieces.append(space)
            space = b""
        else:
            if run:
                pieces.append(_encoded_text(b"".join(run)))
                run = []
            pieces += [space, piece]
            space = b""
    if run:
        pieces.append(_encoded_text(b"".join(run)))
    return [*pieces, space]


def _encoded_text(text: bytes) -> bytes:
    try:
        unicode_text, charset = text.decode("utf-8"), Charset("utf-8")
    except UnicodeDecodeError:
        unicode_text, charset = text.decode("latin-1"), Charset("iso-8859-1")
    charset.header_encoding = BASE64 if len(NON_ASCII.findall(text)) * 3 > len(text) else QP
    lines = charset.header_encode_lines(unicode_text, chain([50], repeat(74)))
    return b" ".join(line.encode("ascii") for line in lines if line)


def folded(name: bytes, value: bytes) -> bytes:
    """The whole field with its line end, folded at white space where a line would pass 78 characters.

    Folds that the value has already stay where they are.
    """
    lines: list[bytes] = []
    low = len(name) + 2  # no fold before the first word of a line
    for given in (name + b": " + value).split(b"\r\n"):
        start = 0
        while len(given) - start > FOLD_AT:
            at = _fold_point(given, _word(given, start + low), start + FOLD_AT)
            if at is None:
                break
            lines.append(given[start:at])
            start, low = at, 0
        lines.append(given[start:])
        low = 0
    return b"\r\n".join(lines) + b"\r\n"


def _word(line: bytes, at: int) -> int:
    """The first place from `at` on that is no white space."""
    space = WHITE.match(line, at)
    return space.end() if space else at


def _fold_point(line: bytes, low: int, high: int) -> int | None:
    """Where to break: the last white space from `low` to `high`, or the first one after. None: nowhere."""
    at = max(line.rfind(b" ", low, high + 1), line.rfind(b"\t", low, high + 1))
    if at < 0:
        later = WHITE.search(line, max(low, high + 1))
        if later is None:
            return None
        at = later.start()
    while at > low and line[at - 1 : at] in (b" ", b"\t"):
        at -= 1
    # A line of nothing but space would end the field for some readers.
    return None if BLANK.match(line, at) else at
