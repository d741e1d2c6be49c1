"""`msys.db`: SQL datasources through the database port.

Results are cached by datasource, statement and parameters for the datasource's `cache_life` unless
`nocache` is set: repeated reads are stale by design. Every call waits without holding up other sessions.
Failures are logged, and raised unless `raise_error` is false.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msys.arguments import check_string, optional_table
from msys.catalog.binding import documented
from msys.lua import ABSENT, Table, pairs, tostring
from msys.lua.errors import RuntimeFault
from msys.options import Options
from msys.ports import PortError, current, wait

__all__ = ["execute", "fetch_row", "query"]


def _parameters(function: str, params: Any) -> Mapping[str, Any]:
    """A Lua table of parameters by name or position; a key that is missing is SQL NULL."""
    table = optional_table(function, 3, params)
    return {} if table is None else {tostring(key): value for key, value in pairs(table)}


class _Options:
    """`nocache` (default false) and `raise_error` (default true)."""

    def __init__(self, function: str, options: Any) -> None:
        chosen = Options(function, 4, options)
        self.nocache = chosen.flag("nocache")
        self.raises = chosen.flag("raise_error", True)


def _failed(cachename: str, error: PortError, options: _Options) -> str:
    """Log the failure; raise it as a Lua error or return its text, as the options say."""
    current().ports.log.panic("datasource", str(error))
    if options.raises:
        raise RuntimeFault(str(error)) from None
    return str(error)


def _shown(value: Any) -> Any:
    """A column as Lua sees it: text, except that a boolean is 1 or 0. NULL stays nil."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int | float):
        return tostring(value)
    if isinstance(value, list):
        return Table.array(*map(_shown, value))
    return str(value)


def _row(columns: Mapping[str | int, Any]) -> Table:
    return Table({k: _shown(value) for k, value in columns.items() if value is not None})


def _rows(function: str, cachename: Any, query: Any, queryparams: Any, options: _Options) -> Any:
    name, sql = check_string(function, 1, cachename), check_string(function, 2, query)
    params = _parameters(function, queryparams)
    database = current().ports.database
    return wait(database.query(name, sql, params, nocache=options.nocache))


@documented(
    "msys.db.query",
    assumed="column values are strings, NULL columns are absent; :1 and $1 take parameters by position",
)
def query(
    cachename: str, query: str, queryparams: Any = ABSENT, options: Any = ABSENT
) -> tuple[Callable[..., Table | None] | None, str | None]:
    """Run a query; an iterator over its rows for `for row in ... do`.

    queryparams: a table; `?` takes [1], [2], … in order, `:name` and `$name` take string keys; what is
    missing is NULL. options: `nocache`, `raise_error` (default true: failures raise; false: nil and the
    text). A row is a table by column name with text values; NULL columns are absent. At most `max_rows`
    rows of the datasource. Waits. Source: lua.ref.msys.db.query.
    """
    chosen = _Options("query", options)
    try:
        found = iter(_rows("query", cachename, query, queryparams, chosen))
    except PortError as error:
        return None, _failed(cachename, error, chosen)

    def following(*_: Any) -> Table | None:
        columns = next(found, None)
        return None if columns is None else _row(columns)

    return following, None


@documented("msys.db.fetch_row", assumed="column values are strings, NULL columns are absent")
def fetch_row(
    cachename: str, query: str, queryparams: Any = ABSENT, options: Any = ABSENT
) -> tuple[Table | None, str | None]:
    """The first row of a query as a table; nil when there is none.

    Arguments and failures as in `msys.db.query`. Waits. Source: lua.ref.msys.db.fetch_row.
    """
    chosen = _Options("fetch_row", options)
    try:
        found = _rows("fetch_row", cachename, query, queryparams, chosen)
    except PortError as error:
        return None, _failed(cachename, error, chosen)
    return (_row(found[0]) if found else None), None


@documented("msys.db.execute")
def execute(
    cachename: str, query: str, queryparams: Any = ABSENT, options: Any = ABSENT
) -> tuple[bool, str | None]:
    """Run a statement that gives no rows; never cached.

    true; with `raise_error = false` a failure gives false and the text. Waits.
    Source: lua.ref.msys.db.execute.
    """
    chosen = _Options("execute", options)
    name, sql = check_string("execute", 1, cachename), check_string("execute", 2, query)
    params = _parameters("execute", queryparams)
    try:
        wait(current().ports.database.execute(name, sql, params))
    except PortError as error:
        return False, _failed(cachename, error, chosen)
    return True, None
