"""CIDR tables, audit counts and series: which addresses count, in which window, for how long."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

import msys
from msys.lua import LuaError, Table
from msys.ports.cidr_table import CidrTable, parse_rbldnsd
from msys.ports.memory_state import MemoryState, Windows
from msys.testing.policy import Policy, policy


class Peer:
    """An accept construct as far as these functions look at it."""

    def __init__(self, address: str) -> None:
        self.remote_addr = address


@pytest.fixture
def session():
    with policy(accept=Peer("192.0.2.7:4711")) as running:
        yield running


# --- tables ---


@given(
    st.lists(st.tuples(st.integers(0, 2**16 - 1), st.integers(16, 32)), max_size=30),
    st.integers(0, 2**16 - 1),
)
def test_the_longest_block_answers_as_a_plain_search_does(blocks: list, wanted: int) -> None:
    networks = [
        ipaddress.ip_network((0x0A000000 + low, length), strict=False) for low, length in blocks
    ]
    table = CidrTable((str(net), str(net)) for net in networks)
    address = ipaddress.ip_address(0x0A000000 + wanted)
    around = [net for net in networks if address in net]
    best = str(max(around, key=lambda net: net.prefixlen)) if around else None
    assert table.find(str(address)) == best


def test_rbldnsd_lines_of_every_kind() -> None:
    text = """
# comment
:127.0.0.2:default text
192.0.2.0/24:127.0.0.3:first
198.51.100
203.0.113.7 :plain
10.0.0.1-3:range
172.16:sixteen
2001:db8::/32 :six
2001:db8:1::1
nonsense here
$SOA 1 2 3
"""
    entries, rejected = parse_rbldnsd(text, txt=False)
    assert rejected == ["nonsense here"]
    table = CidrTable(entries)
    expected = {
        "192.0.2.9": "127.0.0.3",
        "198.51.100.200": "127.0.0.2",
        "203.0.113.7": "plain",
        "10.0.0.2": "range",
        "10.0.0.4": None,
        "172.16.200.1": "sixteen",
        "2001:db8::5": "six",
        "2001:db8:1::1": "127.0.0.2",
        "::ffff:192.0.2.1": "127.0.0.3",
        "not an address": None,
    }
    assert {address: table.find(address) for address in expected} == expected
    assert CidrTable(parse_rbldnsd(text, txt=True)[0]).find("192.0.2.9") == "first"


@pytest.mark.row("msys.cidr.reload")
def test_a_datasource_table_loads_refreshes_and_reloads(session: Policy) -> None:
    msys.db.execute("test", "create table nets (net text, who text)")
    msys.db.execute("test", "insert into nets values ('192.0.2.0/24', 'ours $')")
    msys.cidr.define(
        "nets",
        Table(
            {
                "type": "datasource",
                "cachename": "test",
                "query": "select * from nets",
                "value_column": "who",
                "interpolate": True,
                "default_value": "nobody",
                "refresh": 100,
            }
        ),
    )
    assert msys.cidr.query("nets") == "ours 192.0.2.7"
    assert msys.cidr.query("nets", "198.51.100.1") == "nobody"
    assert msys.cidr.query("nets", "rubbish") == "nobody"
    msys.db.execute("test", "insert into nets values ('198.51.100.0/24', 'theirs')")
    assert msys.cidr.query("nets", "198.51.100.1") == "nobody"
    session.ports.clock.advance(101)
    assert msys.cidr.query("nets", "198.51.100.1") == "nobody"  # old data serve while new ones load
    session.end_call()
    assert msys.cidr.query("nets", "198.51.100.1") == "theirs"
    msys.db.execute("test", "delete from nets")
    msys.cidr.reload("nets")
    session.end_call()
    assert msys.cidr.query("nets", "198.51.100.1") == "nobody"


def test_a_table_without_values_answers_true(session: Policy) -> None:
    msys.db.execute("test", "create table nets (id integer, net text)")
    msys.db.execute("test", "insert into nets values (1, '192.0.2.0/24'), (2, 'junk')")
    for column in "net", 2:
        msys.cidr.define(
            "n",
            Table(
                {
                    "type": "datasource",
                    "cachename": "test",
                    "query": f"select * from nets -- {column}",
                    "cidr_column": column,
                }
            ),
        )
        assert msys.cidr.query("n") is True
        assert msys.cidr.query("n", "203.0.113.1") is None
    assert "not a network, left out: junk" in session.ports.log.text


@pytest.mark.row("msys.cidr.define")
@pytest.mark.row("msys.cidr.query")
def test_an_unreadable_source_is_logged_and_tried_again(session: Policy) -> None:
    msys.cidr.define("f", Table({"type": "rbldnsd", "source": "/bl", "unknown_key": 1}))
    assert msys.cidr.query("f") is None
    assert "No such file" in session.ports.log.text
    session.ports.files.content["/bl"] = b"192.0.2:x"
    session.ports.clock.advance(61)
    msys.cidr.query("f")
    session.end_call()
    assert msys.cidr.query("f") == "x"


def test_wrong_tables_raise(session: Policy) -> None:
    msys.cidr.define("e", "empty")
    assert msys.cidr.query("e") is None
    msys.cidr.reload("e")
    for options, problem in (
        (Table({"type": "rbldnsd"}), "option 'source' is missing"),
        (Table({"type": "datasource", "cachename": "x"}), "option 'query' is missing"),
        (Table({"type": "tree"}), "datasource, rbldnsd or empty"),
        (Table({"type": "rbldnsd", "source": "x", "value": "b"}), "'a' or 'txt'"),
    ):
        with pytest.raises(LuaError, match=problem):
            msys.cidr.define("x", options)
    with pytest.raises(LuaError, match="no such cidr 'none'"):
        msys.cidr.query("none", "192.0.2.1")


# --- series ---


@pytest.mark.row("msys.audit_series.remove_item")
def test_a_series_counts_blocks_in_windows(session: Policy) -> None:
    series = msys.audit_series
    series.define("s", "cidr", 60, 3)
    series.add("s")
    series.add("s", Table({"count": 2.5, "key": "192.0.2.200"}))
    series.add("s", "198.51.100.1")
    series.add("s", "2001:db8::1")
    assert series.count("s") == 1
    assert series.count("s", "/24") == 3.5
    assert series.count("s", "0.0.0.0/0") == 4.5
    assert series.count("s", "2001:db8::/32") == 0
    session.ports.clock.advance(60)
    assert series.count("s", "/24") == 0
    series.add("s", Peer("192.0.2.9:1"))
    assert series.count("s", Table({"startv": 0, "endv": 1, "key": "/24"})) == 4.5
    assert series.count("s", Table({"startv": 1, "endv": 9, "key": "/24"})) == 3.5
    session.ports.clock.advance(120)
    assert series.count("s", Table({"endv": 2, "key": "/24"})) == 1
    series.remove_item("s", "192.0.2.9")
    series.remove_item("s", "192.0.2.9")
    assert series.count("s", Table({"endv": 2, "key": "/24"})) == 0


def test_series_of_ipv6_and_of_text(session: Policy) -> None:
    series = msys.audit_series
    series.define("six", "cidr_ipv6", 60, 2)
    series.add("six", "2001:db8:1::1")
    series.add("six")  # an IPv4 peer
    assert series.count("six", "2001:db8::/32") == 1
    series.define("words", "string", 60, 2, Table({"replicate": "cluster"}))
    series.add("words", "a")
    series.add("words", Table({"key": "a", "count": -3}))
    assert series.count("words", "a") == -2
    with pytest.raises(LuaError, match="needs a key"):
        series.add("words")
    with pytest.raises(LuaError, match="no such audit series 'x'"):
        series.count("x", "k")
    with pytest.raises(LuaError, match="one of cidr, cidr_ipv6, string"):
        series.define("bad", "tree", 60, 2)
    with pytest.raises(LuaError, match="positive"):
        series.define("bad", "cidr", 0, 2)


def test_defining_a_series_again_keeps_counts_of_the_same_shape_only(session: Policy) -> None:
    series = msys.audit_series
    series.define("s", "string", 60, 2)
    series.add("s", "k")
    series.define("s", "string", 60, 2)
    assert series.count("s", "k") == 1
    series.define("s", "string", 30, 2)
    assert series.count("s", "k") == 0


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3), st.integers(-3, 9)), max_size=60),
    st.integers(0, 5),
    st.integers(0, 5),
)
def test_windows_sum_as_a_plain_list_does(events: list, start: int, end: int) -> None:
    counts = Windows(2.0, 4)
    now, log = 0.0, []
    for step, key, count in events:
        now += step / 10
        counts.add(key, count, now)
        log.append((now, key, count))
    for key in range(4):
        expected = sum(
            count
            for at, k, count in log
            if k == key and start <= int(now // 2) - int(at // 2) <= min(end, 3)
        )
        assert counts.total(key, start, end, now) == expected


def test_windows_forget_keys_that_nobody_can_see_any_more() -> None:
    state = MemoryState(lambda: state_now[0])
    state_now = [0.0]
    state.series_define("s", "string", 1, 2, {})
    for number in range(1000):
        state_now[0] = number / 10
        state.series_add("s", f"key {number}", 1)
    assert len(state._series["s"].counts.buckets) < 60


# --- audit ---


@pytest.mark.row("msys.audit.connections")
@pytest.mark.row("msys.audit.receptions")
@pytest.mark.row("msys.audit.rejections")
def test_audit_counts_come_from_the_session_port(session: Policy) -> None:
    sessions = session.ports.sessions
    sessions.monitors.append("60,2")
    for kind in "connections", "receptions", "rejections":
        sessions.events += [(kind, "192.0.2.7", 0), (kind, "192.0.2.8", 1)]
        function = getattr(msys.audit, kind)
        assert function("60,2") == 1
        assert function("60,2", "/24") == 1
        assert function("60,2", Table({"cidr": "192.0.2.0/24", "endv": 1})) == 2
        assert function("60,2", Table({"startv": 1, "endv": 1, "cidr": "192.0.2.8"})) == 1
    with pytest.raises(LuaError, match="monitor '9,9' is not configured"):
        msys.audit.connections("9,9")


@pytest.mark.row("msys.audit.inbound_session_count")
def test_open_sessions_by_block_and_service(session: Policy) -> None:
    session.ports.sessions.open += [("192.0.2.7", "SMTP", ":25"), ("198.51.100.1", "SMTP", ":25")]
    count = msys.audit.inbound_session_count
    assert [count(cidr, "SMTP") for cidr in ("/32", "/24", "/0", "198.51.100.1")] == [1, 1, 2, 1]
    assert count("/0", "Control") == 0


@pytest.mark.row("msys.audit_series.add")
def test_without_a_session_an_address_is_needed(here: Policy) -> None:
    msys.audit_series.define("s", "cidr", 60, 2)
    for function in (lambda: msys.audit.connections("60,1"), lambda: msys.audit_series.add("s")):
        with pytest.raises(LuaError, match="no session, so there is no peer address"):
            function()
