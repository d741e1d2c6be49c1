"""Lua policy in, typed Python out: the whole public surface of the compiler.

`analyse` says what a file shares with others, `translate` makes the module, `load_module` the code that runs. A
module that returns a value, or uses `...` at its top, leaves what it returned in `RESULT`; whoever runs it puts the
arguments of the chunk into its namespace as `ARGS`, a tuple, before.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import CodeType
from typing import Any

from lua2py.depth import deep_recursion
from lua2py.facts.store import Siblings
from lua2py.pipeline import (
    ALL_SHARED,
    Analysis,
    Translation,
    analyse,
    compile_for_debug,
    compile_module,
    explain,
    siblings_of,
    translate,
)
from lua2py.source import SourceFile
from lua2py.version import fingerprint

VERSION = fingerprint()

__all__ = [
    "ALL_SHARED",
    "VERSION",
    "Analysis",
    "Siblings",
    "SourceFile",
    "Translation",
    "analyse",
    "compile_for_debug",
    "compile_module",
    "explain",
    "load_module",
    "siblings_of",
    "translate",
]


def load_module(
    given: Translation | str,
    *,
    filename: str,
    view: str = "py",
    map: Mapping[str, Any] | None = None,
) -> tuple[CodeType, Mapping[str, Any]]:
    """The code of a module and the line map to register under `filename`.

    view: `py`, as the generated text reads, or `lua`, the same code at Lua's lines. given: a translation, or the
    text of one with its `map`, which can be had only as `py`.
    """
    if isinstance(given, Translation):
        return (
            compile_for_debug(given, filename) if view == "lua" else compile_module(given, filename)
        )
    if view == "lua":
        raise ValueError(f"{filename}: the Lua view needs the Lua source; translate it again")
    with deep_recursion():
        return compile(given, filename, "exec", dont_inherit=True), map or {}
