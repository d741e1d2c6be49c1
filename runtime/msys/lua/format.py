"""`string.format`, as C's printf does it.

Format strings are read once and kept as a list of steps.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from math import copysign, isinf
from typing import Any

from msys.lua.absent import ABSENT
from msys.lua.arguments import number_arg, string_arg
from msys.lua.environment import standard
from msys.lua.errors import ArgumentError, RuntimeFault
from msys.lua.numbers import EXACT, to_int32, to_integer

_SPEC = re.compile(r"([-+ #0]*)([0-9]*)(?:(\.)([0-9]*))?(.?)", re.DOTALL | re.ASCII)

Step = str | Callable[[Any, int], str]


def format_string(template: str, args: tuple[Any, ...]) -> str:
    """The template with its arguments filled in."""
    kinds, numbers = _kinds(template)
    if tuple(map(type, args)) == kinds:
        for place in numbers:
            if not -EXACT <= args[place] <= EXACT:
                break
        else:
            text = template % args
            if "\0" not in text:
                return text
    out = []
    used = 0
    for step in _steps(template):
        if step.__class__ is str:
            out.append(step)
        else:
            used += 1
            if used > len(args) and standard() == "5.1":
                raise ArgumentError(used + 1, "format", "no value")
            value = args[used - 1] if used <= len(args) else ABSENT
            out.append(step(value, used + 1))  # type: ignore[operator]
    return "".join(out)


_PYTHON_TOO = re.compile(r"(?:[^%\0]|%%|%-?[0-9]{0,2}s|%[-+ 0]?[0-9]{0,2}d)*", re.ASCII)
_PIECE = re.compile(r"%[^%a-z]*([sd%])", re.ASCII)


@lru_cache(maxsize=512)
def _kinds(template: str) -> tuple[tuple[type, ...] | None, list[int]]:
    """The kinds of arguments for which Python's `%` does the same, when the template has only plain `%s` and `%d`,
    and the places of the numbers among them.
    """
    if not _PYTHON_TOO.fullmatch(template):
        return None, []
    found = tuple(_PLAIN_KINDS[letter] for letter in _PIECE.findall(template) if letter != "%")
    return found, [place for place, kind in enumerate(found) if kind is int]


_PLAIN_KINDS = {"s": str, "d": int}


@lru_cache(maxsize=512)
def _steps(template: str) -> tuple[Step, ...]:
    steps: list[Step] = []
    place = 0
    while place < len(template):
        end = template.find("%", place)
        if end < 0:
            end = len(template)
        if end > place:
            steps.append(template[place:end])
        if end == len(template):
            break
        if template[end + 1 : end + 2] == "%":
            steps.append("%")
            place = end + 2
            continue
        match = _SPEC.match(template, end + 1)
        assert match is not None  # every part of it is optional
        steps.append(_step(*match.groups()))
        place = match.end()
    return tuple(steps)


def _fails(message: str) -> Step:
    """A mistake in the template shows when formatting gets there."""

    def fail(value: Any, position: int) -> str:
        raise RuntimeFault(message)

    return fail


def _step(flags: str, width: str, dot: str | None, digits: str | None, letter: str) -> Step:
    if len(flags) > 5:
        return _fails("invalid format (repeated flags)")
    if len(width) > 2 or len(digits or "") > 2:
        return _fails("invalid format (width or precision too long)")
    make = _LETTERS.get(letter)
    if make is None:
        return _fails(f"invalid option '%{letter}' to 'format'".replace("\0", ""))
    precision = int(digits or 0) if dot else None
    return make(flags, int(width or 0), precision, letter)


def _pad(body: str, sign: str, flags: str, width: int, zero: bool) -> str:
    missing = width - len(sign) - len(body)
    if missing <= 0:
        return sign + body
    if "-" in flags:
        return sign + body + " " * missing
    if zero:
        return sign + "0" * missing + body
    return " " * missing + sign + body


def _sign(negative: bool, flags: str) -> str:
    if negative:
        return "-"
    return "+" if "+" in flags else " " if " " in flags else ""


def _decimal(flags: str, width: int, precision: int | None, letter: str) -> Step:
    simple = not flags and precision is None

    def step(value: Any, position: int) -> str:
        number = to_integer(number_arg(value, position, "format"))
        if simple:
            return str(number).rjust(width) if width else str(number)
        body = str(abs(number)).rjust(precision or 0, "0")
        if precision == 0 and not number:
            body = ""
        return _pad(
            body, _sign(number < 0, flags), flags, width, "0" in flags and precision is None
        )

    return step


_DIGITS = {"o": "o", "u": "d", "x": "x", "X": "X"}


def _unsigned(flags: str, width: int, precision: int | None, letter: str) -> Step:
    kind = _DIGITS[letter]

    def step(value: Any, position: int) -> str:
        number = _to_unsigned(number_arg(value, position, "format"))
        body = format(number, kind).rjust(precision or 0, "0")
        if precision == 0 and not number:
            body = ""
        prefix = ""
        if "#" in flags:
            if letter == "o" and not body.startswith("0"):
                body = "0" + body
            elif letter in "xX" and number:
                prefix = "0" + letter
        return _pad(body, prefix, flags, width, "0" in flags and precision is None)

    return step


def _to_unsigned(value: float) -> int:
    """C's conversion of a double to a 64-bit unsigned, as x86-64 does it."""
    if value.__class__ is int and value >= 0:
        return int(value) if value < 2**64 else 0
    if value != value or isinf(value):
        return 0 if value == value and value > 0 else 2**63
    if value >= 2**63:
        return int(value) if value < 2**64 else 0
    return to_integer(value) % 2**64


def _real(flags: str, width: int, precision: int | None, letter: str) -> Step:
    spec = f"%{'#' if '#' in flags else ''}.{6 if precision is None else precision}{letter}"

    def step(value: Any, position: int) -> str:
        number = number_arg(value, position, "format")
        negative = copysign(1.0, number) < 0
        if number != number or isinf(number):
            body = "inf" if number == number else "nan"
            body = body.upper() if letter.isupper() else body
            return _pad(body, _sign(negative, flags), flags, width, False)
        return _pad(spec % abs(number), _sign(negative, flags), flags, width, "0" in flags)

    return step


def _character(flags: str, width: int, precision: int | None, letter: str) -> Step:
    def step(value: Any, position: int) -> str:
        code = to_int32(number_arg(value, position, "format")) & 255
        padded = _pad(chr(code), "", flags, width, False)
        return padded.partition("\0")[0]  # C's end of the string

    return step


def _string(flags: str, width: int, precision: int | None, letter: str) -> Step:
    if not flags and not width and precision is None:

        def plain(value: Any, position: int) -> str:
            text = value if value.__class__ is str else string_arg(value, position, "format")
            return text if len(text) >= 100 or "\0" not in text else text.partition("\0")[0]

        return plain

    def step(value: Any, position: int) -> str:
        text = string_arg(value, position, "format")
        if precision is None and len(text) >= 100:
            return text  # Lua keeps long strings as they are
        text = text.partition("\0")[0][:precision]
        return _pad(text, "", flags, width, False)

    return step


_QUOTED = {'"': '\\"', "\\": "\\\\", "\n": "\\\n", "\r": "\\r", "\0": "\\000"}


def _quote(flags: str, width: int, precision: int | None, letter: str) -> Step:
    def step(value: Any, position: int) -> str:
        text = string_arg(value, position, "format")
        return '"' + "".join(_QUOTED.get(char, char) for char in text) + '"'

    return step


_LETTERS: dict[str, Callable[[str, int, int | None, str], Step]] = {
    "c": _character,
    "d": _decimal,
    "i": _decimal,
    "o": _unsigned,
    "u": _unsigned,
    "x": _unsigned,
    "X": _unsigned,
    "e": _real,
    "E": _real,
    "f": _real,
    "g": _real,
    "G": _real,
    "q": _quote,
    "s": _string,
}
