"""What moonpost has behind a documented name: a function, nothing, or no such name at all.

Asks the catalogue and the tables that policy sees at run time; calls nothing of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import msys
from lua2py.check import known
from msys import namespace
from msys.catalog import by_name
from msys.catalog.binding import BASIS, BOUND
from msys.lua import Table, open_libs
from msys.lua.environment import Environment
from msys.missing import Missing

PROVIDED, MISSING, UNKNOWN = "provided", "missing", "unknown"
DOCUMENTED = "documented"
BESIDE = "documented beside the list of functions"
ABSENT_ROW = "documented, and not part of moonpost"
NOWHERE = "not documented anywhere"

# The words of the catalogue for receivers, and our class of each.
CLASSES: dict[str, Callable[[], Any]] = {
    "msg": lambda: msys.Message,
    "msgpart": lambda: msys.Part,
    "vctx": lambda: msys.ValidationContext,
    "ac": lambda: msys.Accept,
    "client": lambda: msys.Client,
}


@dataclass(frozen=True, slots=True)
class Offer:
    """state: provided, missing or unknown. basis: what that rests on, in words."""

    state: str
    basis: str
    assumed: bool = False


@cache
def offer(name: str) -> Offer:
    """What there is behind `msys.pcre.match`, `msg:header` or `msg.id`."""
    if name in by_name():
        if name not in bound():
            return Offer(MISSING, ABSENT_ROW)
        if name in BASIS:
            return Offer(PROVIDED, f"assumed: {BASIS[name]}", assumed=True)
        return Offer(PROVIDED, DOCUMENTED)
    receiver, is_method, method = name.partition(":")
    if is_method:
        there = hasattr(CLASSES.get(receiver, object)(), method)
        documented = method in known.methods().get(receiver, ())
    else:
        there = _reached(name)
        documented = name in known.functions()
    if there:
        return Offer(PROVIDED, BESIDE if documented else NOWHERE)
    return Offer(MISSING, ABSENT_ROW) if documented else Offer(UNKNOWN, NOWHERE)


def bound() -> frozenset[str]:
    """The names of the catalogue that have a function."""
    namespace.load_all()
    return frozenset(BOUND)


def is_library(name: str) -> bool:
    """Whether `require(name)` needs no file."""
    return _environment().loaded[name] is not None


def _reached(path: str) -> bool:
    """Whether policy finds something to call at a dotted name."""
    here: Any = _environment().globals
    for part in path.split("."):
        here = here[part] if isinstance(here, Table) else None
    return callable(here) and not isinstance(here, Missing)


@cache
def _environment() -> Environment:
    environment = Environment()
    open_libs(environment)
    namespace.install(environment)
    return environment
