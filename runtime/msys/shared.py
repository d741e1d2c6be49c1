"""Asking the state port in the name of a policy function: its failures become Lua errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from msys.lua.errors import RuntimeFault
from msys.ports import Later, PortError, State, current, wait

__all__ = ["ask"]

T = TypeVar("T")


def ask(question: Callable[[State], Later[T]], define: str = "") -> T:
    """The answer; `define` names the function that makes what the state does not know."""
    try:
        return wait(question(current().ports.state))
    except PortError as error:
        hint = f"; define it with {define}" if define and error.code == "UNDEFINED" else ""
        raise RuntimeFault(f"{error}{hint}") from None
