"""The state of adaptive delivery in a file, so that it survives a restart.

One small JSON file, written whole beside the old one and then put in its place. Writing happens in a thread; changes
that come meanwhile are written together, once.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from moonpost.adaptive.state import State, from_json, to_json

log = logging.getLogger("moonpost.adaptive")

Complain = Callable[[str], None]


def read_state(path: Path, complain: Complain) -> State:
    """The state as it was kept; an empty one when there is none. One that can't be read is told of and set aside."""
    try:
        return from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return State()
    except OSError as error:
        complain(f"{path} can't be read: {error.strerror}; no queue is suspended")
        return State()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        aside = path.with_suffix(".unreadable")
        complain(
            f"{path} is no state of adaptive delivery ({error!r}); "
            f"it is kept as {aside.name}, and no queue is suspended"
        )
        try:
            os.replace(path, aside)
        except OSError as failed:
            complain(f"{path} can't be set aside: {failed.strerror}")
        return State()


def write_state(path: Path, text: str) -> None:
    """Put `text` in place of the file, whole or not at all."""
    fresh = path.with_suffix(".new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)


class Store:
    """Writes the state after each change, never two at a time."""

    def __init__(self, path: Path, complain: Complain) -> None:
        self._path, self._complain = path, complain
        self._wanted: dict[str, Any] | None = None
        self._writing: asyncio.Task[None] | None = None

    def read(self) -> State:
        return read_state(self._path, self._complain)

    def save(self, state: State) -> None:
        """Have the state as it is now written soon."""
        self._wanted = to_json(state)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def close(self) -> None:
        """Return when everything is written."""
        if self._writing is not None:
            await self._writing

    async def _write(self) -> None:
        while self._wanted is not None:
            wanted, self._wanted = self._wanted, None
            try:
                await asyncio.to_thread(write_state, self._path, json.dumps(wanted, indent=1))
            except OSError as error:
                self._complain(
                    f"{self._path} can't be written: {error.strerror}; "
                    "suspensions hold, but a restart would not know them"
                )
