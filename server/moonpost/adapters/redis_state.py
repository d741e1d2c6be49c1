"""Shared state in Redis or Valkey: what several workers and nodes count together.

Everything that reads and then writes is one script on the server, so that two workers cannot come between.
Time is this process's clock, handed in with each call. Definitions of gauges and series are kept here too:
every worker runs the same `init`.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import redis.asyncio as redis
from redis.exceptions import RedisError

from msys.lua.bytestr import to_bytes, to_str
from msys.ports import PortError
from msys.ports.memory_state import ENUMERATED_HOST_BITS, FAMILY, address, network

T = TypeVar("T")

ORPHAN_TTL_S = 86_400  # chosen: a counter without a path lives this long after its last use

# A handle is NUL and the counter's id; a path is looked up, and made when `make` is 1.
COUNTER = """
local function find(name, make, semantics, now)
    if string.sub(name, 1, 1) == '\\0' then return string.sub(name, 2) end
    local id = redis.call('HGET', KEYS[1], name)
    if not id and make == '1' then
        id = tostring(redis.call('INCR', KEYS[2]))
        redis.call('HSET', KEYS[1], name, id)
        redis.call('HSET', KEYS[3] .. id, 'value', 0, 'semantics', semantics, 'reset', now)
    end
    return id
end
local id = find(ARGV[2], ARGV[3], ARGV[4], ARGV[5])
if ARGV[1] == 'open' then return id end
if not id then return 0 end
local key = KEYS[3] .. id
if redis.call('TTL', key) > 0 then redis.call('EXPIRE', key, ARGV[7]) end
if ARGV[1] == 'add' then return redis.call('HINCRBY', key, 'value', ARGV[6]) end
if ARGV[1] == 'read' then return tonumber(redis.call('HGET', key, 'value') or 0) end
if ARGV[1] == 'reset' then redis.call('HSET', key, 'value', 0, 'reset', ARGV[5]) return 0 end
redis.call('HDEL', KEYS[1], ARGV[2])
redis.call('EXPIRE', key, ARGV[7])
return 0
"""

# Values in a hash, moments of change in a sorted set; `ttl` 0 never expires.
GAUGE = """
local function live(key)
    local changed = redis.call('ZSCORE', KEYS[2], key)
    if not changed then return 0 end
    if tonumber(ARGV[4]) > 0 and tonumber(ARGV[3]) - tonumber(changed) >= tonumber(ARGV[4]) then
        redis.call('ZREM', KEYS[2], key)
        redis.call('HDEL', KEYS[1], key)
        return 0
    end
    return tonumber(redis.call('HGET', KEYS[1], key) or 0)
end
local value = live(ARGV[2])
if ARGV[1] == 'get' then return value end
value = value + tonumber(ARGV[6])
if not redis.call('ZSCORE', KEYS[2], ARGV[2]) then
    local over = redis.call('ZCARD', KEYS[2]) + 1 - tonumber(ARGV[5])
    if over > 0 then
        for _, old in ipairs(redis.call('ZRANGE', KEYS[2], 0, over - 1)) do
            redis.call('ZREM', KEYS[2], old)
            redis.call('HDEL', KEYS[1], old)
        end
    end
end
redis.call('HSET', KEYS[1], ARGV[2], value)
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[2])
return value
"""


@dataclass(frozen=True, slots=True)
class _Gauge:
    maxelems: int
    ttl_s: float


@dataclass(frozen=True, slots=True)
class _Series:
    kind: str
    interval_s: float
    windows: int


def _text(reply: bytes | str) -> str:
    """What the server sent, as a Lua string."""
    return to_str(reply) if isinstance(reply, bytes) else reply


class RedisState:
    """The State port on a Redis or Valkey server. now: seconds since the epoch."""

    def __init__(self, url: str, now: Callable[[], float], prefix: str = "moonpost:") -> None:
        self._redis = redis.Redis.from_url(url)
        self._now = now
        self._prefix = prefix
        self._counter = self._redis.register_script(COUNTER)
        self._gauge = self._redis.register_script(GAUGE)
        self._gauges: dict[str, _Gauge] = {}
        self._series: dict[str, _Series] = {}

    async def close(self) -> None:
        await self._redis.aclose()

    async def _asked(self, question: Awaitable[T]) -> T:
        try:
            return await question
        except (RedisError, OSError) as error:
            raise PortError("UNREACHABLE", f"shared state: {error}") from error

    def _key(self, *parts: str) -> bytes:
        return to_bytes(self._prefix + ":".join(parts))

    # Counters.

    async def _count(
        self, verb: str, path: str, make: bool, delta: int = 0, semantics: str = "strict"
    ) -> Any:
        keys = [self._key("paths"), self._key("counter-ids"), self._key("counter", "")]
        words: list[Any] = [
            verb,
            to_bytes(path),
            int(make),
            semantics,
            self._now(),
            delta,
            ORPHAN_TTL_S,
        ]
        return await self._asked(self._counter(keys, words))

    async def counter_open(self, path: str, semantics: str) -> str:
        return "\0" + to_str(await self._count("open", path, True, semantics=semantics))

    async def counter_add(self, path: str, delta: int) -> int:
        return int(await self._count("add", path, True, delta))

    async def counter_read(self, path: str) -> int:
        return int(await self._count("read", path, False))

    async def counter_reset(self, path: str) -> None:
        await self._count("reset", path, True)

    async def counter_unlink(self, path: str) -> None:
        await self._count("unlink", path, False)

    async def counter_list(self) -> list[tuple[int, float, str, str]]:
        paths = await self._asked(self._redis.hgetall(self._key("paths")))
        found = []
        for path, number in sorted(paths.items()):
            key = self._key("counter", _text(number))
            value, reset, semantics = await self._asked(
                self._redis.hmget(key, ["value", "reset", "semantics"])
            )
            found.append(
                (int(value or 0), float(reset or 0), _text(semantics or b"strict"), _text(path))
            )
        return found

    # Gauge caches.

    def gauge_define(self, name: str, maxelems: int, ttl: float, replicated: bool) -> None:
        self._gauges[name] = _Gauge(maxelems, ttl)

    async def _gauged(self, verb: str, name: str, key: str, delta: int = 0) -> int:
        gauge = self._gauges.get(name)
        if gauge is None:
            raise PortError("UNDEFINED", f"no such gauge cache '{name}'")
        keys = [self._key("gauge", name), self._key("gauge-changes", name)]
        words: list[Any] = [verb, to_bytes(key), self._now(), gauge.ttl_s, gauge.maxelems, delta]
        return int(await self._asked(self._gauge(keys, words)))

    async def gauge_add(self, name: str, key: str, delta: int) -> int:
        return await self._gauged("add", name, key, delta)

    async def gauge_get(self, name: str, key: str) -> int:
        return await self._gauged("get", name, key)

    async def gauge_remove(self, name: str, key: str) -> None:
        await self._gauged("get", name, key)
        member = to_bytes(key)
        await self._asked(self._redis.hdel(self._key("gauge", name), member))
        await self._asked(self._redis.zrem(self._key("gauge-changes", name), member))

    # Audit series: a hash per window, address (as a number) or text -> count; it dies with its window.

    def series_define(
        self, name: str, kind: str, interval: float, windows: int, options: Mapping[str, Any]
    ) -> None:
        self._series[name] = _Series(kind, interval, windows)

    def _found(self, name: str) -> _Series:
        found = self._series.get(name)
        if found is None:
            raise PortError("UNDEFINED", f"no such audit series '{name}'")
        return found

    def _windows(self, name: str, series: _Series, start: int, end: int) -> list[bytes]:
        """The hashes of windows start to end, 0 being now."""
        number = int(self._now() // series.interval_s)
        shape = f"{series.kind}-{series.interval_s:g}-{series.windows}"
        last = min(end, series.windows - 1)
        return [
            self._key("series", name, shape, str(number - ago))
            for ago in range(max(start, 0), last + 1)
        ]

    def _member(self, series: _Series, key: str) -> bytes | None:
        """What a key is counted under; None for an address of the other family, or none."""
        if series.kind not in FAMILY:
            return to_bytes(key)
        where = address(key)
        if where is None or where.version != FAMILY[series.kind]:
            return None
        return b"%d" % int(where)

    async def series_add(self, name: str, key: str, count: float) -> None:
        series = self._found(name)
        member = self._member(series, key)
        if member is None:
            return
        window = self._windows(name, series, 0, 0)[0]
        async with self._redis.pipeline(transaction=False) as batch:
            batch.hincrbyfloat(window, to_str(member), count)
            batch.expire(window, int(series.interval_s * (series.windows + 1)) + 1)
            await self._asked(batch.execute())

    async def series_count(self, name: str, key: str, start: int, end: int) -> float:
        series = self._found(name)
        windows = self._windows(name, series, start, end)
        wanted: Callable[[int], bool] | None = None
        members: list[bytes] = [to_bytes(key)]
        if series.kind in FAMILY:
            block = network(key)
            if block is None or block.version != FAMILY[series.kind]:
                return 0
            first, size = int(block.network_address), block.num_addresses
            members = []
            if size <= 1 << ENUMERATED_HOST_BITS:
                members = [b"%d" % number for number in range(first, first + size)]
            else:
                wanted = range(first, first + size).__contains__
        total = 0.0
        for window in windows:
            if wanted is None:
                counts = await self._asked(self._redis.hmget(window, list(map(to_str, members))))
                total += sum(float(count) for count in counts if count is not None)
            else:
                stored = await self._asked(self._redis.hgetall(window))
                total += sum(
                    float(count) for number, count in stored.items() if wanted(int(number))
                )
        return int(total) if total.is_integer() else total

    async def series_remove(self, name: str, key: str) -> None:
        series = self._found(name)
        member = self._member(series, key)
        if member is not None:
            for window in self._windows(name, series, 0, series.windows):
                await self._asked(self._redis.hdel(window, to_str(member)))

    # Shares: as JSON, so that types come back.

    async def share_get(self, key: str) -> Any:
        found = await self._asked(self._redis.get(self._key("share", key)))
        return None if found is None else json.loads(found)

    async def share_set(self, key: str, value: Any) -> None:
        name = self._key("share", key)
        if value is None:
            await self._asked(self._redis.delete(name))
        else:
            await self._asked(self._redis.set(name, json.dumps(value)))
