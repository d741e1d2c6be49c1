"""Header fields as policy reads and writes them: decoded values in, whole fields out.

Used for messages and for parts alike. Works on header blocks as bytes; raises LuaError for what would break the
header of a message (decision: a CR or LF that does not fold is refused).
"""

from __future__ import annotations

import re
from typing import Any

from msys.addresses import COMPONENTS, component_of, header_addresses
from msys.arguments import bad_argument, check_string, check_strings, optional_string
from msys.lua import ABSENT, Table
from msys.lua.bytestr import to_bytes, to_str
from msys.message import fields, words

NAME = re.compile(rb"[!-9;-~]+", re.ASCII)
LOOSE_FOLD = re.compile(rb"(?<!\r)\n(?=[ \t])")
BREAKS = re.compile(rb"\r(?!\n)|(?<!\r)\n|\r\n(?![ \t])|\0")
MODES = ("replace", "prepend", "append")


def checked_name(function: str, position: int, value: Any) -> bytes:
    """A field name as bytes."""
    name = to_bytes(check_string(function, position, value).rstrip(": \t"))
    if not NAME.fullmatch(name):
        raise bad_argument(function, position, f"'{value}' is not the name of a header")
    return name


def policy_value(raw: bytes) -> str:
    """A raw value as policy sees it: on one line, encoded words as UTF-8."""
    return to_str(words.decoded(fields.unfolded(raw)))


def values_table(raw_values: list[bytes]) -> Table:
    """Values in the order of the message, counted from 1."""
    return Table.array(*map(policy_value, raw_values))


def field_bytes(function: str, name: bytes, value: str) -> bytes:
    """A whole field, encoded and folded. Raises when the value would break out of the field."""
    raw = LOOSE_FOLD.sub(b"\r\n", to_bytes(value))
    if BREAKS.search(raw):
        raise bad_argument(
            function, 2, f"the value of '{to_str(name)}' has a CR, LF or NUL that does not fold"
        )
    return words.folded(name, words.encoded(name, raw))


def edited(function: str, block: bytes, name: bytes, value: Any, mode: Any) -> bytes:
    """The block after `header(name, value, mode)`; the same object when nothing changed.

    value: None or "" deletes; a table adds several fields, in its order.
    """
    if value is None or value == "":
        return fields.without(block, name)
    how = optional_string(function, 3, mode, "replace")
    if how not in MODES:
        raise bad_argument(
            function, 3, f"invalid mode '{how}' (one of {', '.join(MODES)} expected)"
        )
    texts = [text for text in check_strings(function, 2, value) if text != ""]
    lines = b"".join(field_bytes(function, name, text) for text in texts)
    if how == "replace":
        block = fields.without(block, name)
    if not lines:
        return block
    return fields.with_first(block, lines) if how == "prepend" else fields.with_last(block, lines)


def addresses_table(function: str, raw_values: list[bytes], component: Any) -> Table:
    """The wanted component of every address in every value, counted from 1."""
    wanted = "all" if component is ABSENT else optional_string(function, 2, component, "all")
    if wanted not in COMPONENTS:
        raise bad_argument(function, 2, f"invalid component '{wanted}' ({', '.join(COMPONENTS)})")
    found = [
        component_of(address, wanted)
        for raw in raw_values
        for address in header_addresses(to_str(fields.unfolded(raw)))
    ]
    return Table.array(*found)
