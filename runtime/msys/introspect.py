"""`msys.type`, `msys.cast`, `msys.getClassMetaTable`: the classes behind userdata, by their names."""

from __future__ import annotations

import builtins
from typing import Any

from msys import lua
from msys.arguments import bad_argument, check_string
from msys.catalog.binding import documented
from msys.lua import ABSENT, Table, Userdata
from msys.lua.environment import environment

__all__ = ["cast", "getClassMetaTable", "type"]


def classes() -> dict[str, list[builtins.type[Userdata]]]:
    """The userdata classes that have been loaded, by the name `msys.type` gives them."""
    found: dict[str, list[builtins.type[Userdata]]] = {}
    waiting = [Userdata]
    while waiting:
        cls = waiting.pop()
        waiting += cls.__subclasses__()
        if cls is not Userdata:
            found.setdefault(cls.lua_type, []).append(cls)
    return found


@documented("msys.type", assumed="no argument raises")
def type(parameter: Any = ABSENT) -> str:
    """What `type` answers, but the class name (`msys.core:_ec_string`) for userdata.

    Source: lua.ref.msys.type.
    """
    if parameter is ABSENT:
        raise bad_argument("type", 1, "value expected")
    if isinstance(parameter, Userdata):
        return parameter.lua_type
    return lua.type(parameter)


@documented(
    "msys.cast", assumed="an object that is not of the class raises, where Momentum may crash"
)
def cast(object: Any, classnamestring: str) -> Any:
    """`object` itself, when it is of the class, which may be named with or without `msys.core:`.

    Any other object, and nil, raises: our objects know what they are. Source: lua.ref.msys.cast.
    """
    wanted = check_string("cast", 2, classnamestring)
    if isinstance(object, Userdata):
        names = {cls.lua_type for cls in builtins.type(object).__mro__ if issubclass(cls, Userdata)}
        if any(wanted in (name, name.rpartition(":")[2]) for name in names):
            return object
    raise bad_argument("cast", 1, f"{wanted} expected, got {type(object)}")


@documented("msys.getClassMetaTable", assumed="an unknown class is nil")
def getClassMetaTable(classnamestring: str) -> Table | None:
    """The metatable of a userdata class; functions put in its `__index` become methods. nil: no such class.

    Source: lua.ref.msys.getClassMetaTable.
    """
    wanted = check_string("getClassMetaTable", 1, classnamestring)
    for name, family in classes().items():
        if wanted in (name, name.rpartition(":")[2]):
            metatables = environment().class_metatables
            shared = metatables.get(family[0]) or Table({"__index": Table(), "__name": name})
            metatables.update(dict.fromkeys(family, shared))
            return shared
    return None
