"""The recursion of recursion.lua in Python."""

from __future__ import annotations


def fib(n: int) -> int:
    if n < 2:
        return n
    return fib(n - 1) + fib(n - 2)


def work() -> int:
    return fib(17)


RESULT = work
