"""ABSENT: the argument that was not given, told apart from an explicit nil."""

from __future__ import annotations

from typing import Any, Final


class Absent:
    """The one value of this class stands for "no argument here"."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final[Any] = Absent()
