"""Numbers to text and back, by thrlua's rules or stock 5.1's.

Pure functions of the text and the standard in force. thrlua reads a leading zero as octal and prints `nan` and `inf`
without a sign; stock Lua leaves both to the C library.
"""

from __future__ import annotations

import re
from math import copysign, inf

from msys.lua.environment import standard

EXACT = 2**53  # beyond this an int may hold what a double can't
PLAIN = 10**14  # whole numbers below this print as they are: `%.14g` has fourteen digits

NAN = inf - inf  # as the processor makes it: its sign bit shows in what stock Lua prints

SPACE = " \t\n\v\f\r"
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_HEX = re.compile(
    r"[+-]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)(?:[pP][+-]?[0-9]+)?", re.ASCII
)
_WORD = re.compile(r"([+-]?)(infinity|inf|nan(?:\([0-9A-Za-z_]*\))?)", re.ASCII | re.IGNORECASE)
_OCTAL = re.compile(r"(-?)0(?:[xX]([0-9a-fA-F]+)|([0-7]*))", re.ASCII)
_SIMPLE = re.compile(
    r"-?(?:[1-9][0-9]*(?:\.[0-9]*)?|0?\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII
)  # by any rules
_LONG = 2**63


def tidy(value: float) -> float | int:
    """A whole double as an int, when that is the same number; -0 stays a float."""
    if value == value and -EXACT <= value <= EXACT and value == int(value):
        whole = int(value)
        return whole if whole or copysign(1.0, value) > 0 else value
    return value


def narrow(value: int) -> float | int:
    """An int as a double would hold it."""
    return value if -EXACT <= value <= EXACT else float(value)


def number_text(value: float | int) -> str:
    """A number as Lua prints it."""
    if value.__class__ is int and -PLAIN < value < PLAIN:
        return str(value)
    text = f"{value:.14g}"
    return _odd_text(value) if text[-1] in "fn" else text


def _odd_text(value: float) -> str:
    word = "inf" if value == value else "nan"
    if standard() == "5.1" and copysign(1.0, value) < 0:
        return "-" + word
    return word


def parse_number(text: str) -> float | int | None:
    """The number a string stands for, or None."""
    if text.isdecimal() and text[0] != "0" and len(text) < 16:
        return int(text)
    if _SIMPLE.fullmatch(text):
        return tidy(float(text))
    text = text.partition("\0")[0]
    if standard() != "5.1" and text.lstrip("-")[:1] == "0" and not text.startswith("--"):
        digits = text[1:] if text.startswith("-") else text
        if digits[1:2] != ".":
            return _octal(text)
    text = text.lstrip(SPACE)
    for pattern, convert in _READERS:
        match = pattern.match(text)
        if match is not None and (
            pattern is not _DECIMAL or text[match.end() :][:1] not in ("x", "X")
        ):
            return convert(match) if not text[match.end() :].strip(SPACE) else None
    return None


def _decimal(match: re.Match[str]) -> float | int:
    return tidy(float(match.group()))


def _hexadecimal(match: re.Match[str]) -> float | int:
    try:
        return tidy(float.fromhex(match.group()))
    except OverflowError:
        return -inf if match.group().startswith("-") else inf


def _word(match: re.Match[str]) -> float:
    sign = -1.0 if match.group(1) == "-" else 1.0
    return copysign(inf if match.group(2)[0] in "iI" else float("nan"), sign)


_READERS = ((_HEX, _hexadecimal), (_DECIMAL, _decimal), (_WORD, _word))


def _octal(text: str) -> float | int | None:
    """thrlua: a text that starts with a zero is read by C's strtol, base 8 or 16."""
    match = _OCTAL.match(text)
    if match is None or text[match.end() :].strip(SPACE):
        return None
    sign, hexadecimal, octal = match.groups()
    whole = int(hexadecimal, 16) if hexadecimal else int(octal or "0", 8)
    whole = max(-_LONG, -whole) if sign else min(_LONG - 1, whole)
    return narrow(whole)


def parse_in_base(text: str, base: int) -> float | int | None:
    """`tonumber(text, base)` for a base other than 10: C's strtoul."""
    text = text.partition("\0")[0].lstrip(SPACE).rstrip(SPACE)
    negative = text.startswith("-")
    digits = text[1:] if text[:1] in ("-", "+") else text
    if base == 16 and digits[:2] in ("0x", "0X"):
        digits = digits[2:]
    if not digits.isalnum() or not digits.isascii():
        return None
    try:
        whole = int(digits, base)
    except ValueError:
        return None
    whole = min(whole, 2**64 - 1) if not negative or whole >= 2**64 else -whole % 2**64
    return narrow(whole)


def to_integer(value: float | int) -> int:
    """C's conversion of a double to a 64-bit integer, as x86-64 does it."""
    if value.__class__ is int and -_LONG <= value < _LONG:
        return value
    if value != value or not -_LONG <= value < _LONG:
        return -_LONG
    return int(value)


def to_int32(value: float | int) -> int:
    """C's conversion of a double to `int`."""
    whole = to_integer(value)
    return whole if -(2**31) <= whole < 2**31 else -(2**31)
