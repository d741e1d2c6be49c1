"""What the rules know of `msys`: the catalogue, and `known.tsv` for what is documented beside it.

Names only. Arity, phases and results are those of the catalogue's rows.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files

from msys.catalog import Row, by_name, callouts

# The words of the catalogue for receivers, by the class that results and arguments name.
RECEIVERS = {
    "msg": "msg",
    "accept": "ac",
    "vctx": "vctx",
    "sess": "sess",
    "Message": "msg",
    "Part": "msgpart",
    "Client": "client",
}


@cache
def _listed(kind: str) -> frozenset[str]:
    text = files(__package__).joinpath("known.tsv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    return frozenset(row["name"] for row in rows if row["kind"] == kind)


@cache
def functions() -> frozenset[str]:
    """Every plain function by its full name."""
    rows = frozenset(name for name, forms in by_name().items() if not forms[0].receiver)
    return rows | _listed("function")


@cache
def constants() -> frozenset[str]:
    return _listed("constant")


@cache
def bare_constants() -> dict[str, str]:
    """Constants by their last word: `VCTX_MESS` to `msys.core.VCTX_MESS`."""
    return {name.rpartition(".")[2]: name for name in sorted(constants(), reverse=True)}


@cache
def methods() -> dict[str, frozenset[str]]:
    """The methods of each receiver."""
    found: dict[str, set[str]] = {}
    names = [name for name, forms in by_name().items() if forms[0].is_method]
    for name in [*names, *_listed("method")]:
        receiver, _, method = name.partition(":")
        found.setdefault(receiver, set()).add(method)
    return {receiver: frozenset(names) for receiver, names in found.items()}


@cache
def packages() -> frozenset[str]:
    """Every package, and every prefix of one."""
    found = set(_listed("package"))
    for name in functions() | constants():
        parts = name.split(".")[:-1]
        found.update(".".join(parts[:count]) for count in range(1, len(parts) + 1))
    return frozenset(found)


@cache
def roots() -> frozenset[str]:
    """The globals under which packages lie."""
    return frozenset(name.partition(".")[0] for name in packages())


@cache
def members(package: str) -> frozenset[str]:
    """The names directly in a package."""
    prefix = package + "."
    return frozenset(
        name[len(prefix) :].partition(".")[0]
        for name in functions() | constants() | packages()
        if name.startswith(prefix)
    )


@cache
def hooks() -> frozenset[str]:
    """Every callout and hook that a module may register."""
    return frozenset(callouts()) | _listed("hook")


def rows(name: str) -> tuple[Row, ...]:
    """The catalogue's rows of a name; none for what is only known by name."""
    return by_name().get(name, ())
