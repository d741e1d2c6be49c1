"""Clients that send mail until they are told to stop and remember what was acknowledged; who counts what arrives."""

from __future__ import annotations

import smtplib
import threading
import time
from collections import Counter
from types import TracebackType
from typing import Self

from moonpost.testing.sink import Received
from moonpost.testing.stage import headers_of

SMALL = 100  # octets of content


class Load:
    """`with Load(port) as load:` sends from several threads; a connection that is lost is opened again.

    size: octets of each content. per_session: messages of one connection, 0: as many as there are.
    """

    def __init__(
        self,
        port: int,
        clients: int = 4,
        name: str = "load",
        *,
        size: int = SMALL,
        per_session: int = 0,
    ) -> None:
        self.port = port
        self.name = name
        self.acknowledged: set[str] = set()
        self.seconds: list[float] = []  # from MAIL to the last reply, of what was acknowledged
        self.lost = 0  # connections that could not be had, or ended early
        self._filling = ("x" * 70 + "\r\n") * (size // 72) + "x" * (size % 72)
        self._per_session = per_session
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._number = 0
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)

    def _next(self) -> str:
        with self._lock:
            self._number += 1
            return f"{self.name}-{self._number}"

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._session()
            except (smtplib.SMTPException, OSError):
                self.lost += 1
                self._stopping.wait(0.01)

    def _session(self) -> None:
        sent = 0
        with smtplib.SMTP("127.0.0.1", self.port, timeout=30) as client:
            while not self._stopping.is_set() and (
                not self._per_session or sent < self._per_session
            ):
                name = self._next()
                began = time.monotonic()
                message = f"Message-ID: <{name}>\r\n\r\n{self._filling}\r\n"
                client.sendmail("ann@x.test", ["bob@y.test"], message)
                self.acknowledged.add(name)
                self.seconds.append(time.monotonic() - began)
                sent += 1


class Arrivals(list[Received]):
    """In place of a Sink's `received`: counts names and forgets the messages."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.total = 0

    def append(self, message: Received) -> None:
        self.total += 1
        self.counts[name_of(message)] += 1


def name_of(message: Received) -> str:
    """The Message-ID without its brackets; empty when there is none."""
    return headers_of(message.content).get("message-id", [""])[0].strip("<>")


def names_of(received: list[Received]) -> list[str]:
    """The names of the messages that arrived, in order, as often as they did."""
    return [name_of(each) for each in received]
