"""Metatables: tables that have one are switched to a class made for it, so that plain reads stay plain.

A miss calls `__missing__`, which for an `__index` table is that table's own C method. A metatable used once serves its
table through the general classes below; used twice, it gets a class of its own. A table that serves as metatable is
*watched*: a later change of its `__index` or `__newindex` refreshes what it gave out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msys.lua.environment import environment, present_environment
from msys.lua.errors import OperandError, compare_error
from msys.lua.tables import Table, lua_key, sweep
from msys.lua.userdata import Userdata

_WATCHED_EVENTS = ("__index", "__newindex")
_raw_get = dict.get
_raw_store = dict.__setitem__
_raw_pop = dict.pop


def metamethod(value: Any, event: str) -> Any:
    """The handler of `event` for any value, or None."""
    cls = value.__class__
    if cls is Table:
        return None
    if isinstance(value, Table):
        mt = getattr(value, "mt", None)
        return None if mt is None else _raw_get(mt, event)
    if cls is str:
        return _raw_get(environment().string_metatable, event)
    if isinstance(value, Userdata):
        shared = metatable_of_class(cls)
        handler = None if shared is None else _raw_get(shared, event)
        return handler if handler is not None else value.metamethods.get(event)
    return None


def metatable_of_class(cls: type) -> Table | None:
    """The metatable that scripts share for a class of userdata, if any asked for it."""
    env = present_environment()
    return env.class_metatables.get(cls) if env is not None else None


def one(result: Any) -> Any:
    """A result cut to one value."""
    if result.__class__ is tuple:
        return result[0] if result else None
    return result


# --- what tables with a metatable do --------------------------------------------------------------------------


def read_through(handler: Any, table: Any, key: Any) -> Any:
    """The value of a missing key by an `__index` handler."""
    if handler is None:
        return None
    if isinstance(handler, Table):
        return handler[key]
    if callable(handler) and not isinstance(handler, Userdata):
        return one(handler(table, lua_key(key)))
    from msys.lua.access import index

    return index(handler, lua_key(key))


def store_through(table: Table, key: Any, value: Any) -> None:
    """`table[key] = value` where the metatable has a `__newindex`; key as stored."""
    handler = _raw_get(table.mt, "__newindex")
    if handler is None or _raw_get(table, key) is not None:
        if value is None:
            _raw_pop(table, key, None)
        else:
            _raw_store(table, key, value)
    elif isinstance(handler, Table):
        if value is None and handler.__class__ is Table:
            _raw_pop(handler, key, None)
        else:
            handler[key] = value
    elif callable(handler) and not isinstance(handler, Userdata):
        handler(table, lua_key(key), value)
    else:
        from msys.lua.access import setindex

        setindex(handler, lua_key(key), value)


class Metatabled(Table):
    """A table whose metatable is looked at when it is needed."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __missing__(self, key: Any) -> Any:
        return read_through(_raw_get(self.mt, "__index"), self, key)

    def __eq__(self, other: object) -> bool:
        return self is other or equal_tables(self, other)

    def __ne__(self, other: object) -> bool:
        return self is not other and not equal_tables(self, other)

    def __lt__(self, other: Any) -> bool:
        return ordered("__lt", self, other)

    def __le__(self, other: Any) -> bool:
        return less_or_equal(self, other)

    def __gt__(self, other: Any) -> bool:
        return ordered("__lt", other, self)

    def __ge__(self, other: Any) -> bool:
        return less_or_equal(other, self)

    def __call__(self, *args: Any) -> Any:
        handler = _raw_get(self.mt, "__call")
        if handler is None:
            raise OperandError("call", self)
        return handler(self, *args)


def equal_tables(left: Any, right: Any) -> bool:
    """`==` of two different objects, by a handler that both share."""
    if isinstance(left, Table) is not isinstance(right, Table):
        return False
    handler = metamethod(left, "__eq")
    if handler is None or metamethod(right, "__eq") is not handler:
        return False
    result = one(handler(left, right))
    return result is not None and result is not False


def ordered(event: str, left: Any, right: Any) -> bool:
    """`left < right` by a handler both share; Lua's error without one."""
    handler = metamethod(left, event)
    if handler is None or left.__class__ is str or metamethod(right, event) is not handler:
        raise compare_error(left, right)
    result = one(handler(left, right))
    return result is not None and result is not False


def less_or_equal(left: Any, right: Any) -> bool:
    """`left <= right` by `__le`, or as `not (right < left)`."""
    handler = metamethod(left, "__le")
    if handler is not None and metamethod(right, "__le") is handler:
        result = one(handler(left, right))
        return result is not None and result is not False
    handler = metamethod(left, "__lt")
    if handler is None or metamethod(right, "__lt") is not handler:
        raise compare_error(left, right)
    result = one(handler(right, left))
    return result is None or result is False


# --- writing: one function per kind of class -----------------------------------------------------------------


def _pop_through(self: Table, key: Any, default: Any = None) -> Any:
    store_through(self, key, None)


def _store_watched(self: Table, key: Any, value: Any) -> None:
    _raw_store(self, key, value)
    if key in _WATCHED_EVENTS:
        self.shape.refresh()


def _pop_watched(self: Table, key: Any, default: Any = None) -> Any:
    value = _raw_pop(self, key, default)
    if key in _WATCHED_EVENTS:
        self.shape.refresh()
    return value


def _store_watched_through(self: Table, key: Any, value: Any) -> None:
    store_through(self, key, value)
    if key in _WATCHED_EVENTS:
        self.shape.refresh()


def _pop_watched_through(self: Table, key: Any, default: Any = None) -> Any:
    store_through(self, key, None)
    if key in _WATCHED_EVENTS:
        self.shape.refresh()


# (is itself a metatable, its metatable has __newindex) -> how it is written
_WRITERS: dict[tuple[bool, bool], dict[str, Callable[..., Any]]] = {
    (False, False): {},
    (False, True): {"__setitem__": store_through, "pop": _pop_through},
    (True, False): {"__setitem__": _store_watched, "pop": _pop_watched},
    (True, True): {"__setitem__": _store_watched_through, "pop": _pop_watched_through},
}


def _class(base: type[Table], watched: bool, newindex: bool, **more: Any) -> type[Table]:
    return type("Table", (base,), {"__slots__": (), **_WRITERS[watched, newindex], **more})


_WATCHED_PLAIN = _class(Table, True, False)  # a metatable that has none itself
_GENERAL = {kind: _class(Metatabled, *kind) for kind in _WRITERS}


class Shape:
    """What a metatable gives to its tables: their class."""

    __slots__ = ("classes", "index", "mt", "newindex", "only", "quick")

    def __init__(self, mt: Table) -> None:
        self.mt = mt
        self.only: Table | None = None  # the one table that has it, while there is one
        self.classes: dict[bool, type[Table]] | None = None  # by watched; from the second table on
        self.quick: type[Table] | None = None  # the unwatched one of them
        self.index = _raw_get(mt, "__index")
        self.newindex = _raw_get(mt, "__newindex") is not None

    def class_for(self, table: Table) -> type[Table]:
        """The class that `table` takes when it gets this metatable."""
        watched = hasattr(table, "shape")
        if self.classes is None:
            if self.only is None or self.only is table:
                self.only = table
                return _GENERAL[watched, self.newindex]
            self.classes = {}
            first, self.only = self.only, None
            if getattr(first, "mt", None) is self.mt:
                first.__class__ = self.class_for(first)
        found = self.classes.get(watched)
        if found is None:
            found = _class(Metatabled, watched, self.newindex, __missing__=self.missing())
            self.classes[watched] = found
            if not watched:
                self.quick = found
        return found

    def missing(self) -> Any:
        """The quickest `__missing__` for the present `__index`."""
        if self.index is None:
            return Table.__missing__
        if isinstance(self.index, Table):
            return self.index.__getitem__
        handler = self.index
        if not callable(handler) or isinstance(handler, Userdata):
            return Metatabled.__missing__

        def missing(table: Table, key: Any) -> Any:
            result = handler(table, lua_key(key))
            if result.__class__ is tuple:
                return result[0] if result else None
            return result

        return missing

    def refresh(self) -> None:
        """The metatable's `__index` or `__newindex` changed."""
        self.index = _raw_get(self.mt, "__index")
        self.newindex = _raw_get(self.mt, "__newindex") is not None
        if self.only is not None and getattr(self.only, "mt", None) is self.mt:
            self.only.__class__ = self.class_for(self.only)
        for watched, cls in (self.classes or {}).items():
            cls.__missing__ = self.missing()
            for name in ("__setitem__", "pop"):
                if name in cls.__dict__:
                    delattr(cls, name)
            for name, function in _WRITERS[watched, self.newindex].items():
                setattr(cls, name, function)


def _adopt(mt: Table) -> Shape:
    """Make `mt` a metatable: from now on it is watched."""
    mt.shape = shape = Shape(mt)
    own = getattr(mt, "mt", None)
    mt.__class__ = _WATCHED_PLAIN if own is None else own.shape.class_for(mt)
    return shape


def set_metatable(table: Table, mt: Table | None) -> None:
    """Give `table` a metatable, or take it away."""
    if mt is None:
        if getattr(table, "mt", None) is not None:
            del table.mt
            table.__class__ = _WATCHED_PLAIN if hasattr(table, "shape") else Table
        return
    try:
        shape = mt.shape
    except AttributeError:
        shape = _adopt(mt)
    if len(table):
        sweep(table)
    table.mt = mt
    quick = shape.quick
    if quick is not None and table.__class__ is Table:
        table.__class__ = quick
    else:
        table.__class__ = shape.class_for(table)


def get_metatable(value: Any) -> Table | None:
    """The metatable of any value, without regard to `__metatable`."""
    if isinstance(value, Table):
        return getattr(value, "mt", None)
    if value.__class__ is str:
        return environment().string_metatable
    if isinstance(value, Userdata):
        return metatable_of_class(value.__class__)
    return None
