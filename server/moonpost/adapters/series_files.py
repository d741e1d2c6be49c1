"""Shared state of one process that keeps audit series over a restart, and logs what they count, as policy asks.

`persist` series are written to one file each, whole or not at all, when `save` is called and at the end; they are
read when policy defines them again with the same shape. `serialize` series get one line for each count in a log. A
disk that fails is told in the panic log; counting goes on.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

from msys.ports import Log
from msys.ports.memory_state import FAMILY, MemoryState, SeriesContent


class SeriesFiles(MemoryState):
    """The State port. folder: where series are kept; log_folder: where their counts are logged."""

    def __init__(self, now: Callable[[], float], folder: Path, log_folder: Path, log: Log) -> None:
        super().__init__(now)
        self._clock = now
        self._folder = folder
        self._log_folder = log_folder
        self._log = log
        self._kept: set[str] = set()
        self._journals: dict[str, TextIO] = {}

    def series_define(
        self, name: str, kind: str, interval: float, windows: int, options: Mapping[str, Any]
    ) -> None:
        super().series_define(name, kind, interval, windows, options)
        if options.get("persist") and name not in self._kept:
            self._kept.add(name)
            self._load(name)
        if options.get("serialize") and name not in self._journals:
            self._open_journal(name)

    def series_add(self, name: str, key: str, count: float) -> None:
        super().series_add(name, key, count)
        journal = self._journals.get(name)
        if journal is not None:
            line = {"time": int(self._clock()), "key": key, "count": count}
            self._attempt(name, lambda: journal.write(json.dumps(line) + "\n"))

    def save(self) -> None:
        """Write every series that is to be kept, and what the logs hold back."""
        self._write_all(self._contents())

    async def save_aside(self) -> None:
        """The same, with the disk waited for in a thread."""
        await asyncio.to_thread(self._write_all, self._contents())

    def _contents(self) -> dict[str, SeriesContent]:
        return {name: self.series_content(name) for name in self._kept}

    def _write_all(self, contents: dict[str, SeriesContent]) -> None:
        for name, content in contents.items():
            self._attempt(name, partial(self._write, name, content))
        for name, journal in tuple(self._journals.items()):
            self._attempt(name, journal.flush)

    def close(self) -> None:
        self.save()
        for journal in self._journals.values():
            journal.close()
        self._journals.clear()

    def path_of(self, name: str) -> Path:
        return self._folder / f"{quote(name, safe='')}.json"

    def _write(self, name: str, content: SeriesContent) -> None:
        path = self.path_of(name)
        self._folder.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".new")
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)

    def _load(self, name: str) -> None:
        path = self.path_of(name)
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            self._tell(name, error, f"it starts empty; {path} is left as it is until the next save")
            return
        if _fits(found, self.series_content(name)):
            self.fill_series(name, found)
        else:
            self._tell(name, f"{path} has another shape", "it starts empty")

    def _open_journal(self, name: str) -> None:
        def opened() -> None:
            self._log_folder.mkdir(parents=True, exist_ok=True)
            path = self._log_folder / f"{quote(name, safe='')}.log"
            self._journals[name] = path.open("a", encoding="utf-8")

        self._attempt(name, opened)

    def _attempt(self, name: str, action: Callable[[], Any]) -> None:
        try:
            action()
        except OSError as error:
            self._tell(name, error, "counting goes on")

    def _tell(self, name: str, problem: object, consequence: str) -> None:
        self._log.panic(
            "inbound_audit", f"audit series '{name}': {problem}; {consequence}", "warning"
        )


def _fits(found: Any, wanted: SeriesContent) -> bool:
    """Whether a file holds a series of this shape, and nothing else."""
    shape = ("kind", "interval_s", "windows")
    if not isinstance(found, dict) or any(found.get(k) != wanted[k] for k in shape):  # type: ignore[literal-required]
        return False
    counts = found.get("counts")
    numeric = found["kind"] in FAMILY
    return isinstance(counts, dict) and all(
        (not numeric or key.isdigit())
        and isinstance(bucket, dict)
        and all(
            number.isdigit() and isinstance(count, int | float) for number, count in bucket.items()
        )
        for key, bucket in counts.items()
    )
