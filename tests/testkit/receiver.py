"""A receiving mail server for tests that are not asynchronous: a Sink on an event loop of its own thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from moonpost.testing.sink import Reply, Sink


@contextmanager
def receiver(answers: dict[str, Reply] | None = None) -> Iterator[Sink]:
    """Listens while the context is open; its lists and answers may be read and changed meanwhile."""
    sink = Sink(answers=answers or {})
    ready, done = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with sink:
            ready.set()
            await done.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10), "the receiver does not listen"
    try:
        yield sink
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(10)
        loop.close()
