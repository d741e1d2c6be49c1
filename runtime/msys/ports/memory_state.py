"""Shared state inside one process: counters, gauge caches, audit series, shares.

Deterministic: time is asked of the clock it is given, and nothing happens between calls. The
server uses it when no shared store is configured, tests and `moonpost sim` always. Knows nothing of
policy; keys and values are plain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, TypedDict

from msys.ports import PortError

# A /24 or a /120 is asked for address by address; wider blocks walk what is stored.
ENUMERATED_HOST_BITS = 8

FAMILY = {
    "cidr": 4,
    "cidr_ipv6": 6,
}  # audit series kinds that count addresses; "string" is the other one


@dataclass(slots=True)
class _Counter:
    path: str
    semantics: str
    reset_at: float
    value: int = 0


@dataclass(slots=True)
class _Gauge:
    maxelems: int
    ttl_s: float
    entries: dict[str, tuple[int, float]] = field(default_factory=dict)  # oldest change first


@dataclass(slots=True)
class Windows:
    """Counts per key in windows of equal length; window 0 is the one that time is in now."""

    interval_s: float
    windows: int
    buckets: dict[Any, dict[int, float]] = field(
        default_factory=dict
    )  # key -> window number -> count
    swept: int = 0

    def add(self, key: Any, count: float, now: float) -> None:
        number = int(now // self.interval_s)
        bucket = self.buckets.setdefault(key, {})
        bucket[number] = bucket.get(number, 0) + count
        if len(bucket) > self.windows:
            for old in [n for n in bucket if n <= number - self.windows]:
                del bucket[old]
        if number - self.swept >= self.windows:
            self._sweep(number)

    def total(self, key: Any, start: int, end: int, now: float) -> float:
        bucket = self.buckets.get(key)
        if bucket is None:
            return 0
        number = int(now // self.interval_s)
        last = min(end, self.windows - 1)
        return sum(
            count for n, count in bucket.items() if number - last <= n <= number - max(start, 0)
        )

    def remove(self, key: Any) -> None:
        self.buckets.pop(key, None)

    def _sweep(self, number: int) -> None:
        """Forget keys that no window can show any more; once per full turn of the windows."""
        self.swept = number
        oldest = number - self.windows + 1
        for key in [k for k, bucket in self.buckets.items() if max(bucket) < oldest]:
            del self.buckets[key]


def network(text: str) -> IPv4Network | IPv6Network | None:
    """`ip/mask` or `ip` as the block around it; None when it is no address."""
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError:
        return None


def address(text: str) -> IPv4Address | IPv6Address | None:
    """The address in `text`, with IPv4 taken out of IPv4-mapped IPv6; None when there is none."""
    try:
        found = ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def block_total(
    counts: Windows, block: IPv4Network | IPv6Network, start: int, end: int, now: float
) -> float:
    """Sum over all stored addresses inside `block`; keys are integers of the block's family."""
    first = int(block.network_address)
    size = block.num_addresses
    if size <= 1 << ENUMERATED_HOST_BITS and size < len(counts.buckets):
        return sum(counts.total(key, start, end, now) for key in range(first, first + size))
    inside = [key for key in counts.buckets if first <= key < first + size]
    return sum(counts.total(key, start, end, now) for key in inside)


@dataclass(slots=True)
class _Series:
    kind: str
    counts: Windows


class SeriesContent(TypedDict):
    """A whole series as plain values: key -> window number -> count, both numbers as text."""

    kind: str
    interval_s: float
    windows: int
    counts: dict[str, dict[str, float]]


class MemoryState:
    """The State port, kept in dictionaries of this process; gone at exit."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._paths: dict[str, _Counter] = {}
        self._handles: dict[str, _Counter] = {}
        self._gauges: dict[str, _Gauge] = {}
        self._series: dict[str, _Series] = {}
        self._shares: dict[str, Any] = {}

    # Counters. A handle starts with NUL, which no path does, and goes on working after an unlink.

    def counter_open(self, path: str, semantics: str) -> str:
        found = self._counter(path, semantics)
        handle = f"\0{id(found):x}"
        self._handles[handle] = found
        return handle

    def counter_add(self, path: str, delta: int) -> int:
        found = self._counter(path)
        found.value += delta
        return found.value

    def counter_read(self, path: str) -> int:
        found = self._handles.get(path) if path.startswith("\0") else self._paths.get(path)
        return 0 if found is None else found.value

    def counter_reset(self, path: str) -> None:
        found = self._counter(path)
        found.value, found.reset_at = 0, self._now()

    def counter_unlink(self, path: str) -> None:
        self._paths.pop(path, None)

    def counter_list(self) -> list[tuple[int, float, str, str]]:
        return [
            (found.value, found.reset_at, found.semantics, path)
            for path, found in sorted(self._paths.items())
        ]

    def _counter(self, path: str, semantics: str = "strict") -> _Counter:
        if path.startswith("\0"):
            return self._handles[path]
        found = self._paths.get(path)
        if found is None:
            found = self._paths[path] = _Counter(path, semantics, self._now())
        return found

    # Gauge caches: time to live counts from the last change; a full cache drops the oldest one.

    def gauge_define(self, name: str, maxelems: int, ttl: float, replicated: bool) -> None:
        found = self._gauges.get(name)
        if found is None:
            self._gauges[name] = _Gauge(maxelems, ttl)
            return
        found.maxelems, found.ttl_s = maxelems, ttl
        while len(found.entries) > maxelems > 0:
            del found.entries[next(iter(found.entries))]

    def gauge_add(self, name: str, key: str, delta: int) -> int:
        gauge = self._gauge(name)
        value = self._live(gauge, key) + delta
        gauge.entries.pop(key, None)
        if 0 < gauge.maxelems <= len(gauge.entries):
            del gauge.entries[next(iter(gauge.entries))]
        gauge.entries[key] = (value, self._now())
        return value

    def gauge_get(self, name: str, key: str) -> int:
        return self._live(self._gauge(name), key)

    def gauge_remove(self, name: str, key: str) -> None:
        self._gauge(name).entries.pop(key, None)

    def _gauge(self, name: str) -> _Gauge:
        found = self._gauges.get(name)
        if found is None:
            raise PortError("UNDEFINED", f"no such gauge cache '{name}'")
        return found

    def _live(self, gauge: _Gauge, key: str) -> int:
        found = gauge.entries.get(key)
        if found is None:
            return 0
        value, changed_at = found
        if gauge.ttl_s > 0 and self._now() - changed_at >= gauge.ttl_s:
            del gauge.entries[key]
            return 0
        return value

    # Audit series. CIDR kinds are keyed by address as an integer; the wrong family counts nothing.

    def series_define(
        self, name: str, kind: str, interval: float, windows: int, options: Mapping[str, Any]
    ) -> None:
        found = self._series.get(name)
        shape = (kind, interval, windows)
        if found is None or (found.kind, found.counts.interval_s, found.counts.windows) != shape:
            self._series[name] = _Series(kind, Windows(interval, windows))

    def series_add(self, name: str, key: str, count: float) -> None:
        found = self._find(name)
        if found.kind not in FAMILY:
            found.counts.add(key, count, self._now())
            return
        where = address(key)
        if where is not None and where.version == FAMILY[found.kind]:
            found.counts.add(int(where), count, self._now())

    def series_count(self, name: str, key: str, start: int, end: int) -> float:
        found = self._find(name)
        if found.kind not in FAMILY:
            return found.counts.total(key, start, end, self._now())
        block = network(key)
        if block is None or block.version != FAMILY[found.kind]:
            return 0
        return block_total(found.counts, block, start, end, self._now())

    def series_remove(self, name: str, key: str) -> None:
        found = self._find(name)
        if found.kind not in FAMILY:
            found.counts.remove(key)
        elif (where := address(key)) is not None:
            found.counts.remove(int(where))

    def series_content(self, name: str) -> SeriesContent:
        """Everything a series holds, to be kept elsewhere."""
        found = self._find(name)
        counts = {
            str(key): {str(number): count for number, count in bucket.items()}
            for key, bucket in found.counts.buckets.items()
        }
        return SeriesContent(
            kind=found.kind,
            interval_s=found.counts.interval_s,
            windows=found.counts.windows,
            counts=counts,
        )

    def fill_series(self, name: str, content: SeriesContent) -> None:
        """Put in what `series_content` of a series of the same shape gave."""
        found = self._find(name)
        for key, bucket in content["counts"].items():
            where: Any = int(key) if found.kind in FAMILY else key
            counted = {int(number): count for number, count in bucket.items()}
            found.counts.buckets[where] = counted

    def _find(self, name: str) -> _Series:
        found = self._series.get(name)
        if found is None:
            raise PortError("UNDEFINED", f"no such audit series '{name}'")
        return found

    # Shares.

    def share_get(self, key: str) -> Any:
        return self._shares.get(key)

    def share_set(self, key: str, value: Any) -> None:
        if value is None:
            self._shares.pop(key, None)
        else:
            self._shares[key] = value
