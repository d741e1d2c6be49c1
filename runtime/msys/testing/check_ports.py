"""What every implementation of a port must do: one `check_…` coroutine for each port.

A test prepares the outside as the tables here say (zone, routes, folder, tables), hands over the port, and
awaits the check. Fakes and real adapters pass the same checks.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from msys.ports import (
    Clock,
    Database,
    Dns,
    DnsAnswer,
    Envelope,
    Files,
    Http,
    Later,
    MessageStore,
    Pools,
    PortError,
    Scanners,
    Sessions,
    State,
    StoredMessage,
)

T = TypeVar("T")

# What the name server under test must know: (name, type) -> records
ZONE: dict[tuple[str, str], list[Any]] = {
    ("example.test", "A"): ["192.0.2.1"],
    ("example.test", "AAAA"): ["2001:db8::1"],
    ("example.test", "MX"): [(20, "mx2.example.test"), (10, "mx1.example.test")],
    ("example.test", "NS"): ["ns.example.test"],
    ("example.test", "TXT"): ["v=spf1 -all"],
    ("long.example.test", "TXT"): ["x" * 200 + "y" * 100],
    ("bytes.example.test", "TXT"): ["gr\xc3\xbc\xff"],
    ("null.example.test", "MX"): [(0, ".")],
    ("1.2.0.192.in-addr.arpa", "PTR"): ["host.example.test"],
}

# What the web server under test must answer: path -> status, reason, headers, body. `/echo` answers the
# method, the X-Test header and the body of the request, one a line; `/moved` leads elsewhere.
ROUTES: dict[str, tuple[int, str, list[tuple[str, str]], bytes]] = {
    "/plain": (200, "OK", [("X-One", "1"), ("X-One", "2")], b"bytes \xff\x00"),
    "/refused": (404, "Not Found", [], b"nothing here"),
    "/moved": (302, "Found", [("Location", "/plain")], b""),
}


async def settled(value: Later[T]) -> T:
    """What a port's answer is, whenever it comes."""
    return await value if isinstance(value, Awaitable) else value


async def failure(question: Callable[[], Later[Any]]) -> str:
    """The code of the PortError that a question must end in."""
    try:
        answer = await settled(question())
    except PortError as error:
        assert str(error), "a PortError says what happened"
        return error.code
    raise AssertionError(f"a PortError was expected, the answer is {answer!r}")


async def check_clock(clock: Clock) -> None:
    before, ticks = clock.now(), clock.monotonic()
    await settled(clock.sleep(0.01))
    assert clock.monotonic() - ticks + 0.001 >= 0.01
    assert clock.now() >= before
    await settled(clock.sleep(0))
    await settled(clock.sleep(-1))
    seen: list[str] = []
    clock.call_later(0.01, lambda: seen.append("first"))
    cancel = clock.call_later(0.01, lambda: seen.append("cancelled"))
    clock.call_later(0.02, lambda: seen.append("second"))
    assert seen == []
    cancel()
    cancel()
    for _ in range(100):
        await settled(clock.sleep(0.01))
        if len(seen) > 1:
            break
    assert seen == ["first", "second"]


async def check_dns(dns: Dns) -> None:
    """The name server knows ZONE and nothing else below `example.test`."""

    async def texts(name: str, rtype: str) -> list[str]:
        return [answer.text for answer in await settled(dns.lookup(name, rtype))]

    assert await texts("example.test", "A") == ["192.0.2.1"]
    assert await texts("EXAMPLE.test.", "a") == ["192.0.2.1"]
    assert await texts("example.test", "AAAA") == ["2001:db8::1"]
    assert await texts("example.test", "NS") == ["ns.example.test"]
    assert list(await settled(dns.lookup("example.test", "MX"))) == [
        DnsAnswer("mx1.example.test", 10),
        DnsAnswer("mx2.example.test", 20),
    ]
    assert list(await settled(dns.lookup("null.example.test", "MX"))) == [DnsAnswer(".", 0)]
    assert await texts("example.test", "TXT") == ["v=spf1 -all"]
    assert await texts("long.example.test", "TXT") == ["x" * 200 + "y" * 100]
    assert await texts("bytes.example.test", "TXT") == ["gr\xc3\xbc\xff"]
    assert await texts("1.2.0.192.in-addr.arpa", "PTR") == ["host.example.test"]
    assert await texts("example.test", "A") == ["192.0.2.1"]  # once more: it may come from a cache
    assert await failure(lambda: dns.lookup("none.example.test", "A")) == "NXDOMAIN"
    assert await failure(lambda: dns.lookup("none.example.test", "A")) == "NXDOMAIN"
    assert await failure(lambda: dns.lookup("null.example.test", "A")) == "NODATA"


async def check_http(http: Http, base: str, dead: str) -> None:
    """base: where a server has ROUTES and `/echo`. dead: where nobody listens."""
    reply = await settled(http.request("GET", f"{base}/plain", [], b"", 5.0))
    assert (reply.status, reply.reason, reply.body) == (200, "OK", b"bytes \xff\x00")
    assert [value for name, value in reply.headers if name.lower() == "x-one"] == ["1", "2"]
    reply = await settled(http.request("GET", f"{base}/refused", [], b"", None))
    assert (reply.status, reply.body) == (404, b"nothing here")
    reply = await settled(http.request("GET", f"{base}/moved", [], b"", 5.0))
    assert reply.status == 302
    for method, body in ("POST", b"data"), ("PUT", b"\xff\x00"), ("DELETE", b""):
        asked = http.request(method, f"{base}/echo", [("X-Test", "t")], body, 5.0)
        assert (await settled(asked)).body == b"%b\nt\n%b" % (method.encode(), body)
    assert (
        await failure(lambda: http.request("GET", f"{dead}/x", [], b"", 5.0)) == "COULDNT_CONNECT"
    )


async def check_files(files: Files, folder: str) -> None:
    """folder: an absolute path where files can be made."""
    path = f"{folder}/a"
    assert files.resolve(path) == path
    assert await failure(lambda: files.read(path)) == "ENOENT"
    assert await failure(lambda: files.open(path, os.O_RDONLY, 0)) == "ENOENT"
    flags = os.O_CREAT | os.O_WRONLY
    handle = await settled(files.open(path, flags | os.O_EXCL, 0o600))
    handle.write(b"one\n\xff")
    handle.close()
    assert await failure(lambda: files.open(path, flags | os.O_EXCL, 0o600)) == "EEXIST"
    assert await settled(files.read(path)) == b"one\n\xff"
    assert await settled(files.read(f"file://{path}")) == b"one\n\xff"
    handle = await settled(files.open(path, flags | os.O_APPEND, 0o600))
    handle.write(b"two")
    handle.close()
    assert await settled(files.read(path)) == b"one\n\xfftwo"
    handle = await settled(files.open(path, os.O_RDWR, 0o600))
    assert handle.read(3) == b"one"
    handle.close()
    handle = await settled(files.open(path, os.O_WRONLY | os.O_TRUNC, 0o600))
    handle.close()
    assert await settled(files.read(path)) == b""
    assert await failure(lambda: files.read("gopher://127.0.0.1/x")) == "EPROTONOSUPPORT"


async def check_database(database: Database, name: str) -> None:
    """name: a datasource without tables called `checked`, whose max_rows is 3."""

    async def execute(sql: str, *params: Any) -> int:
        return await settled(database.execute(name, sql, params))

    async def rows(sql: str, params: Any = (), nocache: bool = True) -> list[dict[Any, Any]]:
        return await settled(database.query(name, sql, params, nocache=nocache))

    await execute("create table checked (k varchar(20), n integer, note varchar(50))")
    try:
        assert await execute("insert into checked values (?, ?, ?)", "a", 1, None) == 1
        await execute("insert into checked values (?, ?, ?)", "b", 2, "sch\xc3\xb6n")
        await execute("insert into checked values ('?', 3, ':k $k -- ?')")
        assert await rows("select k, n, note from checked where k = ?", ("a",)) == [
            {"k": "a", "n": 1, "note": None}
        ]
        for sql in (
            "select note from checked where k = :key and n = :n",
            "select note from checked where k = $key and n = $n",
        ):
            assert await rows(sql, {"key": "b", "n": 2}) == [{"note": "sch\xc3\xb6n"}]
        assert await rows("select note from checked where k = '?' and n = :n", {"n": 3}) == [
            {"note": ":k $k -- ?"}
        ]
        assert await rows("select k from checked where n = :missing", {"x": 1}) == []
        await execute("update checked set n = n + ? where k = ?", 10, "a")
        assert await rows("select n from checked where k = 'a'") == [{"n": 11}]
        await execute("insert into checked values ('d', 4, null)")
        assert len(await rows("select k from checked")) == 3
        assert (
            await failure(lambda: database.query(name, "select x from", (), nocache=True)) == "SQL"
        )
        assert await rows("select k from checked where n = 4") == [{"k": "d"}]
        other = "no such datasource"
        assert await failure(lambda: database.execute(other, "x", ())) == "UNKNOWN_DATASOURCE"
    finally:
        await execute("drop table checked")


async def check_state(state: State, advance: Callable[[float], Awaitable[None] | None]) -> None:
    """advance: lets so many seconds pass for the state's clock."""

    async def move(seconds: float) -> None:
        moved = advance(seconds)
        if isinstance(moved, Awaitable):
            await moved

    assert await settled(state.counter_read("/c")) == 0
    handle = await settled(state.counter_open("/c", "relaxed"))
    assert await settled(state.counter_add("/c", 5)) == 5
    assert await settled(state.counter_add(handle, -2)) == 3
    listed = await settled(state.counter_list())
    assert [(row[0], row[2], row[3]) for row in listed] == [(3, "relaxed", "/c")]
    await settled(state.counter_reset("/c"))
    assert await settled(state.counter_read(handle)) == 0
    await settled(state.counter_unlink("/c"))
    await settled(state.counter_add(handle, 1))
    assert await settled(state.counter_read("/c")) == 0
    assert await settled(state.counter_read(handle)) == 1

    assert await failure(lambda: state.gauge_add("none", "k", 1)) == "UNDEFINED"
    state.gauge_define("g", 2, 10, False)
    assert await settled(state.gauge_add("g", "k", -1)) == -1
    await move(9)
    assert await settled(state.gauge_get("g", "k")) == -1
    await move(1.5)
    assert await settled(state.gauge_get("g", "k")) == 0
    for key in "a", "b", "c":
        await settled(state.gauge_add("g", key, 1))
        await move(0.01)
    assert [await settled(state.gauge_get("g", key)) for key in "abc"] == [0, 1, 1]
    await settled(state.gauge_remove("g", "b"))
    assert await settled(state.gauge_get("g", "b")) == 0

    assert await failure(lambda: state.series_add("none", "k", 1)) == "UNDEFINED"
    state.series_define("s", "cidr", 60, 3, {})
    for address in "192.0.2.1", "192.0.2.200", "198.51.100.1", "2001:db8::1":
        await settled(state.series_add("s", address, 2))
    assert await settled(state.series_count("s", "192.0.2.0/24", 0, 0)) == 4
    assert await settled(state.series_count("s", "0.0.0.0/0", 0, 0)) == 6
    await move(60)
    assert await settled(state.series_count("s", "192.0.2.1", 0, 0)) == 0
    assert await settled(state.series_count("s", "192.0.2.1", 0, 1)) == 2
    assert await settled(state.series_count("s", "192.0.2.1", 1, 7)) == 2
    await settled(state.series_remove("s", "192.0.2.1"))
    assert await settled(state.series_count("s", "192.0.2.0/24", 0, 2)) == 2
    state.series_define("w", "string", 60, 2, {})
    await settled(state.series_add("w", "k", -1.5))
    assert await settled(state.series_count("w", "k", 0, 0)) == -1.5

    assert await settled(state.share_get("k")) is None
    for value in "text \xff", 5, 2.5, True, False:
        await settled(state.share_set("k", value))
        found = await settled(state.share_get("k"))
        assert found == value and type(found) is type(value)
    await settled(state.share_set("k", None))
    assert await settled(state.share_get("k")) is None


async def check_pools(pools: Pools, run_spawned: Callable[[], Any]) -> None:
    """run_spawned: lets spawned jobs run."""
    names = list(pools.names())
    assert {"IO", "CPU", "SwapIn", "SwapOut"} <= set(names)
    assert await settled(pools.run("IO", lambda: 6 * 7)) == 42
    leave = await settled(pools.enter("CPU"))
    leave()
    seen: list[Any] = []
    pools.spawn("IO", lambda: "job", seen.append)
    assert seen == []
    await settled(run_spawned())
    assert seen == ["job"]
    assert pools.stats("IO")["invocations"] == 2
    assert pools.stats("CPU")["invocations"] == 1


async def check_sessions(sessions: Sessions) -> None:
    """Monitor "60,2" counts two connections from 192.0.2.1 now; one session of it is open on SMTP."""
    assert sessions.count("192.0.2.0/24", "SMTP") == 1
    assert sessions.count("192.0.2.1", "Control") == 0
    assert sessions.count("0.0.0.0/0", "SMTP", "no such listener") == 0
    assert await settled(sessions.monitor("connections", "60,2", "192.0.2.0/24", 0, 0)) == 2
    assert await settled(sessions.monitor("connections", "60,2", "192.0.2.2", 0, 5)) == 0
    assert await settled(sessions.monitor("rejections", "60,2", "192.0.2.0/24", 0, 0)) == 0
    unknown = await failure(lambda: sessions.monitor("connections", "9,9", "192.0.2.1", 0, 0))
    assert unknown == "UNDEFINED"


async def check_scanners(scanners: Scanners, *, virus: bytes, spam: bytes) -> None:
    """`clamav` and `csapi` find `virus`; `cloudmark` and `beik` refuse `spam`. Nothing else is configured."""
    assert list(scanners.virus_engines()) == ["clamav", "csapi"]
    assert scanners.settings("cloudmark") is not None and scanners.settings("clamav") is not None
    assert scanners.settings("brightmail") is None
    for engine in "clamav", "csapi":
        assert (await settled(scanners.virus(engine, b"harmless"))).verdict == "clean"
        found = await settled(scanners.virus(engine, virus))
        assert found.verdict == "infected" and found.name and found.reply
    assert await failure(lambda: scanners.virus("fsecure", b"x")) == "NO_ENGINE"
    envelope = Envelope("ann@example.test", ("bob@example.test",))
    for module in "cloudmark", "beik":
        report = await settled(scanners.spam(module, spam, envelope))
        assert report.action == "reject" and report.score >= report.reject_at > report.mark_at
        assert report.engine and report.symbols
    assert await failure(lambda: scanners.spam("brightmail", b"x", envelope)) == "NO_ENGINE"


async def check_message_store(store: MessageStore) -> None:
    """An empty store."""
    first = StoredMessage(
        b"Subject: \xff\r\n\r\n\x00body\r\n", "ann@example.test", "b\xfcb@example.test"
    )
    other = StoredMessage(b"", "", "")
    assert await settled(store.load("MADR-1", "k")) is None
    await settled(store.delete("MADR-1", "k"))
    await settled(store.save("MADR-1", "k", other))
    await settled(store.save("MADR-1", "k", first))
    assert await settled(store.load("MADR-1", "k")) == first
    name = "a b/c?d%e\xff&" * 100
    await settled(store.save("MADR/\xfc", name, first))
    assert await settled(store.load("MADR/\xfc", name)) == first
    assert await settled(store.load("MADR/\xfc", name + "x")) is None
    await settled(store.delete("MADR-1", "k"))
    assert await settled(store.load("MADR-1", "k")) is None
