"""`moonpost serve` as a process of its own, as an operator starts it, for tests and the demo.

Knows a configuration file and nothing of what is in it.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

READY_TIMEOUT_S = 60.0
MOONPOST = (sys.executable, "-m", "moonpost")


class Serving:
    """A configuration in a folder of its own; `start`, `stop`, `kill` and `reload` act on its server."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self.folder = config.parent
        (self.folder / "var").mkdir(exist_ok=True)
        self.server: subprocess.Popen[str] | None = None
        self.port = 0
        self.errors = self.folder / "var" / "stderr.txt"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def edit(self, old: str, new: str) -> None:
        """Change the configuration's text."""
        text = self.config.read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {self.config}"
        self.config.write_text(text.replace(old, new), encoding="utf-8")

    def start(self, *options: str, program: Sequence[str] = MOONPOST) -> dict[str, Any]:
        """Start the server; returns its ready line. Raises RuntimeError with its words when it does not start."""
        with self.errors.open("a", encoding="utf-8") as errors:
            self.server = subprocess.Popen(
                [*program, "serve", *options, str(self.config)],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self.server.stdout is not None
        watchdog = threading.Timer(READY_TIMEOUT_S, self.server.kill)
        watchdog.start()
        line = self.server.stdout.readline()
        watchdog.cancel()
        if not line:
            self.server.wait(10)
            raise RuntimeError(
                f"the server did not start:\n{self.errors.read_text(encoding='utf-8')}"
            )
        ready: dict[str, Any] = json.loads(line)
        self.port = int(ready["listeners"]["esmtp"][0].rsplit(":", 1)[1])
        return ready

    def kill(self) -> None:
        """End the server as a power failure would end it."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Ask the server to stop; returns its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        server, self.server = self.server, None
        if server is None:
            return 0
        server.send_signal(number)
        code = server.wait(60)
        assert server.stdout is not None
        server.stdout.close()
        return code

    def console(self, *words: str) -> str:
        """One console command; its reply."""
        done = subprocess.run(
            [
                *MOONPOST,
                "console",
                str(self.folder / "var" / "console.sock"),
                *words,
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout + done.stderr

    def log(self, name: str) -> str:
        """The text of a log file, empty when there is none."""
        path = self.folder / "var" / name
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def reload(self) -> None:
        """Ask for a reload as an operator would with kill -HUP."""
        assert self.server is not None
        self.server.send_signal(signal.SIGHUP)
