"""Addresses and blocks with values: the longest matching block answers. Pure.

Also reads rbldnsd-like text, `network:value` a line (for IPv6 a blank before the colon).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, summarize_address_range
from typing import Any

from msys.ports.memory_state import address, network

V6_LINE = re.compile(r"(?P<block>[0-9A-Fa-f:.]+(?:/\d+)?)(?:\s+:(?P<value>.*))?\Z")
V4_LINE = re.compile(r"(?P<block>!?[0-9./*-]+)(?:\s*:(?P<value>.*)|\s+(?P<rest>.*))?\Z")
SHORT_V4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){0,3}(?:\.\*)*\.?")
EXCLUDED = object()  # the value of a block that is taken out of a larger one
DEFAULT_VALUE = ":127.0.0.2:"  # what rbldnsd answers for a network without a value


class CidrTable:
    """Blocks of both families and their values.

    One dictionary per prefix length: real tables use few lengths, so that a look-up is a few dictionary reads.
    """

    def __init__(self, entries: Iterable[tuple[str, Any]] = ()) -> None:
        self._by_length: dict[int, dict[int, dict[int, Any]]] = {4: {}, 6: {}}
        self.rejected: list[str] = []  # what was no block
        for block, value in entries:
            self.add(block, value)

    def __len__(self) -> int:
        return sum(
            len(blocks) for lengths in self._by_length.values() for blocks in lengths.values()
        )

    def add(self, block: str, value: Any) -> None:
        found = network(block)
        if found is None:
            self.rejected.append(block)
            return
        lengths = self._by_length[found.version]
        if found.prefixlen not in lengths:
            lengths[found.prefixlen] = {}
            self._by_length[found.version] = dict(sorted(lengths.items(), reverse=True))
        shift = found.max_prefixlen - found.prefixlen
        self._by_length[found.version][found.prefixlen][int(found.network_address) >> shift] = value

    def find(self, text: str) -> Any:
        """The value of the longest block around an address; None for none, and for what is no address."""
        found = address(text)
        if found is None:
            return None
        number, width = int(found), found.max_prefixlen
        for length, blocks in self._by_length[found.version].items():
            value = blocks.get(number >> (width - length))
            if value is not None:
                return None if value is EXCLUDED else value
        return None


def _octets(text: str) -> list[int] | None:
    """The bytes of an IPv4 address or of its beginning: `10.1`, `10.1.`, `10.1.*`; None when it is none."""
    if not SHORT_V4.fullmatch(text):
        return None
    found = [int(part) for part in text.split(".") if part not in ("", "*")]
    return found if all(octet < 256 for octet in found) else None


def _range(first: str, last: str) -> list[str] | None:
    """The blocks from one IPv4 address to another; either may be a beginning, one byte is the last of `first`."""
    start, end = _octets(first), _octets(last)
    if start is None or end is None:
        return None
    if len(end) == 1:
        end = [*start[:-1], *end]
    low = IPv4Address(bytes(start + [0] * (4 - len(start))))
    high = IPv4Address(bytes(end + [255] * (4 - len(end))))
    if high < low:
        return None
    return [str(block) for block in summarize_address_range(low, high)]


def _blocks(text: str) -> list[str] | None:
    """The blocks that one rbldnsd network stands for; None when it is none."""
    if "-" in text:
        return _range(*text.split("-", 1))
    base, slash, bits = text.partition("/")
    octets = None if ":" in base else _octets(base)
    if octets is not None and (len(octets) < 4 or "*" in base):
        text = f"{'.'.join(map(str, octets + [0] * (4 - len(octets))))}/{bits if slash else 8 * len(octets)}"
    return [text] if network(text) is not None else None


def parse_rbldnsd(text: str, txt: bool) -> tuple[list[tuple[str, Any]], list[str]]:
    """Blocks with their values, and the lines that were not understood.

    txt: the value is the text part of `:A:text` (or all of a plain value); otherwise the A part. Text without a colon
    before it is text only, so its A part is that of the default. `!` takes a network out (EXCLUDED). `#` and `;` start
    comments; a line `:A:text` sets the value for lines without one; `$` lines are skipped.
    """
    entries: list[tuple[str, Any]] = []
    rejected: list[str] = []
    default = DEFAULT_VALUE
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line[0] in "#;$":
            continue
        if line[0] == ":":
            default = line
            continue
        match = V6_LINE.match(line)
        if match is None or network(match["block"]) is None:
            match = V4_LINE.match(line)
        blocks = None if match is None else _blocks(match["block"].lstrip("!"))
        if match is None or not blocks:
            rejected.append(raw)
            continue
        value: Any = EXCLUDED
        if not match["block"].startswith("!"):
            parts = match.groupdict()
            value = _chosen(parts.get("value"), parts.get("rest") or "", default, txt)
        entries += [(block, value) for block in blocks]
    return entries, rejected


def _chosen(given: str | None, rest: str, default: str, txt: bool) -> str:
    """The value of a line: what follows its colon, or text alone, or the default."""
    if given is not None:
        return _value(given.strip(), txt)
    if txt and rest and rest[0] not in "#;":
        return rest
    return _value(default.lstrip(":"), txt)


def _value(text: str, txt: bool) -> str:
    """The A part or the text part of `A:text`; a plain value is both."""
    head, found, rest = text.lstrip(":").partition(":")
    if not found:
        return text.lstrip(":")
    return rest if txt else head
