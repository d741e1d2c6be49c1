"""The sessions of all processes, so that limits and policy count every one of them wherever it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from moonpost.adapters.sessions import Open, SessionBook

Event = tuple[str, Open]
OPENED, CLOSED = "opened", "closed"


class SharedBook(SessionBook):
    """A SessionBook that tells the other processes what happens here, and is told what happens there."""

    def __init__(
        self,
        monitors: Sequence[str] = (),
        *,
        now: Callable[[], float],
        tell: Callable[[Event], None],
    ) -> None:
        super().__init__(monitors, now=now)
        self._tell = tell

    def opened(self, ip: str, service: str = "SMTP", listener: str = "") -> Open:
        session = super().opened(ip, service, listener)
        self._tell((OPENED, session))
        return session

    def closed(self, session: Open) -> None:
        super().closed(session)
        self._tell((CLOSED, session))

    def counted(self, kind: str, ip: str) -> None:
        super().counted(kind, ip)
        if kind != "connections":  # `opened` has told of it
            self._tell((kind, Open(ip, "", "")))

    def heard(self, events: Sequence[Event]) -> None:
        """This happened in other processes."""
        for what, session in events:
            if what == OPENED:
                super().opened(session.ip, session.service, session.listener)
            elif what == CLOSED:
                super().closed(session)
            else:
                super().counted(what, session.ip)


def sum_of(books: Sequence[Counter[Open]]) -> Counter[Open]:
    total: Counter[Open] = Counter()
    for book in books:
        total.update(book)
    return total


def note(book: Counter[Open], events: Sequence[Event]) -> None:
    """Keep track of the sessions of one process, for when it dies."""
    for what, session in events:
        if what == OPENED:
            book[session] += 1
        elif what == CLOSED:
            book[session] -= 1
            if not book[session]:
                del book[session]
