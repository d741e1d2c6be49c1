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
SHORT_V4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){0,2}(?:\.\*)*\.?")
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
                return value
        return None


def _range(first: str, last: str) -> list[str] | None:
    """The blocks from one IPv4 address to another; a short end (`10.0.0.1-9`) is the last byte."""
    start = address(first)
    end = address(last if "." in last else f"{first.rpartition('.')[0]}.{last}")
    if not isinstance(start, IPv4Address) or not isinstance(end, IPv4Address) or end < start:
        return None
    return [str(block) for block in summarize_address_range(start, end)]


def _blocks(text: str) -> list[str] | None:
    """The blocks that one rbldnsd network stands for; None when it is none."""
    if "-" in text:
        return _range(*text.split("-", 1)) if text.count("-") == 1 else None
    base, slash, bits = text.partition("/")
    if (":" not in base and SHORT_V4.fullmatch(base) and base.count(".") < 3) or "*" in base:
        octets = [part for part in base.split(".") if part not in ("", "*")]
        if not octets or len(octets) > 4:
            return None
        base = ".".join(octets + ["0"] * (4 - len(octets)))
        text = f"{base}/{bits if slash else 8 * len(octets)}"
    return [text] if network(text) is not None else None


def parse_rbldnsd(text: str, txt: bool) -> tuple[list[tuple[str, str]], list[str]]:
    """Blocks with their values, and the lines that were not understood.

    txt: the value is the text part of `:A:text` (or all of a plain value); otherwise the A part.
    `#` and `;` start comments; a line `:A:text` sets the value for lines without one; `$` lines are skipped.
    """
    entries: list[tuple[str, str]] = []
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
        blocks = None if match is None else _blocks(match["block"])
        if match is None or not blocks:
            rejected.append(raw)
            continue
        parts = match.groupdict()
        given = parts.get("value") if parts.get("value") is not None else parts.get("rest")
        value = _value(default.lstrip(":") if given is None else given.strip(), txt)
        entries += [(block, value) for block in blocks]
    return entries, rejected


def _value(text: str, txt: bool) -> str:
    """The A part or the text part of `A:text`; a plain value is both."""
    head, found, rest = text.lstrip(":").partition(":")
    if not found:
        return text.lstrip(":")
    return rest if txt else head
