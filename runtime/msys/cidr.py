"""`msys.cidr`: named tables of address blocks, from a datasource, an rbldnsd file, or empty.

Definitions belong to a generation; what was loaded is kept for the process, so that a reload with the same
definition goes on with the data it has. Data are refreshed when a query finds them old; while a refresh
fails, the old data serve and the failure is logged.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from msys.arguments import bad_argument, check_string, optional_string
from msys.background import WORK_POOL, detached
from msys.catalog.binding import documented
from msys.lua import ABSENT, Table, environment, tostring
from msys.lua.bytestr import to_str
from msys.lua.errors import RuntimeFault
from msys.options import Options
from msys.peer import address_of, peer_address
from msys.ports import PortError, current, wait
from msys.ports.cidr_table import CidrTable, parse_rbldnsd

__all__ = ["define", "query", "reload"]

REFRESH_S = 1800.0
RETRY_S = 60.0  # chosen: after a failed load


@dataclass(frozen=True, slots=True)
class Definition:
    """What `define` was given."""

    name: str
    kind: str
    refresh_s: float = REFRESH_S
    cachename: str = ""
    query: str = ""
    cidr_column: str = ""
    value_column: str | None = None
    source: str = ""
    txt: bool = False


@dataclass(slots=True)
class _Loaded:
    """The data of one definition, shared by generations."""

    table: CidrTable = field(default_factory=CidrTable)
    due_at: float = 0.0  # monotonic seconds; 0: never loaded
    loading: bool = False


@dataclass(frozen=True, slots=True)
class _Known:
    definition: Definition
    interpolate: bool
    default: Any


def _known(name: str) -> _Known:
    found: _Known | None = environment().services.get("msys.cidr", {}).get(name)
    if found is None:
        raise RuntimeFault(f"no such cidr '{name}'; define it with msys.cidr.define")
    return found


def _loaded(definition: Definition) -> _Loaded:
    kept: dict[Definition, _Loaded] = current().ports.services.setdefault("msys.cidr", {})
    return kept.setdefault(definition, _Loaded())


def _from_datasource(definition: Definition) -> CidrTable:
    rows = wait(
        current().ports.database.query(definition.cachename, definition.query, {}, nocache=True)
    )
    table = CidrTable()
    for row in rows:
        columns = list(row.values())
        block = _column(row, columns, definition.cidr_column or "1")
        value: Any = True
        if definition.value_column is not None:
            value = _column(row, columns, definition.value_column)
            value = None if value is None else tostring(value)
        if block is not None and value is not None:
            table.add(tostring(block), value)
    return table


def _column(row: Any, columns: list[Any], wanted: str) -> Any:
    """A column by name, or by its number from 1."""
    if wanted in row:
        return row[wanted]
    if wanted.isdigit() and 0 < int(wanted) <= len(columns):
        return columns[int(wanted) - 1]
    raise PortError("COLUMN", f"the query gives no column '{wanted}'")


def _from_file(definition: Definition) -> CidrTable:
    text = to_str(wait(current().ports.files.read(definition.source)))
    entries, rejected = parse_rbldnsd(text, definition.txt)
    table = CidrTable(entries)
    table.rejected += rejected
    return table


LOADERS = {"datasource": _from_datasource, "rbldnsd": _from_file}


def _load(definition: Definition) -> None:
    """Load now; on failure the old data stay and the next try comes soon."""
    loaded = _loaded(definition)
    ports = current().ports
    loaded.loading = True
    try:
        table = LOADERS[definition.kind](definition)
    except PortError as error:
        ports.log.panic("cidrdb", f"{definition.name}: {error}; the data it has stay")
        loaded.due_at = ports.clock.monotonic() + RETRY_S
    else:
        for line in table.rejected[:3]:
            ports.log.panic(
                "cidrdb", f"{definition.name}: not a network, left out: {line}", "warning"
            )
        loaded.table = table
        refresh_s = definition.refresh_s or float("inf")
        loaded.due_at = ports.clock.monotonic() + refresh_s
    finally:
        loaded.loading = False


@documented(
    "msys.cidr.define",
    assumed="an unreadable source is logged and tried again, not an error; unknown options are ignored; "
    "defining again replaces",
)
def define(name: str, options: Any) -> None:
    """Define the table `name`; its data load at the first query.

    options: a table with `type`, or just the type (then only `empty` makes sense). All types:
    `interpolate` (each `$` of a result becomes the address), `default_value` (result without a match).
    `datasource`: `cachename`, `query`, `refresh` seconds (1800; 0: only by hand), `cidr_column` (name or
    number, default the first), `value_column` (absent: matches give true). `rbldnsd`: `source`,
    `refresh`, `value` (`a` or `txt`). A missing option raises. Source: lua.ref.msys.cidr.define.
    """
    table_name = check_string("define", 1, name)
    if not isinstance(options, Table):
        options = Table({"type": check_string("define", 2, options)})
    chosen = Options("define", 2, options)
    kind = chosen.needed("type")
    refresh_s = float(chosen.number("refresh", REFRESH_S))
    match kind:
        case "empty":
            definition = Definition(table_name, kind, 0.0)
        case "datasource":
            definition = Definition(
                table_name,
                kind,
                refresh_s,
                cachename=chosen.needed("cachename"),
                query=chosen.needed("query"),
                cidr_column=chosen.text("cidr_column", "") or "",
                value_column=chosen.text("value_column"),
            )
        case "rbldnsd":
            shown = (chosen.text("value", "a") or "a").lower()
            if shown not in ("a", "txt"):
                raise bad_argument("define", 2, f"value must be 'a' or 'txt', not '{shown}'")
            definition = Definition(
                table_name, kind, refresh_s, source=chosen.needed("source"), txt=shown == "txt"
            )
        case _:
            raise bad_argument(
                "define", 2, f"type must be datasource, rbldnsd or empty, not '{kind}'"
            )
    known = _Known(definition, chosen.flag("interpolate"), chosen.table["default_value"])
    environment().services.setdefault("msys.cidr", {})[table_name] = known


@documented(
    "msys.cidr.query",
    assumed="no match and a text that is no address give default_value, nil without one; the longest block wins",
)
def query(name: str, address: Any = ABSENT) -> Any:
    """The value of the longest block around `address` (default: the peer); `default_value` without a match.

    Text, or true for a datasource without `value_column`. May wait while data load for the first time.
    Source: lua.ref.msys.cidr.query.
    """
    known = _known(check_string("query", 1, name))
    if address is None or address is ABSENT:
        where = peer_address("query")
    else:
        where = address_of(optional_string("query", 2, address, ""))
    loaded = _loaded(known.definition)
    if known.definition.kind in LOADERS and loaded.due_at <= current().ports.clock.monotonic():
        _refresh(known.definition, loaded)
    value = loaded.table.find(where)
    if value is None:
        value = known.default
    return value.replace("$", where) if known.interpolate and isinstance(value, str) else value


def _refresh(definition: Definition, loaded: _Loaded) -> None:
    """The first load is waited for; a later one runs beside the sessions, which use the old data."""
    if loaded.due_at == 0.0:
        _load(definition)
    elif not loaded.loading:
        loaded.loading = True
        job = detached(lambda: _load(definition), f"cidr {definition.name}")
        current().ports.pools.spawn(WORK_POOL, job, None)


@documented(
    "msys.cidr.reload",
    assumed="runs beside the session, old data serve until it is done; returns nothing",
)
def reload(name: str) -> None:
    """Load the data of a datasource or rbldnsd table again, beside the sessions. An empty one stays empty.

    Source: lua.ref.msys.cidr.reload.
    """
    definition = _known(check_string("reload", 1, name)).definition
    if definition.kind in LOADERS:
        loaded = _loaded(definition)
        loaded.due_at = max(loaded.due_at, 1e-9)
        _refresh(definition, loaded)
