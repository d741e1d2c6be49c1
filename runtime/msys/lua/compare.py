"""Comparison and truth of values whose kinds are not known."""

from __future__ import annotations

from typing import Any

from msys.lua.metatables import equal_tables, less_or_equal, ordered
from msys.lua.tables import Table
from msys.lua.userdata import Userdata


def truthy(value: Any) -> bool:
    """Everything but nil and false."""
    return value is not None and value is not False


def raw_equal(left: Any, right: Any) -> bool:
    """`rawequal`: no metamethods, and `1` is not `true`."""
    if left is right:
        return left == left or left.__class__ is not float  # nan is not itself
    first, second = left.__class__, right.__class__
    if first is bool or second is bool:
        return False
    if first is str or first is int or first is float:
        return left == right  # type: ignore[no-any-return]
    return first is second and not isinstance(left, Table | Userdata) and bool(left == right)


def eq(left: Any, right: Any) -> bool:
    """`left == right`."""
    if left is right:
        return left == left or left.__class__ is not float
    first, second = left.__class__, right.__class__
    if first is str or first is int or first is float:
        return second is not bool and left == right
    if first is bool or second is bool or left is None or right is None:
        return False
    if isinstance(left, Table | Userdata):
        return equal_tables(left, right)
    return bool(left == right)  # bound methods are made anew each time


def lt(left: Any, right: Any) -> bool:
    """`left < right`."""
    first, second = left.__class__, right.__class__
    if first is str:
        if second is str:
            return left < right  # type: ignore[no-any-return]
    elif (first is int or first is float) and (second is int or second is float):
        return left < right  # type: ignore[no-any-return]
    return ordered("__lt", left, right)


def le(left: Any, right: Any) -> bool:
    """`left <= right`."""
    first, second = left.__class__, right.__class__
    if first is str:
        if second is str:
            return left <= right  # type: ignore[no-any-return]
    elif (first is int or first is float) and (second is int or second is float):
        return left <= right  # type: ignore[no-any-return]
    return less_or_equal(left, right)


def gt(left: Any, right: Any) -> bool:
    """`left > right`, which Lua asks the other way round."""
    return lt(right, left)


def ge(left: Any, right: Any) -> bool:
    """`left >= right`, which Lua asks the other way round."""
    return le(right, left)
