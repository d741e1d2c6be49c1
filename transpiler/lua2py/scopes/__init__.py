"""Binds the names of a chunk: which declaration each means, and what is known of each declaration."""

from __future__ import annotations

from lua2py import tree
from lua2py.depth import deep_recursion
from lua2py.scopes.binder import Binder
from lua2py.scopes.symbols import ARG, GLOBAL, LOCAL, LOOP, PARAM, Owner, Scopes, Symbol

__all__ = ["ARG", "GLOBAL", "LOCAL", "LOOP", "PARAM", "Owner", "Scopes", "Symbol", "resolve"]


def resolve(chunk: tree.Chunk) -> Scopes:
    """Bind every name of a chunk."""
    with deep_recursion():
        return Binder(chunk).run()
