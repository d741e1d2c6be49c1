"""Datasources on PostgreSQL, MariaDB and SQLite: values, cache, limits, mistakes, lost connections; then Lua policy on them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from moonpost.adapters.database import Databases, Datasource
from msys.ports import PortError
from msys.testing import check_ports as check
from testkit.databases import Server, mariadb, postgresql
from testkit.small_server import reply_to_mail, small_server

ENGINES = {"postgresql": postgresql, "mariadb": mariadb}


@pytest.fixture(scope="module")
def servers() -> Iterator[Callable[[str], Server]]:
    """Each server is started when the first test needs it."""
    running: dict[str, Server] = {}
    with ExitStack() as stack:

        def get(name: str) -> Server:
            if name not in running:
                running[name] = stack.enter_context(ENGINES[name]())
            return running[name]

        yield get


@pytest.fixture(params=["sqlite", *ENGINES])
def uri(request: pytest.FixtureRequest, servers: Callable[[str], Server], tmp_path: Path) -> str:
    name: str = request.param
    return f"sqlite:{tmp_path}/db" if name == "sqlite" else servers(name).uri


def run(uri: str, scene: Callable[[Databases], Awaitable[None]], **settings: Any) -> None:
    async def whole() -> None:
        databases = Databases({"d": Datasource((uri,), **settings)}, now=time.monotonic)
        try:
            await scene(databases)
        finally:
            await databases.close()

    asyncio.run(whole())


def test_every_engine_answers_alike(uri: str) -> None:
    async def scene(databases: Databases) -> None:
        await check.check_database(databases, "d")

    run(uri, scene, max_rows=3)


@pytest.mark.parametrize("name", ENGINES)
def test_a_connection_that_was_lost_is_made_again(
    name: str, servers: Callable[[str], Server]
) -> None:
    server = servers(name)

    async def scene(databases: Databases) -> None:
        async def one() -> Any:
            return await check.settled(databases.query("d", "select 1 as n", (), nocache=True))

        assert await one() == [{"n": 1}]
        server.stop()
        with pytest.raises(PortError) as down:
            await one()
        assert down.value.code in ("UNREACHABLE", "SQL") and "d: " in str(down.value)
        server.start()
        for _ in range(400):
            try:
                assert await one() == [{"n": 1}]
                return
            except PortError:
                await asyncio.sleep(0.05)
        raise AssertionError(server.said())

    run(server.uri, scene)


def test_many_at_once_share_a_pool(uri: str) -> None:
    async def scene(databases: Databases) -> None:
        ask = (
            check.settled(databases.query("d", "select :n as n", {"n": str(n)}, nocache=True))
            for n in range(40)
        )
        assert [rows[0]["n"] for rows in await asyncio.gather(*ask)] == [str(n) for n in range(40)]

    run(uri, scene)


POLICY = """
require("msys.core")
require("msys.db")
require("msys.extended.vctx")
local mod = {}
local steps = {}

function steps.values(d)
  msys.db.execute(d, "drop table if exists people")
  msys.db.execute(d, "create table people (name varchar(40), age integer, note varchar(40))")
  msys.db.execute(d, "insert into people values (?, ?, ?)", { "ann", 41 })
  msys.db.execute(d, "insert into people values (:name, :age, :note)", { name = "gr\\xc3\\xbcn", age = 7, note = "it's; -- x" })
  local found = {}
  for row in msys.db.query(d, "select name, age, note from people order by age desc") do
    found[#found + 1] = row.name .. "," .. type(row.age) .. row.age .. "," .. tostring(row.note)
  end
  return table.concat(found, " ")
end

function steps.row(d)
  local row = msys.db.fetch_row(d, "select age from people where name = ?", { "ann" })
  local none, problem = msys.db.fetch_row(d, "select age from people where name = 'nobody'")
  return row.age .. " " .. tostring(none) .. " " .. tostring(problem)
end

function steps.cache(d)
  local function count(options)
    return msys.db.fetch_row(d, "select count(*) as n from people", nil, options).n
  end
  local before = count()
  msys.db.execute(d, "delete from people where name = 'ann'")
  return before .. " " .. count() .. " " .. count({ nocache = true })
end

function steps.limit(d)
  for i = 1, 9 do msys.db.execute(d, "insert into people values ('x', ?, null)", { i }) end
  local n = 0
  for row in msys.db.query(d, "select * from people") do n = n + 1 end
  return n
end

function steps.mistakes(d)
  local raised, text = pcall(msys.db.query, d, "selekt 1")
  local iterator, problem = msys.db.query(d, "selekt 1", nil, { raise_error = false })
  local done, why = msys.db.execute(d, "selekt 1", nil, { raise_error = false })
  local unknown = select(2, pcall(msys.db.query, "none", "select 1"))
  return tostring(raised) .. " " .. tostring(text):match("^(%w+):") .. " " .. tostring(iterator) .. " " ..
    tostring(problem):match("^(%w+):") .. " " .. tostring(done) .. " " .. tostring(why):match("^(%w+):") .. " " .. tostring(unknown)
end

function mod:validate_mailfrom(str, ac, vctx)
  local step = vctx:get(msys.core.VCTX_MESS, "mailfrom_localpart")
  local engine = vctx:get(msys.core.VCTX_MESS, "mailfrom_domain"):match("^%w+")
  vctx:set_code(550, tostring(steps[step](engine)))
  return msys.core.VALIDATE_CONT
end
msys.registerModule("policy", mod)
"""
STEPS = {
    "values": "ann,string41,nil gr\xc3\xbcn,string7,it's; -- x",
    "row": "41 nil nil",
    "cache": "2 2 1",
    "limit": "5",
    "mistakes": "false {0} nil {0} false {0} no datasource named 'none' (there is: mariadb, postgresql, sqlite)",
}


@pytest.mark.row("msys.db.query")
@pytest.mark.row("msys.db.fetch_row")
@pytest.mark.row("msys.db.execute")
def test_policy_on_every_engine(servers: Callable[[str], Server], tmp_path: Path) -> None:
    uris = {"sqlite": f"sqlite:{tmp_path}/db", **{name: servers(name).uri for name in ENGINES}}
    sources = [
        f'Datasource "{name}" {{ uri = ( "{uri}" )  max_rows = 5 }}' for name, uri in uris.items()
    ]
    with small_server(tmp_path, {"policy": POLICY}, options="\n".join(sources)) as serving:
        serving.start()
        for engine in uris:
            for step, wanted in STEPS.items():
                replied = reply_to_mail(serving.port, f"{step}@{engine}.test")
                assert replied == (550, wanted.format(engine)), (engine, step)
