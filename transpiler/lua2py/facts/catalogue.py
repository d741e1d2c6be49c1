"""The catalogue as the compiler asks it: packages, functions, methods by class, parameters of callouts.

Reads the rows and nothing else; knows no function itself.
"""

from __future__ import annotations

import re
from functools import cache

from lua2py.facts.kinds import ANY, BOOLEAN, NUMBER, TABLE, Kind, of_words, userdata
from msys.catalog import Row, by_name, callouts, rows

# The receiver words of the rows, and the class of `msys` that each stands for.
CLASSES = {
    "msg": "Message",
    "msgpart": "Part",
    "vctx": "ValidationContext",
    "ac": "Accept",
    "client": "Client",
}

# What a callout's argument is, by its name in callouts.tsv; any other is a value of unknown kind.
ARGUMENTS: dict[str, Kind] = {
    "msg": userdata("Message"),
    "accept": userdata("Accept"),
    "vctx": userdata("ValidationContext"),
    "str": userdata("EcString"),
    "mc": userdata("MessageConstruct"),
    "cc": userdata("CommandConstruct"),
    "part": userdata("Part"),
    "now": NUMBER,
}

# Packages that Lua reaches as globals of their own.
ROOTS = frozenset({"msys", "json", "thread"})

_CONSTANT = re.compile(r"[A-Z][A-Z0-9_]*\Z")


@cache
def functions() -> dict[str, tuple[Row, ...]]:
    """The rows of plain functions, by full name."""
    return {name: found for name, found in by_name().items() if not found[0].receiver}


@cache
def methods() -> dict[tuple[str, str], tuple[Row, ...]]:
    """The rows of methods, by class and name."""
    return {
        (CLASSES[found[0].receiver], name.partition(":")[2]): found
        for name, found in by_name().items()
        if found[0].is_method and found[0].receiver in CLASSES
    }


@cache
def properties() -> dict[tuple[str, str], Kind]:
    """The kinds of documented fields, by class and name."""
    found = {}
    for row in rows():
        if row.is_property:
            kinds = results_of((row,))
            found[CLASSES[row.receiver], row.name.partition(".")[2]] = kinds[0] if kinds else ANY
    return found


@cache
def packages() -> frozenset[str]:
    """Every name that has documented names below it: `msys`, `msys.core`, `json`."""
    found = set(ROOTS)
    for name in functions():
        parts = name.split(".")
        found |= {".".join(parts[:length]) for length in range(1, len(parts))}
    return frozenset(found)


@cache
def loadable() -> frozenset[str]:
    """Every package that `require` finds because the runtime provides it."""
    return packages() | {row.package for row in rows()}


def is_constant(path: str) -> bool:
    """Whether a dotted name is a constant of a package, by its spelling: `msys.core.VALIDATE_CONT`."""
    package, _, name = path.rpartition(".")
    return package in packages() and package != "msys" and bool(_CONSTANT.match(name))


def results_of(found: tuple[Row, ...]) -> tuple[Kind, ...] | None:
    """What a call gives, over all documented forms of the name; None when the number differs or is open."""
    tables = [row.results for row in found]
    if any(results is None for results in tables):
        return None
    known = [tuple(of_words(r.kinds, r.optional) for r in results) for results in tables if results is not None]
    if len({len(kinds) for kinds in known}) != 1:
        return None
    joined = known[0]
    for kinds in known[1:]:
        joined = tuple(one | other for one, other in zip(joined, kinds, strict=True))
    return joined


@cache
def callout_arguments(name: str) -> tuple[Kind, ...]:
    """The kinds of a callout's arguments after self."""
    return tuple(ARGUMENTS.get(argument, ANY) for argument in callouts()[name].arguments)


SELF = TABLE
VERDICT = NUMBER | BOOLEAN
