"""DNS, SQL, files, HTTP, configuration: what policy gets from the outside, and how failures look."""

from __future__ import annotations

import pytest

import msys
from msys.lua import LuaError, Table, iterate, tostring, u8
from msys.ports import HttpReply, PortError
from msys.testing.fakes import Request
from msys.testing.policy import Policy


def listed(table: Table | None) -> list:
    assert table is not None
    return [tostring(table[at + 1]) for at in range(len(table))]


@pytest.mark.row("msys.dnsLookup")
def test_dns_answers_in_order_and_mx_best_first(here: Policy) -> None:
    here.ports.dns.add("example.test", "MX", [(20, "b.test"), (10, "a.test")])
    here.ports.dns.add("example.test", "A", ["192.0.2.1", "192.0.2.2"])
    assert listed(msys.dnsLookup("example.test", "mx")[0]) == ["a.test", "b.test"]
    assert listed(msys.dnsLookup("EXAMPLE.test.")[0]) == ["192.0.2.1", "192.0.2.2"]
    pairs, problem = msys.dnsLookup("example.test", "MX", Table({"priority": True}))
    assert problem is None
    assert [(pair[1], pair[2]) for pair in pairs.values()] == [(10, "a.test"), (20, "b.test")]


def test_dns_failures_are_nil_and_a_word(here: Policy) -> None:
    here.ports.dns.add("example.test", "A", ["192.0.2.1"])
    here.ports.dns.add("slow.test", "A", PortError("TIMEOUT", "no answer"))
    assert msys.dnsLookup("nowhere.test") == (None, "NXDOMAIN")
    assert msys.dnsLookup("example.test", "TXT") == (None, "NODATA")
    assert msys.dnsLookup("slow.test", "A", Table({"server": "192.0.2.53"})) == (None, "TIMEOUT")
    assert here.ports.dns.asked[-1] == ("slow.test", "A", "192.0.2.53")
    with pytest.raises(LuaError, match="unknown record type 'BOGUS'"):
        msys.dnsLookup("example.test", "BOGUS")
    with pytest.raises(LuaError, match="bad argument #1 to 'dnsLookup'"):
        msys.dnsLookup(None)


@pytest.fixture
def rows(here: Policy) -> Policy:
    msys.db.execute("test", "create table t (k text, n integer, note text)")
    for key, number, note in ("a", 1, None), ("b", 2, u8("schön")), ("c", 3, "\xff"):
        msys.db.execute("test", "insert into t values (?, ?, ?)", Table.array(key, number, note))
    return here


def test_db_query_iterates_rows_of_text(rows: Policy) -> None:
    iterator, problem = msys.db.query("test", "select * from t order by k")
    assert problem is None
    found = [dict(row) for row in iterate(1, iterator)]
    assert found == [
        {"k": "a", "n": "1"},
        {"k": "b", "n": "2", "note": u8("schön")},
        {"k": "c", "n": "3", "note": "\xff"},
    ]


@pytest.mark.parametrize(
    ("sql", "params"),
    [
        ("select n from t where k = ?", Table({1: "b"})),
        ("select n from t where k = :key", Table({"key": "b"})),
        ("select n from t where k = $key and ':key' <> '?'", Table({"key": "b"})),
        ("select n from t where k = :1 /* :no */ -- ?\n", Table({1: "b"})),
    ],
)
def test_db_takes_every_placeholder(rows: Policy, sql: str, params: Table) -> None:
    row, problem = msys.db.fetch_row("test", sql, params)
    assert problem is None and row["n"] == "2"


def test_db_missing_parameters_are_null_and_no_row_is_nil(rows: Policy) -> None:
    assert msys.db.fetch_row("test", "select k from t where n = ?", Table()) == (None, None)
    assert (
        msys.db.fetch_row("test", "select k from t where note is :x and :x is null", Table())[0][
            "k"
        ]
        == "a"
    )


def test_db_failures_raise_or_come_back_and_are_logged(here: Policy) -> None:
    with pytest.raises(LuaError, match="no such table"):
        msys.db.query("test", "select * from missing")
    quiet = Table({"raise_error": False})
    for function, first in (
        (msys.db.query, None),
        (msys.db.fetch_row, None),
        (msys.db.execute, False),
    ):
        value, problem = function("nowhere", "select 1", Table(), quiet)
        assert value is first and "no datasource named 'nowhere'" in problem
    assert len(here.ports.log.lines) == 4
    assert msys.db.execute("test", "create table x (a)") == (True, None)


@pytest.mark.row("msys.readfile")
def test_readfile(here: Policy) -> None:
    here.ports.files.content["/policy/list.txt"] = b"a\n\xff"
    assert msys.readfile("list.txt") == ("a\n\xff", None)
    assert msys.readfile("file:///policy/list.txt") == ("a\n\xff", None)
    value, problem = msys.readfile("/none")
    assert value is None and "No such file or directory" in problem
    value, problem = msys.readfile("http://127.0.0.1/x")
    assert value is None and "not allowed" in problem


@pytest.mark.row("msys.config")
def test_config_reads_and_sets(here: Policy) -> None:
    here.ports.configuration.options["relay_hosts"] = ["127.0.0.1", "::1"]
    msys.config("set", "max_outbound_connections", 20)
    assert msys.config("get", "max_outbound_connections") == ("20", "max_outbound_connections = 20")
    assert msys.config("get", "domain", "example.test", "nothing")[0] is None
    assert listed(msys.config("eval", "relay_hosts")[0]) == ["127.0.0.1", "::1"]
    with pytest.raises(LuaError, match="got 'reload'"):
        msys.config("reload")


@pytest.mark.row("client:get_status")
@pytest.mark.row("client:parse_headers")
@pytest.mark.row("client:set_timeout")
def test_http_client_sends_and_keeps_the_reply(here: Policy) -> None:
    reply = HttpReply(201, "Created", [("X-A", "1"), ("x-a", "2"), ("Server", "s: t")], b"body\xff")
    here.ports.http.replies["POST", "http://h.test/p"] = reply
    client = msys.http.client.new()
    client.set_header("Accept: text/plain")
    client.set_timeout(5)
    assert client.do_request("POST", "http://h.test/p", "data") == (True, None, None)
    assert here.ports.http.requests == [
        Request("POST", "http://h.test/p", (("Accept", "text/plain"),), b"data", 5.0)
    ]
    assert client.get_status() == (201, "Created")
    assert client.get_body() == "body\xff"
    lines = client.get_headers()
    assert lines[1] == "HTTP/1.1 201 Created" and lines[4] == "Server: s: t"
    headers = client.parse_headers(lines)
    assert (headers["x-a"], headers["SERVER"], headers["none"]) == ("2", "s: t", None)
    assert dict(client.parse_headers()) == dict(headers)


@pytest.mark.row("client:do_request")
@pytest.mark.row("client:get_body")
@pytest.mark.row("client:get_headers")
@pytest.mark.row("client:set_header")
@pytest.mark.row("msys.http.client.new")
def test_http_client_without_a_reply(here: Policy) -> None:
    client = msys.http.client.new()
    assert (client.get_body(), client.get_status(), len(client.get_headers())) == (
        "",
        (None, None),
        0,
    )
    done, problem, code = client.do_request("GET", "http://down.test/")
    assert done is None and "could not connect" in problem and code == 7
    client.set_header("A: b")
    client.set_header()
    client.set_timeout()
    client.do_request("GET", "http://down.test/")
    assert here.ports.http.requests[-1].headers == ()
    with pytest.raises(LuaError, match="got 'BREW'"):
        client.do_request("BREW", "http://down.test/")
    with pytest.raises(LuaError, match="one line"):
        client.set_header("A: b\r\nC: d")
