"""`msys.os`: free space of file systems, watched at an interval."""

from __future__ import annotations

import errno
import os as stdlib_os
from dataclasses import dataclass
from typing import Any

from msys.arguments import check_number, check_string
from msys.catalog.binding import documented
from msys.lua import Userdata
from msys.lua.bytestr import to_bytes
from msys.ports import current, wait

__all__ = ["Statvfs", "StatvfsRecord", "statvfs_read", "statvfs_subscribe"]

DEFAULT_INTERVAL_S = 60.0  # chosen: what interval 0 means
VERSION = 1


class Statvfs(Userdata):
    """One snapshot of a file system, in kilobytes and objects (inodes)."""

    __slots__ = (
        "kilobytes_available",
        "kilobytes_total",
        "objects_available",
        "objects_total",
        "version",
    )
    lua_type = "msys.core:ec_statvfs_t"
    lua_fields = frozenset(__slots__)

    def __init__(self, found: stdlib_os.statvfs_result) -> None:
        self.version = VERSION
        self.kilobytes_available = found.f_bavail * found.f_frsize // 1024
        self.kilobytes_total = found.f_blocks * found.f_frsize // 1024
        self.objects_available = found.f_favail
        self.objects_total = found.f_files


class StatvfsRecord(Userdata):
    """A subscription, as `statvfs_subscribe` gives it."""

    __slots__ = ("path",)
    lua_type = "msys.core:ec_statvfs_record_t"
    lua_fields = frozenset({"path"})

    def __init__(self, path: str) -> None:
        self.path = path


@dataclass(slots=True)
class _Watched:
    interval_s: float
    taken_at: float = 0.0
    snapshot: Statvfs | None = None


def _watched() -> dict[str, _Watched]:
    found: dict[str, _Watched] = current().ports.services.setdefault("msys.os", {})
    return found


@documented(
    "msys.os.statvfs_subscribe", assumed="interval 0 is 60 seconds; snapshots are taken when read"
)
def statvfs_subscribe(path: str, interval: float) -> StatvfsRecord | None:
    """Watch the file system that holds `path`, with a snapshot at most `interval` seconds old (0: 60).

    Several subscriptions of a path share the smallest interval. Source:
    lua.ref.msys.os.statvfs_subscribe.
    """
    name = check_string("statvfs_subscribe", 1, path)
    seconds = float(check_number("statvfs_subscribe", 2, interval))
    wanted_s = seconds if seconds > 0 else DEFAULT_INTERVAL_S
    known = _watched().get(name)
    if known is None:
        _watched()[name] = _Watched(wanted_s)
    else:
        known.interval_s = min(known.interval_s, wanted_s)
    return StatvfsRecord(name)


@documented(
    "msys.os.statvfs_read",
    assumed="path and record are both taken; a path nobody watches is an error",
)
def statvfs_read(path: str | StatvfsRecord) -> tuple[Statvfs | None, str | None]:
    """The snapshot of a watched path (or of the record that subscribing gave); nil and a text on failure.

    Waits when a new snapshot is due. Source: lua.ref.msys.os.statvfs_read.
    """
    name = path.path if isinstance(path, StatvfsRecord) else check_string("statvfs_read", 1, path)
    known = _watched().get(name)
    if known is None:
        return None, f"{name}: not subscribed; call msys.os.statvfs_subscribe first"
    ports = current().ports
    now = ports.clock.monotonic()
    if known.snapshot is None or now - known.taken_at >= known.interval_s:
        try:
            found: Any = wait(ports.pools.run("IO", lambda: stdlib_os.statvfs(to_bytes(name))))
        except (OSError, ValueError) as error:
            code = getattr(error, "errno", None) or errno.EINVAL
            return None, f"{name}: {stdlib_os.strerror(code)}"
        known.snapshot, known.taken_at = Statvfs(found), now
    return known.snapshot, None
