"""Runs work that nests as deep as Lua source may."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

STACK_BYTES = 512 * 1024 * 1024  # measured: Lua's 200 levels of nesting need about a tenth
RECURSION = 200_000


def with_deep_stack(work: Callable[[], T]) -> T:
    """Run `work` in a thread of its own with a large stack; raises what it raises."""
    answers: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(work())
        except BaseException as error:
            errors.append(error)

    before_stack, before_limit = threading.stack_size(STACK_BYTES), sys.getrecursionlimit()
    sys.setrecursionlimit(RECURSION)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before_stack)
        sys.setrecursionlimit(before_limit)
    if errors:
        raise errors[0]
    return answers[0]
