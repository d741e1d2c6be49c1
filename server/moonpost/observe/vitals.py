"""What a process is doing at this moment, answered by a thread of its own: also while the event loop is stuck.

One Unix socket for each process, beside the spool. Who connects gets one JSON object and the end of the stream. The
thread only reads what others write, so figures may be a moment apart; it takes no lock that mail could wait for.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from moonpost.policy.timing import Spread
from msys.lua.stack import levels

PREFIX: Final = "vitals-"
SUFFIX: Final = ".sock"
BEAT_S: Final = 0.25  # chosen: how exactly one sees since when the loop is stuck
STUCK_S: Final = 1.0  # chosen: later than this and something holds the loop up
TRIES: Final = 20  # a table that grows while it is read is read again

Facts = Callable[[], Mapping[str, Any]]


class Vitals:
    """The thread and its socket. `beat` is to be called by the event loop every BEAT_S."""

    def __init__(self, folder: Path, facts: Facts) -> None:
        self.path = folder / f"{PREFIX}{os.getpid()}{SUFFIX}"
        self._facts = facts
        self._loop_thread = threading.get_ident()
        self._beaten_at = time.monotonic()
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """OSError when the socket cannot be opened."""
        self.path.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        old = os.umask(0o177)
        try:
            listening.bind(str(self.path))
        except OSError:
            listening.close()
            raise
        finally:
            os.umask(old)
        listening.listen(8)
        self._socket = listening
        self._thread = threading.Thread(target=self._serve, name="vitals", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
        if self._thread is not None:
            self._thread.join(1.0)
        self.path.unlink(missing_ok=True)

    def beat(self) -> None:
        """The event loop has come round."""
        self._beaten_at = time.monotonic()

    def _serve(self) -> None:
        assert self._socket is not None
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return  # stopped
            with connection, contextlib.suppress(OSError):
                connection.settimeout(2.0)
                connection.sendall(json.dumps(self.snapshot()).encode())

    def snapshot(self) -> dict[str, Any]:
        """Everything at this moment."""
        late_s = max(0.0, time.monotonic() - self._beaten_at - BEAT_S)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        found: dict[str, Any] = {
            "pid": os.getpid(),
            "at": time.time(),
            "cpu_s": usage.ru_utime + usage.ru_stime,
            "memory_kib": _resident_kib(usage.ru_maxrss),
            "late_s": round(late_s, 3),
        }
        if late_s > STUCK_S:
            found["stuck_in"] = self._where()
        return {**found, **self._read()}

    def _read(self) -> Mapping[str, Any]:
        for _ in range(TRIES):
            with contextlib.suppress(RuntimeError):  # changed size during iteration
                return self._facts()
        return {}

    def _where(self) -> list[str]:
        """Where the event loop's thread is: its Lua lines, innermost first, or the Python ones when there are none."""
        frame = sys._current_frames().get(self._loop_thread)
        lua = [level.where.rstrip(": ") for level in levels(frame) if level.map is not None]
        if lua:
            return lua
        python: list[str] = []
        while frame is not None and len(python) < 5:
            name = Path(frame.f_code.co_filename)
            python.append(f"{name.parent.name}/{name.name}:{frame.f_lineno}")
            frame = frame.f_back
        return python


def _resident_kib(peak_kib: int) -> int:
    """Memory at this moment where the system tells, the peak otherwise."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return peak_kib
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def spread_row(callout: str, spread: Spread) -> dict[str, Any]:
    """One callout's times, in milliseconds."""
    return {
        "callout": callout,
        "count": spread.count,
        "total_ms": round(spread.total_s * 1000, 3),
        "longest_ms": round(spread.longest_s * 1000, 3),
    }


def ask(path: Path, timeout_s: float = 2.0) -> dict[str, Any]:
    """What a process says at this moment. OSError when none answers, ValueError when it is not one of ours."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        connection.connect(str(path))
        data = b""
        while piece := connection.recv(1 << 16):
            data += piece
    said = json.loads(data)
    if not isinstance(said, dict):
        raise ValueError(f"{path}: not an answer of moonpost")
    return said


def sockets(folder: Path) -> list[Path]:
    """Those of the processes of one server."""
    return sorted(folder.glob(f"{PREFIX}*{SUFFIX}"))
