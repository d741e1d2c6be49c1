"""Clients that send mail until they are told to stop, and remember what was acknowledged."""

from __future__ import annotations

import smtplib
import threading
from types import TracebackType
from typing import Self

from moonpost.testing.sink import Received
from moonpost.testing.stage import headers_of


class Load:
    """`with Load(port) as load:` sends from several threads; a connection that is lost is opened again."""

    def __init__(self, port: int, clients: int = 4, name: str = "load") -> None:
        self.port = port
        self.name = name
        self.acknowledged: set[str] = set()
        self.refused = 0  # connections and replies that were no 250
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
                with smtplib.SMTP("127.0.0.1", self.port, timeout=30) as client:
                    while not self._stopping.is_set():
                        name = self._next()
                        client.sendmail(
                            "ann@x.test", ["bob@y.test"], f"Message-ID: <{name}>\r\n\r\nx\r\n"
                        )
                        self.acknowledged.add(name)
            except (smtplib.SMTPException, OSError):
                self.refused += 1
                self._stopping.wait(0.01)


def names_of(received: list[Received]) -> list[str]:
    """The names of the messages that arrived, in order, as often as they did."""
    return [headers_of(each.content)["message-id"][0].strip("<>") for each in received]
