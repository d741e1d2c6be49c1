"""The math library. Results that a double can't tell from an int come back as ints."""

from __future__ import annotations

import math as _math
import random as _random
from collections.abc import Callable
from typing import Any

from msys.lua.absent import ABSENT
from msys.lua.arguments import int_arg, integer_arg, number_arg
from msys.lua.arithmetic import power
from msys.lua.environment import present_environment
from msys.lua.errors import ArgumentError, RuntimeFault
from msys.lua.numbers import EXACT, NAN, narrow, tidy

huge = _math.inf
pi = _math.pi

Number = int | float


def _guarded(function: Callable[[float], float], name: str) -> Callable[..., Number]:
    """A function of C's math library: nan where Python raises."""

    def guarded(x: Any = ABSENT, *_: Any) -> Number:
        number = number_arg(x, 1, name)
        try:
            return tidy(function(number))
        except ValueError:
            return NAN
        except OverflowError:
            return _math.copysign(huge, number) if name == "sinh" else huge

    guarded.__name__ = guarded.__qualname__ = name
    return guarded


def _log(x: float) -> float:
    return _math.log(x) if x else -huge


def _log10(x: float) -> float:
    return _math.log10(x) if x else -huge


acos = _guarded(_math.acos, "acos")
asin = _guarded(_math.asin, "asin")
atan = _guarded(_math.atan, "atan")
cos = _guarded(_math.cos, "cos")
cosh = _guarded(_math.cosh, "cosh")
deg = _guarded(lambda x: x / (pi / 180.0), "deg")
exp = _guarded(_math.exp, "exp")
log = _guarded(_log, "log")
log10 = _guarded(_log10, "log10")
rad = _guarded(lambda x: x * (pi / 180.0), "rad")
sin = _guarded(_math.sin, "sin")
sinh = _guarded(_math.sinh, "sinh")
sqrt = _guarded(_math.sqrt, "sqrt")
tan = _guarded(_math.tan, "tan")
tanh = _guarded(_math.tanh, "tanh")


def abs(x: Any = ABSENT, *_: Any) -> Number:
    number = number_arg(x, 1, "abs")
    return -number if number < 0 else number if number else 0


def floor(x: Any = ABSENT, *_: Any) -> Number:
    if x.__class__ is int:
        return x
    if x.__class__ is float and x and -EXACT < x < EXACT:
        return _math.floor(x)
    number = number_arg(x, 1, "floor")
    if not _math.isfinite(number) or not number:
        return number
    return narrow(_math.floor(number))


def ceil(x: Any = ABSENT, *_: Any) -> Number:
    if x.__class__ is int:
        return x
    number = number_arg(x, 1, "ceil")
    if not _math.isfinite(number):
        return number
    return narrow(_math.ceil(number)) or _math.copysign(0.0, number)


def fmod(x: Any = ABSENT, y: Any = ABSENT, *_: Any) -> Number:
    return _remainder(x, y, "fmod")


def mod(x: Any = ABSENT, y: Any = ABSENT, *_: Any) -> Number:
    """The name `fmod` had in Lua 5.0."""
    return _remainder(x, y, "mod")


def _remainder(x: Any, y: Any, name: str) -> Number:
    right = number_arg(y, 2, name)  # C's order: the last argument is looked at first
    left = number_arg(x, 1, name)
    try:
        return tidy(_math.fmod(left, right))
    except ValueError:
        return NAN


def modf(x: Any = ABSENT, *_: Any) -> tuple[Number, Number]:
    fraction, whole = _math.modf(number_arg(x, 1, "modf"))
    return tidy(whole), tidy(fraction)


def frexp(x: Any = ABSENT, *_: Any) -> tuple[Number, int]:
    mantissa, exponent = _math.frexp(number_arg(x, 1, "frexp"))
    return tidy(mantissa), exponent


def ldexp(x: Any = ABSENT, e: Any = ABSENT, *_: Any) -> Number:
    exponent = int_arg(e, 2, "ldexp")
    number = number_arg(x, 1, "ldexp")
    try:
        return tidy(_math.ldexp(number, sorted((-5000, exponent, 5000))[1]))
    except OverflowError:
        return _math.copysign(huge, number)


def atan2(y: Any = ABSENT, x: Any = ABSENT, *_: Any) -> Number:
    right = number_arg(x, 2, "atan2")
    return tidy(_math.atan2(number_arg(y, 1, "atan2"), right))


def pow(x: Any = ABSENT, y: Any = ABSENT, *_: Any) -> Number:
    right = number_arg(y, 2, "pow")
    return power(number_arg(x, 1, "pow"), right)  # type: ignore[no-any-return]


def max(x: Any = ABSENT, *rest: Any) -> Number:
    best = number_arg(x, 1, "max")
    for position, other in enumerate(rest, 2):
        number = number_arg(other, position, "max")
        if number > best:
            best = number
    return best


def min(x: Any = ABSENT, *rest: Any) -> Number:
    best = number_arg(x, 1, "min")
    for position, other in enumerate(rest, 2):
        number = number_arg(other, position, "min")
        if number < best:
            best = number
    return best


def _generator() -> _random.Random:
    """Each environment has its own sequence, so that a seed in one script world disturbs no other."""
    env = present_environment()
    if env is None:
        return _shared
    generator = env.services.get("lua.random")
    if generator is None:
        generator = env.services["lua.random"] = _random.Random()
    return generator


_shared = _random.Random()


def random(low: Any = ABSENT, high: Any = ABSENT, *extra: Any) -> Number:
    """A number in [0, 1), a whole one in [1, low], or in [low, high]."""
    share = _generator().random()
    if low is ABSENT:
        return share
    if extra:
        raise RuntimeFault("wrong number of arguments")
    first = int_arg(low, 1, "random")
    if high is ABSENT:
        if first < 1:
            raise ArgumentError(1, "random", "interval is empty")
        return _math.floor(share * first) + 1
    last = int_arg(high, 2, "random")
    if first > last:
        raise ArgumentError(2, "random", "interval is empty")
    return _math.floor(share * (last - first + 1)) + first


def randomseed(seed: Any = ABSENT, *_: Any) -> None:
    _generator().seed(integer_arg(seed, 1, "randomseed"))


FUNCTIONS: dict[str, Any] = {
    "abs": abs,
    "acos": acos,
    "asin": asin,
    "atan": atan,
    "atan2": atan2,
    "ceil": ceil,
    "cos": cos,
    "cosh": cosh,
    "deg": deg,
    "exp": exp,
    "floor": floor,
    "fmod": fmod,
    "frexp": frexp,
    "huge": huge,
    "ldexp": ldexp,
    "log": log,
    "log10": log10,
    "max": max,
    "min": min,
    "mod": mod,
    "modf": modf,
    "pi": pi,
    "pow": pow,
    "rad": rad,
    "random": random,
    "randomseed": randomseed,
    "sin": sin,
    "sinh": sinh,
    "sqrt": sqrt,
    "tan": tan,
    "tanh": tanh,
}
