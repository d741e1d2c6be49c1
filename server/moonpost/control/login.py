"""Logging in on a console socket that asks for it, before any other command: `login USER PASSWORD`.

Who checks is somebody else's. Passwords are passed on, compared, and written nowhere.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from moonpost.control.access import Caller
from moonpost.control.frames import FAILED, OK, Reply, split_words

LOG = logging.getLogger("moonpost.control")
WORD: Final = "login"
FIRST: Final = "log in first: moonpost console USER@SOCKET"
WRONG: Final = "login incorrect"
NOT_NOW: Final = "nobody can log in at present; the server's log says why"

# User and password to the user's groups; None: they are not good. Raises when it cannot tell.
Login = Callable[[str, str], Awaitable[Sequence[str] | None]]


async def nobody(user: str, password: str) -> None:
    """The Login that lets nobody in: for comparing settings."""


def is_login(line: str) -> bool:
    return line.split(maxsplit=1)[:1] == [WORD]


def shown(line: str) -> str:
    """A command as it may be recorded: a login without its password."""
    return " ".join([WORD, *line.split()[1:2]]) if is_login(line) else line


async def enter(login: Login | None, caller: Caller, line: str) -> tuple[Reply, Caller | None]:
    """What a first command comes to, and who the caller is from now on. A login that failed ends the session."""
    if not is_login(line):
        return Reply(FAILED, FIRST), None
    if login is None:
        return Reply(FAILED, "this socket asks for no login"), None
    try:
        words = split_words(line)
    except ValueError:
        words = []
    if len(words) != 3:
        return Reply(FAILED, f"usage: {WORD} USER PASSWORD"), None
    try:
        groups = await login(words[1], words[2])
    except Exception as error:
        LOG.error("console login of %r could not be checked: %s", words[1], error)
        return Reply(FAILED, NOT_NOW, end=True), None
    if groups is None:
        return Reply(FAILED, WRONG, end=True), None
    return Reply(OK, ""), replace(caller, user=words[1], groups=tuple(groups))
