"""What string and number literals mean, decoded from source text.

The same rules serve the whole dialect: `std` is `thr` for Momentum's Lua (octal numbers, `\\x` and `\\u`
escapes) or `5.1` for stock Lua. Knows text only, no tokens and no tree.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from lua2py.source import LINE_END

EXACT = 2**53  # every whole number up to here is a double
LONG_MAX = 2**63 - 1  # strtol stops here

SIMPLE_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
}
PIECE = re.compile(r"[^\\\r\n]+|\\(\r\n|\n\r|[0-9]{1,3}|[\s\S])")
HEX_DIGITS = re.compile(r"[0-9A-Fa-f]{0,8}")
DECIMAL = re.compile(r"[0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?")
# strtod of the C library takes these too; a dot or a sign never gets into the same token.
HEX = re.compile(r"0[xX]([0-9A-Fa-f]+)(?:[pP]([0-9]+))?")


@dataclass(frozen=True, slots=True)
class BadLiteral(Exception):
    """A literal that Lua refuses. offset: of the offending piece; so_far: what had been decoded before it."""

    message: str
    offset: int
    end: int
    so_far: str


def decode_short(text: str, std: str = "thr") -> str:
    """The value of the inside of a quoted string, without its quotes."""
    if "\\" not in text:
        return text
    parts: list[str] = []
    at = 0
    while at < len(text):
        match = PIECE.match(text, at)
        if match is None:
            raise BadLiteral("unfinished string", at, at + 1, "".join(parts))
        escape = match.group(1)
        at = match.end()
        if escape is None:
            parts.append(match.group())
        elif std == "thr" and escape in ("x", "u"):
            value, at = _numeric_escape(text, match.start(), at, escape, parts)
            parts.append(value)
        elif escape.isdigit():
            if int(escape) > 255:
                raise BadLiteral("escape sequence too large", match.start(), at, "".join(parts))
            parts.append(chr(int(escape)))
        elif escape[0] in "\r\n":
            parts.append("\n")
        else:
            parts.append(SIMPLE_ESCAPES.get(escape, escape))
    return "".join(parts)


def _numeric_escape(text: str, start: int, at: int, kind: str, parts: list[str]) -> tuple[str, int]:
    match = HEX_DIGITS.match(text, at)
    digits = match.group() if match else ""
    if kind == "x":
        if len(digits) < 2:
            raise BadLiteral("expected hex digit", start, at + len(digits), "".join(parts))
        return chr(int(digits[:2], 16)), at + 2
    end = at + len(digits)
    if len(digits) not in (4, 6, 8):
        message = "expected either 4, 6 or 8 hex digits for unicode escape"
        raise BadLiteral(message, start, end, "".join(parts))
    return utf8(int(digits, 16), start, end, parts), end


def utf8(code: int, start: int, end: int, parts: list[str]) -> str:
    """The bytes of a code point in the original UTF-8, up to 31 bits in six bytes."""
    if code < 0x80:
        return chr(code)
    for size, limit in ((2, 0x800), (3, 0x10000), (4, 0x200000), (5, 0x4000000), (6, 0x80000000)):
        if code < limit:
            lead = (0xFF00 >> size) & 0xFF
            tail = [0x80 | (code >> shift) & 0x3F for shift in range(6 * (size - 2), -1, -6)]
            return "".join(map(chr, [lead | code >> 6 * (size - 1), *tail]))
    # Lua holds the code in an int: eight digits with the top bit set are negative, and pass as one byte.
    return chr(code & 0xFF)


def unknown_escapes(text: str, std: str = "thr") -> list[tuple[int, str]]:
    """Where a quoted string has a backslash that Lua drops: offset and the character that is kept."""
    meant = set("abfnrtv\\\"'\r\n0123456789") | (set("xu") if std == "thr" else set())
    return [
        (match.start(), escape)
        for match in PIECE.finditer(text)
        if (escape := match.group(1)) and escape[0] not in meant
    ]


def decode_long(text: str) -> str:
    """The value of the inside of a long bracket: its first line end dropped, the others made LF."""
    if "\r" in text:
        text = LINE_END.sub("\n", text)
    return text.removeprefix("\n")


def decode_number(text: str, std: str = "thr") -> int | float | None:
    """The value of a numeral, or None when it is malformed. Whole numerals are ints, the rest floats."""
    if std == "thr" and text[0] == "0" and text[1:2] != ".":
        return _octal_or_hex(text)
    if match := HEX.fullmatch(text):
        power = int(match[2] or 0)
        return _whole(int(match[1], 16) << power) if power < 1024 else math.inf
    if not DECIMAL.fullmatch(text):
        return None
    return _whole(int(text)) if text.isdigit() else float(text)


def _octal_or_hex(text: str) -> int | float | None:
    """Momentum reads these with strtol: base 8 or 16, stopping at the largest long."""
    base = 16 if text[1:2] in ("x", "X") else 8
    try:
        return _whole(min(int(text[2:] if base == 16 else text, base), LONG_MAX))
    except ValueError:
        return None


def _whole(value: int) -> int | float:
    if value <= EXACT:
        return value
    try:
        return float(value)
    except OverflowError:
        return math.inf


FILE_MODE = re.compile(r"0[0-7]{3}")


def is_octal_by_surprise(text: str) -> bool:
    """Whether Momentum reads this numeral in base 8 where a person may not expect it: not a file mode."""
    octal = len(text) > 1 and text.isdigit() and text[0] == "0" and bool(text.strip("0"))
    return octal and not FILE_MODE.fullmatch(text)
