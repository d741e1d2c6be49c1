"""Indexing and calling methods on a value of any kind: the helpers behind `o.x`, `o.x = v`, `o:m()` and `#o`.

Emitted where the receiver's kind is not known; a known table or a known userdata needs none of this.
"""

from __future__ import annotations

from typing import Any

from msys.lua.arity import fitted, refused
from msys.lua.calls import call
from msys.lua.environment import environment, present_environment
from msys.lua.errors import OperandError
from msys.lua.metatables import metamethod, metatable_of_class, one
from msys.lua.tables import FALSE_KEY, TRUE_KEY, Table, border, checked_key
from msys.lua.userdata import Userdata, lua_method


def index(receiver: Any, key: Any) -> Any:
    """`receiver[key]`."""
    if isinstance(receiver, Table):
        if key.__class__ is bool:
            key = TRUE_KEY if key else FALSE_KEY
        return receiver[key]
    if isinstance(receiver, Userdata):
        return _index_userdata(receiver, key)
    handler = metamethod(receiver, "__index") if receiver.__class__ is str else None
    if handler is None:
        raise OperandError("index", receiver)
    return index(handler, key) if isinstance(handler, Table) else one(handler(receiver, key))


def _index_userdata(receiver: Userdata, key: Any) -> Any:
    shared = metatable_of_class(receiver.__class__)
    if shared is not None:
        handler = shared["__index"]
        if isinstance(handler, Table):
            added = handler[key]
            if added is not None:
                return added
        elif handler is not None:
            return one(handler(receiver, key))
    value = receiver[key]
    if value is None:
        handler = receiver.metamethods.get("__index")
        if handler is not None:
            return one(handler(receiver, key))
    return value


def setindex(receiver: Any, key: Any, value: Any) -> None:
    """`receiver[key] = value`; nil removes, and nil or nan as key is an error."""
    cls = receiver.__class__
    if cls is Table:
        if key.__class__ is not str:
            key = checked_key(key)
        if value is None:
            receiver.pop(key, None)
        else:
            receiver[key] = value
    elif isinstance(receiver, Table):
        if key.__class__ is bool:
            key = TRUE_KEY if key else FALSE_KEY
        elif (key is None or key != key) and metamethod(receiver, "__newindex") is None:
            checked_key(key)
        if value is None:
            receiver.pop(key, None)
        else:
            receiver[key] = value
    elif isinstance(receiver, Userdata):
        handler = metamethod(receiver, "__newindex")
        if handler is None:
            receiver[key] = value
        elif isinstance(handler, Table):
            setindex(handler, key, value)
        else:
            handler(receiver, key, value)
    else:
        handler = metamethod(receiver, "__newindex") if cls is str else None
        if handler is None:
            raise OperandError("index", receiver)
        if isinstance(handler, Table):
            setindex(handler, key, value)
        else:
            handler(receiver, key, value)


def method(receiver: Any, name: str) -> Any:
    """The function that `receiver:name()` calls; it takes the receiver first."""
    if receiver.__class__ is str:
        methods = environment().string_metatable["__index"]
        return methods[name] if isinstance(methods, Table) else index(receiver, name)
    return index(receiver, name)


def _may_add(receiver: Userdata, name: str) -> bool:
    """Whether a script gave the receiver's class a method of this name, or a function that may know one."""
    shared = metatable_of_class(receiver.__class__)
    handler = None if shared is None else shared["__index"]
    return handler[name] is not None if isinstance(handler, Table) else handler is not None


def _function_of(receiver: Any, name: str) -> Any:
    """What `receiver:name()` calls; nil when there is no such method."""
    if isinstance(receiver, Table):
        return receiver[name]
    if isinstance(receiver, Userdata):
        env = present_environment()
        if env is None or not env.class_metatables or not _may_add(receiver, name):
            # first, because a field may have the same name
            function = lua_method(receiver.__class__, name)
            if function is not None:
                return function
        return _index_userdata(receiver, name)
    return method(receiver, name)


def invoke(receiver: Any, name: str, *args: Any) -> Any:
    """`receiver:name(args)`."""
    function = receiver[name] if receiver.__class__ is Table else _function_of(receiver, name)
    try:
        return function(receiver, *args)
    except TypeError as error:
        if not callable(function):
            raise OperandError("call", function, name=f"method '{name}'") from None
        if not isinstance(receiver, Userdata) or not refused(error):
            raise
    return function(*fitted(function, (receiver, *args)))


def call_method(receiver: Any, name: str, *args: Any) -> tuple[Any, ...]:
    """All results of `receiver:name(args)`."""
    function = receiver[name] if receiver.__class__ is Table else _function_of(receiver, name)
    if not callable(function):
        raise OperandError("call", function, name=f"method '{name}'")
    if isinstance(receiver, Userdata):
        return call(function, *fitted(function, (receiver, *args)))
    return call(function, receiver, *args)


def length(value: Any) -> int:
    """`#value`."""
    if isinstance(value, Table):
        return border(value)
    if value.__class__ is str:
        return len(value)
    if isinstance(value, Userdata):
        handler = metamethod(value, "__len")
        if handler is not None:
            return one(handler(value))  # type: ignore[no-any-return]
        if hasattr(value, "__len__"):
            return len(value)
    raise OperandError("get length of", value)
