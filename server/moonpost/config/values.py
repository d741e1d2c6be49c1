"""The types of option values: from words to Python values, and back to the words of a file.

A type cell is one or more alternatives joined by `|`; an alternative that is no type name is a
literal word (`auto`, `ifavailable`), which ignores case and reads as itself in lower case.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from ipaddress import ip_network
from typing import Any, Final, NamedTuple

from moonpost.config.patterns import compiled
from moonpost.config.tree import Value


class Throttle(NamedTuple):
    """So many events in so many seconds."""

    events: int
    seconds: float


BOOLEANS: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("true", "on", "enabled", "yes", "1"), True),
    **dict.fromkeys(("false", "off", "disabled", "no", "0"), False),
}


def _bool(text: str) -> bool:
    return BOOLEANS[text.lower()]


def _number(text: str) -> int | float:
    value = float(text)
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError(text)
    return int(value) if value == int(value) else value


def _not_negative(text: str) -> int | float:
    value = _number(text)
    if value < 0:
        raise ValueError(text)
    return value


def _throttle(text: str) -> Throttle | None:
    """`N` per second or `N/S` per S seconds; 0 is no limit."""
    count, _, period = text.partition("/")
    throttle = Throttle(int(count), _not_negative(period) if period else 1)
    if throttle.events < 0 or throttle.seconds <= 0:
        raise ValueError(text)
    return throttle if throttle.events else None


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port < 65536:
        raise ValueError(text)
    return port


def _pattern(text: str) -> str:
    compiled(f"/{text}/")
    return text


def _integer(text: str) -> int:
    return int(text, 10)


def _cidr(text: str) -> str:
    return str(ip_network(text, strict=False))


# type name -> (how a word reads, what the word should have been)
SCALARS: Final[Mapping[str, tuple[Callable[[str], Any], str]]] = {
    "bool": (_bool, "true or false (on, off, enabled, disabled, yes, no, 1, 0)"),
    "int": (_integer, "a whole number"),
    "number": (_number, "a number"),
    "seconds": (_not_negative, "a number of seconds"),
    "milliseconds": (_not_negative, "a number of milliseconds"),
    "port": (_port, "a port between 1 and 65535"),
    "octal": (lambda text: int(text, 8), "an octal file mode like 0660"),
    "throttle": (_throttle, "a rate like 60/3 (60 in 3 seconds)"),
    "string": (str, "a word"),
    "path": (str, "a path"),
    "pattern": (_pattern, "a regular expression that PCRE takes"),
}
LISTS: Final[Mapping[str, tuple[Callable[[str], Any], str]]] = {
    "list": (str, "words"),
    "cidrs": (_cidr, "networks like 192.0.2.0/24 or addresses"),
}
TYPES: Final = frozenset({*SCALARS, *LISTS, "dict"})


class WrongValue(ValueError):
    """A value that does not fit: `wanted` in words; `index` of the bad word, None for the whole."""

    def __init__(self, wanted: str, index: int | None = 0) -> None:
        super().__init__(wanted)
        self.wanted = wanted
        self.index = index


def read_value(type_cell: str, value: Value) -> Any:
    """The Python value; WrongValue says what was wanted."""
    if type_cell == "dict":
        # `()` and a lone word are what people write for an empty or single list, never a dictionary.
        if value.kind != "dict":
            raise WrongValue("a [ dictionary ]", None)
        return value.pairs
    if type_cell in LISTS:
        if value.kind == "dict":
            raise WrongValue("a ( list )", None)
        read, wanted = LISTS[type_cell]
        return [_read(read, text, wanted, at) for at, text in enumerate(value.texts)]
    if value.kind != "scalar":
        raise WrongValue(_wanted(type_cell), None)
    if type_cell == "path":
        return resolve_path(value.text, value.place.source.folder)
    return read_word(type_cell, value.text)


def resolve_path(text: str, folder: str) -> str:
    """A relative path is relative to the file it is written in; `scheme://` is left alone."""
    if "://" in text or not text:
        return text
    return os.path.normpath(os.path.join(folder, text))


def read_word(type_cell: str, text: str) -> Any:
    """One word read as the first alternative that takes it."""
    for alternative in type_cell.split("|"):
        if alternative not in SCALARS:
            if text.lower() == alternative.lower():
                return alternative
            continue
        try:
            return SCALARS[alternative][0](text)
        except (ValueError, KeyError):
            continue
    raise WrongValue(_wanted(type_cell))


def _read(read: Callable[[str], Any], text: str, wanted: str, at: int) -> Any:
    try:
        return read(text)
    except ValueError:
        raise WrongValue(wanted, at) from None


def _wanted(type_cell: str) -> str:
    names = [SCALARS[name][1] if name in SCALARS else f"`{name}`" for name in type_cell.split("|")]
    return " or ".join(([", ".join(names[:-1])] if names[:-1] else []) + names[-1:])


def default_value(type_cell: str, text: str) -> Any:
    """The default of a table cell: empty is None, or an empty list or dictionary.

    `unset` is a list whose absence means something else than an empty one.
    """
    if text == "unset":
        return None
    if type_cell == "dict":
        return {}
    if type_cell in LISTS:
        return [LISTS[type_cell][0](word) for word in text.split()]
    return read_word(type_cell, text) if text else None


# --- back to text

_BARE: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def quoted(text: str) -> str:
    """The text as a quoted string of a file."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def show_word(text: str, type_cell: str = "string") -> str:
    """Numbers and booleans bare, all else quoted, as the console prints them."""
    bare = _BARE.fullmatch(text) and type_cell not in ("string", "path")
    if bare or ("bool" in type_cell.split("|") and text.lower() in BOOLEANS):
        return text
    return quoted(text)


def show_value(name: str, type_cell: str, value: Value) -> str:
    """`Name = value`; a list or dictionary one item to a line."""
    if value.kind == "scalar" and type_cell not in LISTS:
        return f"{name} = {show_word(value.text, type_cell)}"
    if value.kind == "dict":
        lines = [f"  {show_word(key)} = {show_word(text)}" for key, text in value.pairs.items()]
        return "\n".join([f"{name} = [", *lines, "  ]"])
    return "\n".join([f"{name} = (", *(f"  {show_word(text)}" for text in value.texts), "  )"])
