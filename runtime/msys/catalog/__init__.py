"""The catalogue: one row for each documented Lua function, one for each callout.

The compiler reads it for spelling, arity, phases and result kinds; the runtime binds every function to its
row; reference pages, editor definitions and the coverage page are made from it. Facts that stand here stand
nowhere else. This module knows nothing of the functions themselves.

`results` notation: `-` no result; otherwise result kinds separated by commas, always that many results
(missing ones are nil); `?` may be nil; `a|b` either; `...` any number. A kind is `string`, `number`,
`boolean`, `table`, `table<string>` (all its values are strings), `function`, `any`, or the name of a
userdata class of `msys`.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

PHASE_ANY = "any"


@dataclass(frozen=True, slots=True)
class Result:
    """One result of a function: its kinds, and whether it may be nil."""

    kinds: tuple[str, ...]
    optional: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One documented form of a function: `msys.pcre.match`, `msg:header`, `msg.id`."""

    name: str
    params: tuple[str, ...]
    results: tuple[Result, ...] | None  # None: any number
    package: str
    since: str
    phases: frozenset[str]
    category: str
    deprecated: bool
    doc: str
    description: str

    @property
    def key(self) -> str:
        """What distinguishes this row from the other forms of the same name."""
        return f"{self.name}({', '.join(self.params)})"

    @property
    def is_method(self) -> bool:
        return ":" in self.name

    @property
    def is_property(self) -> bool:
        return self.name.startswith("msg.")

    @property
    def receiver(self) -> str:
        """`msg`, `msgpart`, `vctx`, `ac`, `sess`, `client`, or empty for a plain function."""
        for mark in ":", ".":
            head, found, _ = self.name.partition(mark)
            if found and (mark == ":" or head == "msg"):
                return head
        return ""

    @property
    def required(self) -> int:
        """How many arguments must be given."""
        return sum(1 for p in self.params if not p.startswith("[") and p != "...")

    @property
    def most(self) -> int | None:
        """How many arguments may be given; None when there is no limit."""
        return None if any(p in ("...", "[...]") for p in self.params) else len(self.params)


@dataclass(frozen=True, slots=True)
class Callout:
    """One callout or hook that a module may register."""

    name: str
    arguments: tuple[str, ...]  # after self
    answers: str  # verdict, hook, number, true, none, ignored, any
    phase: str
    when: str
    suspends: bool


def _table(name: str) -> list[dict[str, str]]:
    text = files(__package__).joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip() not in ("", "-"))


def _results(text: str) -> tuple[Result, ...] | None:
    if text == "...":
        return None
    return tuple(
        Result(tuple(w.removesuffix("?").split("|")), w.endswith("?")) for w in _words(text)
    )


@cache
def rows() -> tuple[Row, ...]:
    """Every row, in the order of the table."""
    return tuple(
        Row(
            name=row["name"],
            params=_words(row["params"]),
            results=_results(row["results"]),
            package=row["package"],
            since=row["since"],
            phases=frozenset(_words(row["phases"])),
            category=row["category"],
            deprecated=bool(row["deprecated"]),
            doc=row["doc"],
            description=row["description"],
        )
        for row in _table("functions.tsv")
    )


@cache
def by_name() -> dict[str, tuple[Row, ...]]:
    """The rows of each name; a name with several forms has several."""
    found: dict[str, tuple[Row, ...]] = {}
    for row in rows():
        found[row.name] = (*found.get(row.name, ()), row)
    return found


@cache
def callouts() -> dict[str, Callout]:
    """Every callout and hook by name."""
    return {
        row["name"]: Callout(
            name=row["name"],
            arguments=_words(row["arguments"]),
            answers=row["answers"],
            phase=row["phase"],
            when=row["when"],
            suspends=row["suspends"] == "yes",
        )
        for row in _table("callouts.tsv")
    }
