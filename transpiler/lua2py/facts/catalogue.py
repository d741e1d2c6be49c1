"""The catalogue as the compiler asks it: packages, functions, methods by class, parameters of callouts.

Reads the rows and nothing else; knows no function itself.
"""

from __future__ import annotations

import re
from functools import cache

from lua2py.facts.kinds import (
    ANY,
    BOOLEAN,
    NIL,
    NUMBER,
    PLACE,
    SMALL,
    STRING,
    TABLE,
    Kind,
    Site,
    of_words,
    userdata,
)
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

# Lists that are made for each call.
STRINGS = Kind(TABLE.bits, sites=frozenset((Site(keys=PLACE, values=STRING, ordered=True),)))

# What one documented form of a method gives, where one row stands for several: by number of arguments.
FORMS: dict[tuple[str, str], dict[int, tuple[Kind, ...]]] = {
    ("Message", "header"): {1: (STRINGS,), 2: (BOOLEAN,), 3: (BOOLEAN,)},
}
FUNCTION_FORMS: dict[str, dict[int, tuple[Kind, ...]]] = {
    # Only with options can the elements be pairs of preference and name.
    "msys.dnsLookup": {1: (STRINGS | NIL, STRING | NIL), 2: (STRINGS | NIL, STRING | NIL)},
}

# C functions that scripts call though they have no row of their own, and what they give.
BEYOND: dict[str, tuple[Kind, ...]] = {
    "msys.core.accept_construct_get_message_construct": (userdata("MessageConstruct") | NIL,),
    "msys.core.ec_message_new": (userdata("Message"),),
    "msys.core.ec_sockaddr_family": (NUMBER,),
    "msys.core.protocol_string": (STRING,),
    "msys.core.stringwrite": (NUMBER,),
    "msys.core.config_get_binding_id_from_name": (NUMBER,),
    "msys.core.config_get_binding_name_from_id": (STRING | NIL,),
    "msys.core.config_get_binding_group_size": (NUMBER,),
}

# Fields of documented classes that have no row of their own.
FIELDS: dict[tuple[str, str], Kind] = {
    ("Accept", "conn_id"): userdata("Id"),
    ("Accept", "protocol"): SMALL,
    ("Accept", "remote_addr"): userdata("SocketAddress"),
    ("Message", "delivered"): SMALL,
    ("Message", "priority"): SMALL,
    ("Message", "recv_method"): SMALL,
    ("MessageConstruct", "ctx"): userdata("ValidationContext"),
    ("MessageConstruct", "message"): userdata("Message"),
    ("ValidationContext", "code"): SMALL,
}

# Fields that scripts may write.
WRITABLE = frozenset(
    {
        ("Message", "delivered"),
        ("Message", "priority"),
        ("ValidationContext", "code"),
        ("ValidationContext", "disconnect"),
    }
)

# Packages that Lua reaches as globals of their own.
ROOTS = frozenset({"msys", "json", "thread"})

# Packages without functions of their own that pages ask to be loaded beside another.
COMPANIONS = frozenset({"msys.datasource", "msys.extended", "msys.boot"})

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
    found = dict(FIELDS)
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
    return packages() | {row.package for row in rows()} | COMPANIONS


def is_constant(path: str) -> bool:
    """Whether a dotted name is a constant of a package, by its spelling: `msys.core.VALIDATE_CONT`."""
    package, _, name = path.rpartition(".")
    return package in packages() and package != "msys" and bool(_CONSTANT.match(name))


def is_function(name: str) -> bool:
    """Whether a dotted name is a function that Python reaches under the same name."""
    return name in functions() or name in BEYOND


def function_results(name: str, given: int | None) -> tuple[Kind, ...] | None:
    """What a call of a plain function gives; `given` is the number of arguments, where it is known."""
    if name in BEYOND:
        return BEYOND[name]
    forms = FUNCTION_FORMS.get(name, {})
    return forms[given] if given in forms else results_of(fitting(functions()[name], given))


def method_results(kind: str, name: str, given: int | None) -> tuple[Kind, ...] | None:
    """What a call of a method gives."""
    forms = FORMS.get((kind, name), {})
    if given in forms:
        return forms[given]
    return results_of(fitting(methods()[kind, name], given))


def most_arguments(found: tuple[Row, ...]) -> int | None:
    """How many arguments any documented form takes; None when there is no limit."""
    limits = [row.most for row in found]
    return None if None in limits else max(limit for limit in limits if limit is not None)


def fitting(found: tuple[Row, ...], given: int | None) -> tuple[Row, ...]:
    """The documented forms that take this many arguments."""
    if given is None or len(found) == 1:
        return found
    fits = tuple(
        row for row in found if row.required <= given and (row.most is None or given <= row.most)
    )
    return fits or found


def results_of(found: tuple[Row, ...]) -> tuple[Kind, ...] | None:
    """What a call gives, over all documented forms of the name; None when the number differs or is open."""
    tables = [row.results for row in found]
    if any(results is None for results in tables):
        return None
    known = [
        tuple(of_words(r.kinds, r.optional) for r in results)
        for results in tables
        if results is not None
    ]
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


SELF = TABLE  # what a callout gets as `self`
