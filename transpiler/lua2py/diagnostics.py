"""Everything the compiler can say about a script, from one table.

`diagnostics.toml` has one entry for each code: severity, wording, help, and the long explanation that
`moonpost explain` prints. A `Diagnostic` is a code at a place with the words to fill in. Lists of them are
rendered by `report`. L1xx syntax, L2xx language, L3xx msys, L4xx structure of policy, C5xx configuration.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from lua2py.source import SourceFile, printable
from lua2py.tree import Comment, Span

ERROR, WARNING, NOTE = "error", "warning", "note"
SEVERITIES = (ERROR, WARNING, NOTE)

ALLOW = re.compile(r"\s*moonpost:\s*allow\s+(?P<codes>[A-Z][0-9]{3}(?:[\s,]+[A-Z][0-9]{3})*)")


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the table. `says` and `help` are format strings over a diagnostic's args."""

    code: str
    title: str
    severity: str
    says: str
    help: str
    explain: str


@dataclass(frozen=True)
class Diagnostic:
    """A finding: its code, where, and the words its entry leaves open.

    args may hold `help`, which then stands for the help of the table.
    """

    code: str
    span: Span
    path: str
    args: Mapping[str, Any] = field(default_factory=dict)

    @property
    def entry(self) -> Entry:
        return table()[self.code]

    @property
    def severity(self) -> str:
        return self.entry.severity

    @property
    def message(self) -> str:
        return self.entry.says.format_map(self.args)

    @property
    def help(self) -> str:
        return str(self.args.get("help") or self.entry.help.format_map(self.args))

    def render(self, source: SourceFile) -> str:
        """For people: where and what, the line with carets under the place, what to do."""
        line, carets = source.excerpt(self.span)
        number = str(self.span.line)
        where = f"{self.path}:{number}:{self.span.column}: {self.code} "
        lines = [
            where + printable(self.message),
            f"   {number} | {line}".rstrip(),
            f"   {' ' * len(number)} | {carets}",
        ]
        if self.help:
            lines.append(f"   help: {printable(self.help)}")
        return "\n".join(lines)


@cache
def table() -> dict[str, Entry]:
    """Every entry by code, in the order of the codes."""
    text = files(__package__).joinpath("diagnostics.toml").read_text(encoding="utf-8")
    entries = {}
    for code, row in sorted(tomllib.loads(text).items()):
        if row["severity"] not in SEVERITIES:
            raise ValueError(f"diagnostics.toml: {code}: severity {row['severity']!r}")
        explain = row["explain"].strip()
        entries[code] = Entry(
            code, row["title"], row["severity"], row["says"], row.get("help", ""), explain
        )
    return entries


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """As a reader meets them: by file, place, code."""
    return sorted(diagnostics, key=lambda one: (one.path, one.span.start, one.code))


def without_allowed(
    diagnostics: Iterable[Diagnostic], comments: Iterable[Comment]
) -> list[Diagnostic]:
    """Drop what a `-- moonpost: allow CODE` comment on its line, or on the line before, permits."""
    allowed: dict[int, set[str]] = {}
    for comment in comments:
        match = ALLOW.match(comment.text)
        if match:
            codes = set(re.split(r"[\s,]+", match["codes"]))
            last = comment.span.end_line if comment.trailing else comment.span.end_line + 1
            for line in range(comment.span.line, last + 1):
                allowed.setdefault(line, set()).update(codes)
    return [one for one in diagnostics if one.code not in allowed.get(one.span.line, ())]
