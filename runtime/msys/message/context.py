"""The context variables of a message: the same dictionaries that `vctx` shows during reception."""

from __future__ import annotations

from typing import Any

from msys.arguments import check_string
from msys.catalog.binding import documented
from msys.contexts import dictionary
from msys.message.state import MessageState
from msys.running import panic


class Contexts(MessageState):
    """Reading and writing the two dictionaries.

    type: msys.core.ECMESS_CTX_MESS or ECMESS_CTX_CONN (VCTX_* are equal). Another number is logged and means
    an empty dictionary; nil raises, as a nil key does.
    """

    @documented(
        "msg:context_get", assumed="works in every phase; a bad type is logged and reads as empty"
    )
    def context_get(self, type: Any, key: Any) -> str:
        """The value, "" when the key does not exist: never nil."""
        name = check_string("context_get", 2, key)
        found = dictionary("context_get", self.conn, self.mess, type)
        return found.get(name, "") if found is not None else ""

    @documented("msg:context_exists", assumed="works in every phase")
    def context_exists(self, type: Any, key: Any) -> int:
        """1 when the key is there (an empty value counts), 0 when not. In Lua 0 is true: compare."""
        name = check_string("context_exists", 2, key)
        found = dictionary("context_exists", self.conn, self.mess, type)
        return int(found is not None and name in found)

    @documented("msg:context_exists_and_get", assumed="works in every phase")
    def context_exists_and_get(self, type: Any, key: Any) -> tuple[int, str | None]:
        """1 and the value, or 0 and nil."""
        name = check_string("context_exists_and_get", 2, key)
        found = dictionary("context_exists_and_get", self.conn, self.mess, type)
        if found is None or name not in found:
            return 0, None
        return 1, found[name]

    @documented(
        "msg:context_set",
        assumed="a nil key or value is logged and gives 0; booleans and tables raise",
    )
    def context_set(self, type: Any, key: Any, value: Any) -> int:
        """Store a value; 1, or 0 when exactly this was there already.

        Numbers become text. A nil key or value stores nothing, is logged, and gives 0.
        """
        found = dictionary("context_set", self.conn, self.mess, type)
        if key is None or value is None:
            panic("msg:context_set: a nil key or value was not stored")
            return 0
        name, text = check_string("context_set", 2, key), check_string("context_set", 3, value)
        if found is None or found.get(name) == text:
            return 0
        found[name] = text
        return 1

    @documented("msg:context_delete", assumed="works in every phase")
    def context_delete(self, type: Any, key: Any) -> int:
        """1 when the key was there and is gone, 0 when it was not."""
        name = check_string("context_delete", 2, key)
        found = dictionary("context_delete", self.conn, self.mess, type)
        return int(found is not None and found.pop(name, None) is not None)

    def context_firstkey(self, type: Any) -> str | None:
        """The first key of a dictionary, nil when it is empty."""
        found = dictionary("context_firstkey", self.conn, self.mess, type)
        return next(iter(found), None) if found else None

    def context_nextkey(self, type: Any, key: Any) -> str | None:
        """The key after `key`, nil at the end."""
        name = check_string("context_nextkey", 2, key)
        found = dictionary("context_nextkey", self.conn, self.mess, type) or {}
        keys = list(found)
        at = keys.index(name) + 1 if name in found else len(keys)
        return keys[at] if at < len(keys) else None
