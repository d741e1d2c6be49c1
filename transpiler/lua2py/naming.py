"""Python names for Lua names: as written, unless Python or the module's own imports want the name.

Knows nothing of scopes: who may share a name is decided by whoever asks.
"""

from __future__ import annotations

import keyword
import re
from bisect import bisect_left

# Names that stand for one thing in every generated module. The helpers of `msys.lua` are not among them: where a Lua
# name is the same, the helper is imported under another one.
RESERVED = frozenset(
    """
    ABSENT ARGS Any Callable Coroutine G LuaError Pattern RESULT Table bool chunk dict environment float globals int
    len list msys range str tuple varargs
    """.split()
)
_NOT_NAMES = re.compile(r"[^0-9A-Za-z_]+")


def python_name(name: str) -> str:
    """A Lua identifier as a Python one: `from` becomes `from_`."""
    if keyword.iskeyword(name) or name in RESERVED:
        return name + "_"
    if name.startswith("__") and name.endswith("__") and len(name) > 4:
        return name.strip("_") or "name"
    return name


def from_text(text: str, default: str) -> str:
    """A name for something that has none, from words that stand near it."""
    words = _NOT_NAMES.sub("_", text).strip("_")
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", words).lower()
    if not words or words[0].isdigit() or len(words) > 40:
        return default
    return python_name(words)


def free(name: str, *taken: set[str]) -> str:
    """The name, or the name with a number that makes it free: the lowest one, where they are taken in order."""

    def is_free(number: int) -> bool:
        wanted = numbered(name, number)
        return not any(wanted in names for names in taken)

    most = 1
    while not is_free(most):
        most *= 2
    return numbered(name, bisect_left(range(most), True, most // 2 + 1, key=is_free))


def numbered(name: str, number: int) -> str:
    """The name of the second, third ... of those that want the same one."""
    return f"{name.rstrip('_') or name}_{number}" if number > 1 else name
