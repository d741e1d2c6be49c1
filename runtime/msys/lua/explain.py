"""From a Python exception to the error Lua would have raised, at the edge where it is caught.

Native operators raise Python's own exceptions, which costs working code nothing. Here the failing instruction's
position and the line map give back Lua's words. An exception from inside the runtime itself is our bug: it is handed
to `internal_error` and reaches Lua as text.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from types import CodeType

from msys.lua.errors import LuaError, OperandError, OperationError
from msys.lua.linemap import What, map_of
from msys.lua.stack import Level, is_helper, is_host, levels_of

_log = logging.getLogger("msys.lua")


def _log_internal(error: BaseException) -> None:
    _log.error(
        "internal error in a runtime function, policy sees it as text: report this", exc_info=error
    )


internal_error: Callable[[BaseException], None] = _log_internal


def on_internal_error(hook: Callable[[BaseException], None] | None) -> None:
    """Where our own bugs are told; None: the `msys.lua` logger."""
    global internal_error
    internal_error = hook or _log_internal


def explain(error: BaseException) -> LuaError:
    """The LuaError that policy catches for `error`: itself, positioned, or the translation of a native one."""
    if isinstance(error, LuaError):
        if not error.positioned:
            error.positioned = True
            if error.value.__class__ is str:
                error.value = _placed(error)
        return error
    explained = LuaError(_translated(error), positioned=True)
    explained.__cause__ = error
    explained.__traceback__ = error.__traceback__
    return explained


def _placed(error: LuaError) -> str:
    """The error's text with its position, and with the name of the culprit."""
    found = levels_of(error.__traceback__)
    if isinstance(error, OperationError) and found and found[-1].map is None:
        return error.described("")
    spot = _innermost(found)
    return _position(spot) + error.described(spot.what if spot else "")


def _innermost(found: list[Level]) -> Level | None:
    """The Lua function that ran last."""
    return next((level for level in reversed(found) if level.map is not None), None)


def _position(spot: Level | None) -> str:
    return spot.where if spot is not None else ""


def _translated(error: BaseException) -> str:
    """Lua's text for a native exception."""
    found = levels_of(error.__traceback__)
    spot = _innermost(found)
    where = _position(spot)
    if isinstance(error, RecursionError):
        return where + "stack overflow"
    if isinstance(error, MemoryError):
        return "not enough memory"
    code = _raising_code(error)
    if spot is not None and spot.map is not None and spot.map.python:
        if code is None or not is_host(code):  # policy written in Python, or a library it calls
            return f"{where}{error.__class__.__name__}: {error}".removesuffix(": ")
    if code is not None and map_of(code) is not None and spot is not None:
        for pattern, words in _NATIVE:
            match = pattern.search(str(error))
            if match is not None:
                return where + words(match, spot.what)
    if code is not None and is_helper(code):
        match = _NOT_CALLABLE.search(
            str(error)
        )  # a handler, an iterator or a callback of the script's
        if match is not None:
            return (where if found and found[-1].map is not None else "") + _call(match, "")
    internal_error(error)
    return f"{where}internal error: {error.__class__.__name__}: {error}"


def _raising_code(error: BaseException) -> CodeType | None:
    traceback = error.__traceback__
    if traceback is None:
        return None
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback.tb_frame.f_code


_KINDS = {
    "NoneType": "nil",
    "bool": "boolean",
    "int": "number",
    "float": "number",
    "str": "string",
    "Table": "table",
    "Metatabled": "table",
    "function": "function",
    "builtin_function_or_method": "function",
    "method": "function",
    "Coroutine": "thread",
}


def _kind(python_type: str) -> str:
    return _KINDS.get(python_type.rpartition(".")[2], "userdata")


def _operand(operation: str, kind: str, what: What, place: int = 0) -> str:
    error = OperandError(operation, None, place)
    error.culprit = kind
    return error.described(what)


def _index(match: re.Match[str], what: What) -> str:
    return _operand("index", _kind(match.group(1)), what)


def _call(match: re.Match[str], what: What) -> str:
    return _operand("call", _kind(match.group(1)), what)


def _length(match: re.Match[str], what: What) -> str:
    return _operand("get length of", _kind(match.group(1)), what)


def _arithmetic(match: re.Match[str], what: What) -> str:
    left, right = _kind(match.group(2)), _kind(match.group(3))
    operation = _BITWISE.get(match.group(1), "perform arithmetic on")
    return _operand(operation, right if left == "number" else left, what, int(left == "number"))


def _unary(match: re.Match[str], what: What) -> str:
    operation = _BITWISE.get(match.group(1), "perform arithmetic on")
    return _operand(operation, _kind(match.group(2)), what)


def _order(match: re.Match[str], what: What) -> str:
    left, right = _kind(match.group(2)), _kind(match.group(3))
    if match.group(1).startswith(">"):  # Lua knows only < and <=, and swaps
        left, right = right, left
    if left == right:
        return f"attempt to compare two {left} values"
    return f"attempt to compare {left} with {right}"


def _added_to_string(match: re.Match[str], what: What) -> str:
    return _operand("perform arithmetic on", _kind(match.group(1)), what, 1)


def _missing(match: re.Match[str], what: What) -> str:
    function, parameter = match.group(1), match.group(2)
    return f"bad argument to '{function}' ('{parameter}' expected, got no value)"


_BITWISE = dict.fromkeys(("&", "|", "^", "<<", ">>", "~"), "perform bitwise operation on")

_NOT_CALLABLE = re.compile(r"'([\w.]+)' object is not callable")

# Python's words -> Lua's
_NATIVE: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], What], str]], ...] = (
    (re.compile(r"'([\w.]+)' object is not (?:subscriptable|iterable)"), _index),
    (re.compile(r"'([\w.]+)' object does not support item (?:assignment|deletion)"), _index),
    (re.compile(r"'([\w.]+)' object has no attribute"), _index),
    (_NOT_CALLABLE, _call),
    (re.compile(r"object of type '([\w.]+)' has no len"), _length),
    (re.compile(r"bad operand type for (?:unary )?(\S+?)(?:\(\))?: '([\w.]+)'"), _unary),
    (
        re.compile(
            r"unsupported operand type\(s\) for (\S+?)=?(?: or pow\(\))?: '([\w.]+)' and '([\w.]+)'"
        ),
        _arithmetic,
    ),
    (
        re.compile(r"'(<=?|>=?)' not supported between instances of '([\w.]+)' and '([\w.]+)'"),
        _order,
    ),
    (re.compile(r"(str)ing ind(?:ices must be integers|ex out of range)"), _index),
    (re.compile(r"(\w+)\(\) missing \d+ required positional arguments?: '(\w+)'"), _missing),
    (re.compile(r"can only concatenate str \(not \"([\w.]+)\"\) to str"), _added_to_string),
)
