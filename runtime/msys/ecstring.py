"""`ec_string`: the string buffer that C functions fill, as Lua sees it.

Its own class, `type` userdata: never equal to a Lua string, accepted wherever one is. Knows nothing of who fills it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from msys.arguments import check_integer, check_string
from msys.constants import STRING_TYPE_GROWBUF, STRING_TYPE_IO_OBJECT
from msys.lua import ABSENT, Table, Userdata, environment
from msys.lua.errors import RuntimeFault


class EcString(Userdata):
    """A mutable string.

    capacity: how much it holds, for buffers whose C owner fixed their size; None: no limit.
    backing: an io object that takes what is written, when `type` is STRING_TYPE_IO_OBJECT.
    """

    __slots__ = ("_text", "backing", "capacity", "type")
    lua_type = "msys.core:_ec_string"
    lua_fields = frozenset(("buffer", "len"))
    lua_writable = frozenset(("type", "backing"))
    metamethods: ClassVar[Mapping[str, Callable[..., Any]]] = {
        "__index": lambda _, key: string_method(key),
        "__lt": lambda one, other: str(one) < str(other),
        "__le": lambda one, other: str(one) <= str(other),
    }

    def __init__(self, text: str = "", capacity: int | None = None) -> None:
        self._text = text
        self.capacity = capacity
        self.type: int = STRING_TYPE_GROWBUF
        self.backing: Any = None

    def as_string(self) -> str:
        """Its content, where a function wants a string."""
        return self._text

    @property
    def buffer(self) -> str:
        """The content as a Lua string."""
        return self._text

    @property
    def len(self) -> int:
        """Its length in bytes."""
        return len(self._text)

    def set(self, text: Any) -> None:
        """Replace the content. Raises when it does not fit."""
        self._put("set", check_string("set", 1, text), replace=True)

    def write(self, text: Any, length: Any = ABSENT) -> int:
        """Append `text`, or its first `length` bytes; returns how many bytes were appended."""
        piece = check_string("write", 1, text)
        if length is not None and length is not ABSENT:
            piece = piece[: max(0, check_integer("write", 2, length))]
        self._put("write", piece, replace=False)
        return len(piece)

    def _put(self, name: str, text: str, *, replace: bool) -> None:
        if self.type == STRING_TYPE_IO_OBJECT and self.backing is not None:
            self.backing.write(text)
            return
        whole = text if replace else self._text + text
        if self.capacity is not None and len(whole) > self.capacity:
            raise RuntimeFault(
                f"'{name}': {len(whole)} bytes do not fit into this ec_string of {self.capacity}"
            )
        self._text = whole

    def __len__(self) -> int:
        return len(self._text)

    def __bool__(self) -> bool:
        return True

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"EcString({self._text!r})"


def string_method(name: Any) -> Any:
    """What `s:name` finds for a string: scripts use the methods of strings on ec_strings too."""
    methods = environment().string_metatable["__index"]
    return methods[name] if isinstance(methods, Table) else None
