"""What a command handler gets: the session it runs in, its words, and small helpers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from inspect import isawaitable
from typing import TypeVar

from moonpost.config.live import LiveConfiguration, Transaction
from moonpost.control.access import Authorization, Caller
from moonpost.control.services import CommandFailed, Services

T = TypeVar("T")


@dataclass(slots=True)
class Session:
    """One console connection."""

    services: Services
    caller: Caller
    authorization: Authorization
    transaction: Transaction | None = None
    ended: bool = False
    dry_run: bool = False  # say what the command would do, and do nothing

    @property
    def configuration(self) -> LiveConfiguration:
        return self.services.configuration


Handler = Callable[[Session, list[str]], Awaitable[str]]  # words after the command's own


async def later(value: T | Awaitable[T]) -> T:
    """What a port method returned, now or when it is there."""
    return await value if isawaitable(value) else value


def need(service: T | None, what: str) -> T:
    """A service that must be wired for a command."""
    if service is None:
        raise CommandFailed(f"{what} is not available in this server")
    return service


def usage(text: str) -> CommandFailed:
    return CommandFailed(f"usage: {text}")


def whole(word: str, what: str) -> int:
    """A word as a whole number."""
    try:
        return int(word)
    except ValueError:
        raise CommandFailed(f"{what} is a whole number, not `{word}`") from None
