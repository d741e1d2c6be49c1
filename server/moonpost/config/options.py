"""The table of options, read from options.tsv: names, types, defaults, scopes, what moonpost does.

The one place that says which options exist. Values in a configuration are checked elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from moonpost.config.scopes import GROUPS, SCOPES
from moonpost.config.values import TYPES, default_value

YES, HARMLESS, CONSEQUENTIAL, OWN = "yes", "harmless", "consequential", "own"
SUPPORT: Final = (YES, HARMLESS, CONSEQUENTIAL, OWN)
COLUMNS: Final = ("name", "type", "default", "scopes", "dynamic", "support", "meaning")


@dataclass(frozen=True, slots=True)
class OptionRow:
    """One option. `scopes` are lower-case scope names; `section` is the heading it stands under."""

    name: str
    type: str
    default_text: str
    default: Any
    scopes: frozenset[str]
    scopes_text: str
    dynamic: bool
    support: str
    meaning: str
    section: str

    @property
    def key(self) -> str:
        return self.name.lower()


def read_table(lines: Iterable[str], where: str) -> list[OptionRow]:
    """Rows of the table; ValueError names the line that is wrong."""
    rows: list[OptionRow] = []
    section = ""
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        line = line.rstrip("\n")
        if number == 1:
            if tuple(line.split("\t")) != COLUMNS:
                raise ValueError(f"{where}:1: columns are {COLUMNS}")
            continue
        if line.startswith("# "):
            section = line[2:]
            continue
        try:
            row = _row(line.split("\t"), section)
        except (ValueError, KeyError) as error:
            raise ValueError(f"{where}:{number}: {error}") from None
        if row.key in seen:
            raise ValueError(f"{where}:{number}: {row.name} also stands in line {seen[row.key]}")
        seen[row.key] = number
        rows.append(row)
    return rows


def _row(cells: list[str], section: str) -> OptionRow:
    name, type_cell, default, scopes, dynamic, support, meaning = cells
    names = type_cell.split("|")
    if len(names) == 1 and names[0] not in TYPES:
        raise ValueError(f"no type {type_cell!r}")
    if support not in SUPPORT or dynamic not in ("yes", "no") or not meaning:
        raise ValueError(f"support is one of {SUPPORT}, dynamic yes or no, meaning not empty")
    expanded = [inner for word in scopes.split() for inner in GROUPS.get(word, (word,))]
    unknown = [word for word in expanded if word not in SCOPES]
    if unknown or not expanded:
        raise ValueError(f"no scope {' '.join(unknown)!r}")
    return OptionRow(
        name=name,
        type=type_cell,
        default_text=default,
        default=default_value(type_cell, default),
        scopes=frozenset(expanded),
        scopes_text=scopes,
        dynamic=dynamic == "yes",
        support=support,
        meaning=meaning,
        section=section,
    )


@cache
def options() -> Mapping[str, OptionRow]:
    """Every option by its lower-case name, in table order."""
    text = files("moonpost.config").joinpath("options.tsv").read_text(encoding="utf-8")
    return {row.key: row for row in read_table(text.splitlines(), "options.tsv")}


def options_of(scope: str) -> list[OptionRow]:
    """The options that may stand in a scope, by its lower-case name."""
    return [row for row in options().values() if scope in row.scopes]
