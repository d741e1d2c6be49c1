"""SQL datasources of policy, by SQLAlchemy's asyncio engine, with the documented result cache.

One engine per connection URI, opened at first use. Several URIs of one datasource are used in turn; one
that cannot be reached is passed over. Text is UTF-8 outside; a Lua string that is no UTF-8 goes out as
bytes, so every byte comes back.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from msys.lua.bytestr import to_bytes, to_str
from msys.ports import PortError
from msys.ports.placeholders import MissingParameter, named

Row = dict[str | int, Any]

# URI scheme as Momentum or people write it -> SQLAlchemy driver
DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
    "pgsql": "postgresql+asyncpg",
    "mysql": "mysql+asyncmy",
    "mariadb": "mysql+asyncmy",
}
CONNINFO = {  # libpq and MySQL keyword -> what it is in a URL
    "host": "host",
    "hostaddr": "host",
    "server": "host",
    "port": "port",
    "dbname": "database",
    "database": "database",
    "db": "database",
    "user": "username",
    "uid": "username",
    "password": "password",
    "passwd": "password",
    "pwd": "password",
}


@dataclass(frozen=True, slots=True)
class Datasource:
    """A `Datasource` stanza."""

    uris: tuple[str, ...]
    cache_life_s: float = 3600.0
    cache_size: int = 1000
    max_rows: int = 100  # -1: all
    no_cache: bool = False


def url_of(uri: str) -> URL:
    """A `driver:rest` URI as SQLAlchemy's URL: a real URL, a sqlite path, or `key=value` words.

    PortError for a driver that is not provided.
    """
    scheme, _, rest = uri.partition(":")
    driver = DRIVERS.get(scheme.lower().split("+")[0])
    if driver is None:
        known = ", ".join(sorted(DRIVERS))
        raise PortError("UNKNOWN_DRIVER", f"datasource driver '{scheme}' is not provided ({known})")
    if rest.startswith("//") and "+" in scheme:
        return make_url(uri)
    if driver.startswith("sqlite"):
        path = rest.removeprefix("///") if rest.startswith("///") else rest
        return URL.create(driver, database=path or ":memory:")
    if rest.startswith("//"):
        return make_url(uri).set(drivername=driver)
    words = dict(word.partition("=")[::2] for word in rest.replace(";", " ").split())
    parts: dict[str, Any] = {}
    for key, value in words.items():
        name = CONNINFO.get(key.lower())
        if name is None:
            raise PortError("BAD_URI", f"datasource URI: '{key}' is not known")
        parts[name] = int(value) if name == "port" else value
    return URL.create(driver, **parts)


def outgoing(value: Any) -> Any:
    """A Lua value as a driver takes it."""
    if not isinstance(value, str) or value.isascii():
        return value
    content = to_bytes(value)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content


def incoming(value: Any) -> Any:
    """A driver's value with its text as a Lua string; numbers, dates and the like stay."""
    if isinstance(value, str):
        return value if value.isascii() else to_str(value.encode("utf-8"))
    if isinstance(value, bytes | bytearray | memoryview):
        return to_str(bytes(value))
    return value


@dataclass(slots=True)
class _Source:
    settings: Datasource
    turn: count[int] = field(default_factory=count)
    results: OrderedDict[Any, tuple[float, list[Row]]] = field(default_factory=OrderedDict)


class Databases:
    """The Database port. `now` is monotonic seconds."""

    def __init__(self, sources: Mapping[str, Datasource], *, now: Callable[[], float]) -> None:
        self._now = now
        self._sources = {name: _Source(settings) for name, settings in sources.items()}
        self._engines: dict[str, AsyncEngine] = {}

    def query(
        self,
        cachename: str,
        sql: str,
        params: Sequence[Any] | Mapping[str, Any],
        *,
        nocache: bool,
    ) -> list[Row] | Awaitable[list[Row]]:
        source = self._source(cachename)
        if nocache or source.settings.no_cache:
            return self._fetch(cachename, source, sql, params)
        key = (sql, _frozen(params))
        kept = source.results.get(key)
        if kept is not None:
            until, rows = kept
            if until > self._now():
                source.results.move_to_end(key)
                return [dict(row) for row in rows]
            del source.results[key]
        return self._fetch_and_keep(cachename, source, sql, params, key)

    async def execute(
        self, cachename: str, sql: str, params: Sequence[Any] | Mapping[str, Any]
    ) -> int:
        source = self._source(cachename)
        _, changed = await self._run(cachename, source, sql, params, fetch=False)
        return changed

    def flush(self, cachename: str) -> int:
        """Forget cached results; how many there were."""
        results = self._source(cachename).results
        found = len(results)
        results.clear()
        return found

    async def close(self) -> None:
        engines, self._engines = self._engines, {}
        for engine in engines.values():
            await engine.dispose()

    def _source(self, cachename: str) -> _Source:
        found = self._sources.get(cachename)
        if found is None:
            known = ", ".join(sorted(self._sources)) or "none is configured"
            raise PortError(
                "UNKNOWN_DATASOURCE", f"no datasource named '{cachename}' (there is: {known})"
            )
        return found

    async def _fetch(self, cachename: str, source: _Source, sql: str, params: Any) -> list[Row]:
        rows, _ = await self._run(cachename, source, sql, params, fetch=True)
        return rows

    async def _fetch_and_keep(
        self, cachename: str, source: _Source, sql: str, params: Any, key: Any
    ) -> list[Row]:
        rows = await self._fetch(cachename, source, sql, params)
        source.results[key] = (self._now() + source.settings.cache_life_s, rows)
        while len(source.results) > source.settings.cache_size:
            source.results.popitem(last=False)
        return [dict(row) for row in rows]

    async def _run(
        self, cachename: str, source: _Source, sql: str, params: Any, *, fetch: bool
    ) -> tuple[list[Row], int]:
        try:
            statement, values = named(sql, params, "\\:")
        except MissingParameter as error:
            raise PortError("PARAMETERS", f"{cachename}: {error}") from None
        statement = _utf8(statement)
        values = {name: outgoing(value) for name, value in values.items()}
        uris = source.settings.uris
        first = next(source.turn) % len(uris)
        unreachable: BaseException | None = None
        for step in range(len(uris)):
            uri = uris[(first + step) % len(uris)]
            try:
                connection = await self._engine(uri).connect()
            except (DBAPIError, OSError, TimeoutError) as error:
                unreachable = error
                continue
            except (ArgumentError, NoSuchModuleError, ImportError) as error:
                raise PortError("BAD_URI", f"{cachename}: {error}") from error
            try:
                return await _execute(cachename, connection, statement, values, fetch, source)
            finally:
                await connection.close()
        raise PortError("UNREACHABLE", f"{cachename}: cannot connect: {unreachable}")

    def _engine(self, uri: str) -> AsyncEngine:
        engine = self._engines.get(uri)
        if engine is None:
            url = url_of(uri)
            options = {} if url.drivername.startswith("sqlite") else {"pool_pre_ping": True}
            engine = self._engines[uri] = create_async_engine(url, **options)
        return engine


async def _execute(
    cachename: str, connection: Any, statement: str, values: Any, fetch: bool, source: _Source
) -> tuple[list[Row], int]:
    try:
        result = await connection.execute(text(statement), values)
        rows: list[Row] = []
        if fetch and result.returns_rows:
            names = list(result.keys())
            found = (
                result.fetchall()
                if source.settings.max_rows < 0
                else result.fetchmany(source.settings.max_rows)
            )
            rows = [
                {
                    to_str(name.encode("utf-8")): incoming(value)
                    for name, value in zip(names, row, strict=True)
                }
                for row in found
            ]
        changed = int(result.rowcount)
        result.close()
        await connection.commit()
    except asyncio.CancelledError:
        raise
    except SQLAlchemyError as error:
        detail = getattr(error, "orig", None) or error
        raise PortError("SQL", f"{cachename}: {detail}") from error
    return rows, changed


def _utf8(statement: str) -> str:
    value = outgoing(statement)
    return value if isinstance(value, str) else statement


def _frozen(params: Sequence[Any] | Mapping[str, Any]) -> Any:
    if isinstance(params, Mapping):
        return tuple(sorted(params.items(), key=lambda item: str(item[0])))
    return tuple(params)
