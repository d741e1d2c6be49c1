"""The errors that policy can raise and catch.

A LuaError carries a Lua value. Those that the runtime raises know what went wrong but not where: `explain` adds the Lua
position and the name of the culprit when the error reaches an edge (`pcall`, a coroutine, the callout runner).
"""

from __future__ import annotations

from typing import Any


class LuaError(Exception):
    """An error on its way to `pcall` or to whoever called the policy.

    value: what Lua sees. positioned: whether a text already says where it happened (`error` does that itself).
    """

    def __init__(self, value: Any = None, *, positioned: bool = False) -> None:
        super().__init__(value)
        self.value = value
        self.positioned = positioned

    @property
    def lua_traceback(self) -> str:
        """`stack traceback:` from where it was raised to where it was caught."""
        from msys.lua.stack import levels_of, traceback_text

        return traceback_text(levels_of(self.__traceback__)[::-1])

    def __str__(self) -> str:
        from msys.lua.text import error_text

        return error_text(self.value)

    def described(self, what: Any) -> str:
        """The text, given the line map's words about the failing expression. `value` unless a subclass knows better."""
        return str(self.value)


class RuntimeFault(LuaError):
    """A mistake of the script that the runtime found: the text is complete but for its position."""


class OperationError(LuaError):
    """An operation of the language that can't be done. It has a position only when Lua code did it: a library function
    that compares or calls has none.
    """


class OperandError(OperationError):
    """An operation on a value that can't do it: `attempt to index field 'x' (a nil value)`.

    operand: which of the operation's expressions is to blame (0 left, 1 right), for its name.
    """

    def __init__(self, operation: str, culprit: Any, operand: int = 0, name: str = "") -> None:
        from msys.lua.text import type_name

        self.operation = operation
        self.culprit = type_name(culprit)
        self.operand = operand
        self.name = name
        super().__init__(self.described(None))

    def described(self, what: Any) -> str:
        if isinstance(what, list | tuple):
            what = what[self.operand] if self.operand < len(what) else ""
        elif self.operand:
            what = ""
        what = self.name or what
        if what:
            return f"attempt to {self.operation} {what} (a {self.culprit} value)"
        return f"attempt to {self.operation} a {self.culprit} value"


class ArgumentError(LuaError):
    """`bad argument #1 to 'rep' (string expected, got nil)`."""

    def __init__(self, position: int, function: str, message: str) -> None:
        self.position = position
        self.function = function
        self.message = message
        super().__init__(self.described(None))

    def described(self, what: Any) -> str:
        name, position = self.function, self.position
        if isinstance(what, list | tuple):  # a method call has two: the object's and its own
            what = what[-1] if what and what[-1].startswith("method ") else ""
        if isinstance(what, str) and what:
            kind, _, quoted = what.partition(" ")
            name = quoted.strip("'") or name
            if kind == "method":
                position -= 1
                if not position:
                    return f"calling '{name}' on bad self ({self.message})"
        return f"bad argument #{position} to '{name}' ({self.message})"


class LuaExit(SystemExit):
    """`os.exit`: not an error, and no `pcall` catches it."""


def compare_error(left: Any, right: Any) -> LuaError:
    """What Lua says of `left < right` when there is no order between them."""
    from msys.lua.text import type_name

    first, second = type_name(left), type_name(right)
    if first == second:
        return OperationError(f"attempt to compare two {first} values")
    return OperationError(f"attempt to compare {first} with {second}")
