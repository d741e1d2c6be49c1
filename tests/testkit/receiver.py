"""A receiving mail server for tests that are not asynchronous: a Sink on an event loop of its own thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from moonpost.testing.sink import Reply, Sink
from moonpost.testing.stage import BackgroundSink


@contextmanager
def receiver(answers: dict[str, Reply] | None = None) -> Iterator[Sink]:
    """Listens while the context is open; its lists and answers may be read and changed meanwhile."""
    with closing(BackgroundSink()) as background:
        background.sink.answers.update(answers or {})
        yield background.sink
