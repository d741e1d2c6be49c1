"""Userdata: the base of every object that policy sees and that is not a table.

A class says what Lua may touch: its public methods, the attributes in `lua_fields` (readable) and `lua_writable`
(readable and writable), and `metamethods`. Anything else of the Python object does not exist for Lua.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ClassVar

from msys.lua.absent import ABSENT
from msys.lua.errors import OperandError, RuntimeFault


class Userdata:
    """An object of the host. Subclasses are ordinary Python classes with Lua's method names."""

    __slots__ = ()

    lua_type: ClassVar[str] = "userdata"  # what msys.type answers
    lua_fields: ClassVar[frozenset[str]] = frozenset()
    lua_writable: ClassVar[frozenset[str]] = frozenset()
    lua_hidden: ClassVar[frozenset[str]] = frozenset()  # public Python methods that are not Lua's
    metamethods: ClassVar[Mapping[str, Callable[..., Any]]] = {}  # "__len", "__concat", "__call", …

    def __getitem__(self, key: Any) -> Any:
        """`object.key`: a declared field, a method as a plain function, else nil."""
        name = str(key) if key.__class__ is str else ""
        if name in self.lua_fields or name in self.lua_writable:
            return getattr(self, name)
        return _unbound(self.__class__, name)

    __iter__ = None  # else Python would walk it by number

    def __setitem__(self, key: Any, value: Any) -> None:
        if not self.lua_writable:
            raise OperandError("index", self)
        if key.__class__ is not str or key not in self.lua_writable:
            raise RuntimeFault(f"{self.lua_type}: field '{key}' can't be set")
        setattr(self, key, value)

    def as_string(self) -> str | None:
        """The Lua string this object stands for wherever a string is accepted; None for most."""
        return None

    def lua_tostring(self) -> str:
        """What `tostring` answers."""
        text = self.as_string()
        return f"userdata: 0x{id(self):08x}" if text is None else text


_Methods = dict[str, Any]
_methods: dict[type, _Methods] = {}
_unbound_methods: dict[tuple[type, str], Callable[..., Any]] = {}
_BASE = frozenset(dir(Userdata))


def lua_method(cls: type[Userdata], name: str) -> Any:
    """The function behind `object:name()`, or None."""
    found = _methods.get(cls)
    if found is None:
        found = _methods[cls] = _collect(cls)
    return found.get(name)


def _unbound(cls: type[Userdata], name: str) -> Any:
    """`object.name` as a value: a function that refuses to run on anything but such an object, as C's do."""
    function = lua_method(cls, name)
    if function is None:
        return None
    found = _unbound_methods.get((cls, name))
    if found is not None:
        return found

    @wraps(function)
    def checked(*args: Any) -> Any:
        if not args or not isinstance(args[0], cls):
            from msys.lua.arguments import wrong_type

            raise wrong_type(args[0] if args else ABSENT, 1, name, cls.lua_type)
        return function(*args)

    _unbound_methods[cls, name] = checked
    return checked


def _collect(cls: type[Userdata]) -> _Methods:
    hidden = set(_BASE)
    for base in cls.__mro__:
        hidden |= getattr(base, "lua_hidden", frozenset())
    names = [name for name in dir(cls) if not name.startswith("_") and name not in hidden]
    return {name: getattr(cls, name) for name in names if callable(getattr(cls, name))}


def forget_methods(cls: type[Userdata]) -> None:
    """After methods were added to a class at run time."""
    for known in [known for known in _methods if issubclass(known, cls)]:
        del _methods[known]
    for place in [place for place in _unbound_methods if issubclass(place[0], cls)]:
        del _unbound_methods[place]
