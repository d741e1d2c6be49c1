"""What is left of a file when the power goes: its synced writes, and no others.

Reads the trace that strace makes of a writer (`TRACE` are the arguments) and plays it back: a write counts when a sync
of its descriptor has returned, or at once when the descriptor syncs by itself (O_DSYNC). Lines that the writer puts on
its standard output are points in time; a test asks what the file held then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

CALLS = "openat,close,lseek,write,writev,pwrite64,pwritev,fdatasync,fsync,msync"
TRACE = ("-f", "-xx", "-s", "100000000", "-e", f"trace={CALLS}")

_LINE = re.compile(r"(\d+) +(.*)")
_UNFINISHED = re.compile(r"(.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)$")
_CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


@dataclass(slots=True)
class Disk:
    """One file, as it would be found after a power cut."""

    synced: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes]] = field(default_factory=list)

    def write(self, offset: int, data: bytes, *, now: bool) -> None:
        if now:
            self._apply(offset, data)
        else:
            self.pending.append((offset, data))

    def sync(self) -> None:
        for offset, data in self.pending:
            self._apply(offset, data)
        self.pending.clear()

    def _apply(self, offset: int, data: bytes) -> None:
        missing = offset + len(data) - len(self.synced)
        if missing > 0:
            self.synced.extend(bytes(missing))
        self.synced[offset : offset + len(data)] = data


def replay(trace: Path, name: str) -> Iterator[tuple[str, Disk]]:
    """(what the writer said, the file called `name` at that moment), for every line on its standard output."""
    disk = Disk()
    syncs_itself: dict[int, bool] = {}  # descriptors of the file
    position: dict[int, int] = {}
    for call, arguments, result in _calls(trace):
        if call == "openat":
            if name.encode() in b"".join(_bytes(arguments)) and result >= 0:
                syncs_itself[result] = "O_DSYNC" in arguments
            continue
        descriptor = int(arguments.partition(",")[0])
        if descriptor == 1 and call == "write":
            for line in b"".join(_bytes(arguments)).decode().splitlines():
                yield line, disk
        if descriptor not in syncs_itself:
            continue
        data = b"".join(_bytes(arguments))
        if call == "close":
            del syncs_itself[descriptor]
        elif call == "lseek":
            position[descriptor] = result
        elif call in ("pwrite64", "pwritev"):
            offset = int(arguments.rpartition(",")[2])
            disk.write(offset, data, now=syncs_itself[descriptor])
        elif call in ("write", "writev"):
            offset = position.get(descriptor, 0)
            disk.write(offset, data, now=syncs_itself[descriptor])
            position[descriptor] = offset + len(data)
        elif call in ("fdatasync", "fsync"):
            disk.sync()


def _calls(trace: Path) -> Iterator[tuple[str, str, int]]:
    """Calls as they return; what goes to standard output as it begins."""
    begun: dict[str, str] = {}
    for line in trace.read_text().splitlines():
        parts = _LINE.match(line)
        if parts is None:
            continue
        process, text = parts.groups()
        unfinished, resumed = _UNFINISHED.match(text), _RESUMED.match(text)
        if unfinished is not None:
            if unfinished[1].startswith("write(1,"):
                text = f"{unfinished[1]}) = 0"
            else:
                begun[process] = unfinished[1]
                continue
        elif resumed is not None:
            if process not in begun:
                continue
            text = begun.pop(process) + resumed[1]
        call = _CALL.match(text)
        if call is not None:
            yield call[1], call[2], int(call[3])


def _bytes(arguments: str) -> list[bytes]:
    return [bytes.fromhex(found.replace("\\x", "")) for found in _TEXT.findall(arguments)]
