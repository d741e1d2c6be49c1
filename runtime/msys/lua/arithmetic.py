"""Arithmetic on values that are not known to be numbers.

Numbers take the short way. Strings that read as numbers are converted, other values are asked for a metamethod, and
the rest is Lua's error. Whole numbers are ints as long as a double would hold them exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from msys.lua.errors import OperandError
from msys.lua.metatables import metamethod, one
from msys.lua.numbers import EXACT, NAN, narrow, parse_number, tidy, to_integer
from msys.lua.text import text_or_none
from msys.lua.userdata import Userdata

Number = int | float
_HALF = EXACT // 2  # below this a remainder of ints is that of doubles


def to_number(value: Any) -> Number | None:
    """`value` as a number by Lua's own conversion, or None."""
    cls = value.__class__
    if cls is int or cls is float:
        return value  # type: ignore[no-any-return]
    if cls is str:
        return parse_number(value)
    if isinstance(value, Userdata):
        text = text_or_none(value)
        return None if text is None else parse_number(text)
    return None


def number(value: Any) -> Number:
    """`value` where arithmetic needs a number."""
    cls = value.__class__
    if cls is int or cls is float:
        return value  # type: ignore[no-any-return]
    converted = to_number(value)
    if converted is None:
        raise OperandError("perform arithmetic on", value)
    return converted


def _other(event: str, left: Any, right: Any, operation: Callable[[Any, Any], Number]) -> Any:
    """The long way: strings, metamethods, errors."""
    first, second = to_number(left), to_number(right)
    if first is not None and second is not None:
        return operation(first, second)
    handler = metamethod(left, event)
    if handler is None:
        handler = metamethod(right, event)
    if handler is not None:
        return one(handler(left, right))
    if event == "__intdiv":  # thrlua's own fallback
        return _other("__div", left, right, operation)
    if first is None:
        raise OperandError("perform arithmetic on", left)
    raise OperandError("perform arithmetic on", right, 1)


def add(left: Any, right: Any) -> Any:
    first, second = left.__class__, right.__class__
    if first is int:
        if second is int:
            result = left + right
            return result if -EXACT <= result <= EXACT else float(result)
        if second is float:
            return left + right
    elif first is float and (second is float or second is int):
        return left + right
    return _other("__add", left, right, add)


def sub(left: Any, right: Any) -> Any:
    first, second = left.__class__, right.__class__
    if first is int:
        if second is int:
            result = left - right
            return result if -EXACT <= result <= EXACT else float(result)
        if second is float:
            return left - right
    elif first is float and (second is float or second is int):
        return left - right
    return _other("__sub", left, right, sub)


def mul(left: Any, right: Any) -> Any:
    first, second = left.__class__, right.__class__
    if first is int:
        if second is int:
            result = left * right
            if not result:
                return float(left) * right  # 0 * -1 is -0
            return result if -EXACT <= result <= EXACT else float(result)
        if second is float:
            return left * right
    elif first is float and (second is float or second is int):
        return left * right
    return _other("__mul", left, right, mul)


def _quotient(left: Number, right: Number) -> float:
    """A division as the processor does it."""
    if right:
        return left / right
    if not left or left != left:
        return left if left != left else NAN
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def div(left: Any, right: Any) -> Any:
    first, second = left.__class__, right.__class__
    if (first is int or first is float) and (second is int or second is float):
        return left / right if right else _quotient(left, right)
    return _other("__div", left, right, div)


def mod(left: Any, right: Any) -> Any:
    first, second = left.__class__, right.__class__
    if (first is int or first is float) and (second is int or second is float):
        if right and first is int and second is int and -_HALF < left < _HALF > right > -_HALF:
            return left % right
        quotient = _quotient(left, right)
        if math.isfinite(quotient):
            quotient = float(math.floor(quotient)) if quotient else quotient
        return left - quotient * right
    return _other("__mod", left, right, mod)


def power(left: Any, right: Any) -> Any:
    first, second = left.__class__, right.__class__
    if (first is int or first is float) and (second is int or second is float):
        try:
            return tidy(math.pow(left, right))
        except OverflowError:
            odd = right == right // 1 and right % 2 == 1
            return -math.inf if left < 0 and odd else math.inf
        except ValueError:  # a root of a negative number, or zero to a negative power
            if left:
                return NAN
            odd = right % 2 == 1
            return math.copysign(math.inf, left) if odd else math.inf
    return _other("__pow", left, right, power)


def neg(value: Any) -> Any:
    cls = value.__class__
    if cls is int:
        return -value if value else -0.0
    if cls is float:
        return -value
    converted = to_number(value)
    if converted is not None:
        return neg(converted)
    handler = metamethod(value, "__unm")
    if handler is not None:
        return one(handler(value, value))
    raise OperandError("perform arithmetic on", value)


def intdiv(left: Any, right: Any) -> Any:
    """The dialect's `left \\ right`: the floor of the quotient."""
    first, second = left.__class__, right.__class__
    if (first is int or first is float) and (second is int or second is float):
        quotient = _quotient(left, right)
        if not math.isfinite(quotient) or not quotient:
            return quotient
        return narrow(math.floor(quotient))
    return _other("__intdiv", left, right, intdiv)


# --- bits: 64-bit integers, as thrlua has them ----------------------------------------------------------------


def _signed(value: int) -> int:
    value &= 2**64 - 1
    return value - 2**64 if value >= 2**63 else value


def _shift_left(value: int, count: int) -> int:
    return value << (count & 63)  # x86 looks at six bits of the count


def _shift_right(value: int, count: int) -> int:
    return value >> (count & 63)


def _bits(event: str, left: Any, right: Any, operation: Callable[[int, int], int]) -> Any:
    first, second = to_number(left), to_number(right)
    if first is not None and second is not None:
        return narrow(_signed(operation(to_integer(first), to_integer(second))))
    handler = metamethod(left, event)
    if handler is None:
        handler = metamethod(right, event)
    if handler is not None:
        return one(handler(left, right))
    if first is None:
        raise OperandError("perform bitwise operation on", left)
    raise OperandError("perform bitwise operation on", right, 1)


def band(left: Any, right: Any) -> Any:
    return _bits("__and", left, right, int.__and__)


def bor(left: Any, right: Any) -> Any:
    return _bits("__or", left, right, int.__or__)


def bxor(left: Any, right: Any) -> Any:
    return _bits("__xor", left, right, int.__xor__)


def shl(left: Any, right: Any) -> Any:
    return _bits("__shl", left, right, _shift_left)


def shr(left: Any, right: Any) -> Any:
    return _bits("__shr", left, right, _shift_right)


def bnot(value: Any) -> Any:
    converted = to_number(value)
    if converted is not None:
        return narrow(~to_integer(converted))
    handler = metamethod(value, "__not")
    if handler is not None:
        return one(handler(value, value))
    raise OperandError("perform bitwise operation on", value)
