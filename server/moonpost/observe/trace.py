"""Sessions written out line by line, both directions, with what policy said in between.

A tracer is asked once for each connection that begins; who is not traced pays for nothing more. Passwords and contents
are left out. Knows nothing of SMTP but the few words that begin either.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Final

from moonpost.observe.formats import text as printable
from moonpost.observe.logs import LogFile

ANY: Final = "*"
MOST_BYTES: Final = 100 << 20  # chosen: a forgotten tracer must not fill the disk
LONGEST: Final = 500  # characters of a line
SECRET: Final = "***"
HEARD, SAID, EVENT = "<", ">", "-"


@dataclass(slots=True)
class Tracer:
    """One `trace smtp add`: which connections, and where their lines go."""

    number: int
    file: LogFile
    binding: str = ANY  # outbound
    domain: str = ANY
    peer: str = ""  # inbound: an address or a network; empty: this one is for outbound
    written: int = 0

    def wants_outbound(self, binding: str, domain: str) -> bool:
        return not self.peer and self.binding in (ANY, binding) and self.domain in (ANY, domain)

    def wants_inbound(self, ip: str) -> bool:
        if not self.peer or self.peer == ANY:
            return self.peer == ANY
        return ip_address(ip) in ip_network(self.peer, strict=False)

    def write(self, line: str) -> None:
        if self.written > MOST_BYTES:
            return
        self.written += len(line) + 1
        self.file.write(line)
        if self.written > MOST_BYTES:
            self.file.write(f"tracer {self.number} stops: {MOST_BYTES} bytes are written")


class Tap:
    """One traced connection. `sent` and `heard` take the bytes as they go; `event` a remark."""

    def __init__(self, tracers: list[Tracer], label: str, now: Callable[[], float]) -> None:
        self._tracers, self.label, self._now = tracers, label, now
        self._secret_next = False  # the other side asked for credentials

    def sent(self, data: bytes, *, content: bool = False) -> None:
        self._lines(SAID, data, content)

    def heard(self, data: bytes, *, content: bool = False) -> None:
        self._lines(HEARD, data, content)

    def event(self, text: str) -> None:
        """Something that happened between the lines."""
        self._write(EVENT, text)

    def _lines(self, direction: str, data: bytes, content: bool) -> None:
        if content:
            self._write(direction, f"[{len(data)} bytes of content]")
            return
        for raw in data.decode("latin-1").splitlines():
            self._write(direction, self._without_secrets(raw))

    def _without_secrets(self, line: str) -> str:
        secret, self._secret_next = self._secret_next, False
        if line.startswith("334"):  # whoever answers, answers with something secret
            self._secret_next = True
        elif secret and not line[:3].isdigit():
            return SECRET
        words = line.split(" ")
        if words[0].upper() == "AUTH" and len(words) > 2:
            return " ".join([*words[:2], SECRET])
        return line

    def _write(self, direction: str, text: str) -> None:
        moment = datetime.fromtimestamp(self._now(), UTC).strftime("%H:%M:%S.%f")[:-3]
        shown = printable(text if len(text) <= LONGEST else text[:LONGEST] + "…")
        for tracer in self._tracers:
            tracer.write(f"{moment} {self.label} {direction} {shown}")


@dataclass(slots=True)
class Tracers:
    """All of them; asked when a connection begins."""

    now: Callable[[], float] = time.time
    mode: Callable[[], int] = lambda: 0o640
    active: dict[int, Tracer] = field(default_factory=dict)
    changed: Callable[[], None] = lambda: None  # told when one comes or goes
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def outbound(self, binding: str, domain: str, label: str) -> Tap | None:
        return self._tap(
            [t for t in self.active.values() if t.wants_outbound(binding, domain)], label
        )

    def inbound(self, ip: str, label: str) -> Tap | None:
        return self._tap([t for t in self.active.values() if t.wants_inbound(ip)], label)

    def _tap(self, tracers: list[Tracer], label: str) -> Tap | None:
        return Tap(tracers, label, self.now) if tracers else None

    def add(self, path: str, *, binding: str = ANY, domain: str = ANY, peer: str = "") -> int:
        """Connections that begin from now on are traced; the tracer's number. OSError, ValueError say why not."""
        if peer and peer != ANY:
            ip_network(peer, strict=False)
        number = next(self._numbers)
        file = LogFile(Path(path), self.mode())
        self.active[number] = Tracer(number, file, binding, domain.lower(), peer)
        self.changed()
        return number

    def remove(self, number: int) -> bool:
        """Trace no more; False when there is no such tracer."""
        tracer = self.active.pop(number, None)
        if tracer is None:
            return False
        tracer.written = MOST_BYTES + 1  # connections under way still know it
        tracer.file.close()
        self.changed()
        return True

    def of_sessions(self) -> list[tuple[int, str, str]]:
        """Number, file and peer of each tracer of inbound sessions: what another process follows."""
        return [(t.number, str(t.file.path), t.peer) for t in self.active.values() if t.peer]

    def follow(self, tracers: Iterable[tuple[int, str, str]]) -> None:
        """Have these and no others, with numbers and files of another process.

        A file that can't be opened here is left out: the process that leads could open it.
        """
        wanted = {number: (path, peer) for number, path, peer in tracers}
        for number in [number for number in self.active if number not in wanted]:
            self.remove(number)
        for number, (path, peer) in wanted.items():
            if number not in self.active:
                with suppress(OSError):
                    file = LogFile(Path(path), self.mode())
                    self.active[number] = Tracer(number, file, peer=peer)

    def close(self) -> None:
        for number in list(self.active):
            self.remove(number)
