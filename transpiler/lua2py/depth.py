"""Room to recurse as deep as Lua nests.

Lua ends nesting at 200 levels; a pass over a tree needs a few Python calls for each. Calls between Python
functions take no C stack, so raising the limit while a pass runs is safe in any thread or greenlet.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

FRAMES = 20_000  # 200 levels of Lua take luaparser at most a third of it

# The limit to go back to, once for each pass that runs: passes of several threads may overlap, and the limit is
# one for all of them.
_running: list[int] = []


@contextmanager
def deep_recursion() -> Iterator[None]:
    """Raise Python's recursion limit inside the block, and until the last overlapping one ends."""
    before = _running[0] if _running else sys.getrecursionlimit()
    _running.append(before)
    sys.setrecursionlimit(max(before, FRAMES))
    try:
        yield
    finally:
        _running.pop()
        if not _running:
            sys.setrecursionlimit(before)
