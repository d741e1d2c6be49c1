"""Fakes and real adapters do the same: one suite, two sides."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from moonpost.adapters.clock import LoopClock
from moonpost.adapters.database import Databases, Datasource
from moonpost.adapters.dns import Resolver
from moonpost.adapters.files import PolicyFiles
from moonpost.adapters.http import HttpClient
from moonpost.adapters.pools import LoopPools
from moonpost.adapters.sessions import SessionBook
from msys.ports import HttpReply
from msys.testing import check_ports as check
from msys.testing.fakes import (
    FakeClock,
    FakeDatabase,
    FakeDns,
    FakeFiles,
    FakeHttp,
    FakeLog,
    FakePools,
    FakeSessions,
    Request,
    fake_ports,
)


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_fake_clock() -> None:
    asyncio.run(check.check_clock(FakeClock()))


def test_loop_clock() -> None:
    asyncio.run(check.check_clock(LoopClock()))


def test_fake_dns() -> None:
    asyncio.run(check.check_dns(FakeDns(check.ZONE)))


ZONES = {
    "example.test": """
$ORIGIN example.test.
$TTL 300
@ IN SOA ns host 1 3600 600 86400 60
@ IN NS ns
ns IN A 127.0.0.1
@ IN A 192.0.2.1
@ IN AAAA 2001:db8::1
@ IN MX 20 mx2
@ IN MX 10 mx1
@ IN TXT "v=spf1 -all"
long IN TXT "{long}" "{more}"
bytes IN TXT "gr\\195\\188\\255"
null IN MX 0 .
""".format(long="x" * 200, more="y" * 100),
    "2.0.192.in-addr.arpa": """
$ORIGIN 2.0.192.in-addr.arpa.
$TTL 300
@ IN SOA ns.example.test. host.example.test. 1 3600 600 86400 60
@ IN NS ns.example.test.
1 IN PTR host.example.test.
""",
}


@pytest.fixture(scope="module")
def nameserver(tmp_path_factory) -> Iterator[str]:
    """A real nsd with the zone of the suite, as `address:port`."""
    program = shutil.which("nsd") or shutil.which("nsd", path="/usr/sbin")
    if program is None:
        pytest.skip("needs the Debian program nsd")
    folder = tmp_path_factory.mktemp("nsd")
    port = free_port(socket.SOCK_DGRAM)
    lines = [
        "server:",
        "  ip-address: 127.0.0.1",
        f"  port: {port}",
        '  username: ""',
        '  chroot: ""',
        f'  zonesdir: "{folder}"',
        f'  pidfile: "{folder}/pid"',
        f'  xfrdfile: "{folder}/xfrd"',
        f'  zonelistfile: "{folder}/zonelist"',
        '  database: ""',
        "  server-count: 1",
        "remote-control:",
        "  control-enable: no",
    ]
    for name in "example.test", "2.0.192.in-addr.arpa":
        (folder / f"{name}.zone").write_text(ZONES[name])
        lines += ["zone:", f'  name: "{name}"', f'  zonefile: "{name}.zone"']
    (folder / "nsd.conf").write_text("\n".join(lines) + "\n")
    server = subprocess.Popen(
        [program, "-d", "-c", str(folder / "nsd.conf")], stderr=subprocess.PIPE
    )
    try:
        until = time.monotonic() + 10
        while time.monotonic() < until and server.poll() is None:
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        else:
            pytest.fail(f"nsd did not start: {server.stderr.read() if server.stderr else ''}")
        yield f"127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)


def test_resolver(nameserver: str) -> None:
    resolver = Resolver([nameserver], now=time.monotonic, timeout_s=2, lifetime_s=4)
    asyncio.run(check.check_dns(resolver))


def test_resolver_asks_once_and_then_remembers(nameserver: str) -> None:
    now = [0.0]
    resolver = Resolver([nameserver], now=lambda: now[0], timeout_s=2, lifetime_s=4)

    async def scene() -> None:
        await asyncio.gather(
            *(check.settled(resolver.lookup("example.test", "MX")) for _ in range(5))
        )
        assert resolver.statistics.queries == 1
        assert not asyncio.iscoroutine(resolver.lookup("example.test", "MX"))
        assert await check.failure(lambda: resolver.lookup("x.example.test", "A")) == "NXDOMAIN"
        with pytest.raises(check.PortError):
            resolver.lookup("x.example.test", "A")  # known at once
        now[0] = 61  # past the SOA's minimum
        assert await check.failure(lambda: resolver.lookup("x.example.test", "A")) == "NXDOMAIN"
        assert resolver.statistics.queries == 3
        now[0] = 301
        await check.settled(resolver.lookup("example.test", "MX"))
        assert resolver.statistics.queries == 4

    asyncio.run(scene())


def test_resolver_failures_of_servers(nameserver: str) -> None:
    resolver = Resolver([nameserver], now=time.monotonic, timeout_s=0.2, lifetime_s=0.4)

    async def scene() -> None:
        assert await check.failure(lambda: resolver.lookup("not.ours", "A")) == "REFUSED"
        dead = f"127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
        late = await check.failure(lambda: resolver.lookup("example.test", "A", dead))
        assert late in ("TIMEOUT", "SERVFAIL")
        answers = await check.settled(resolver.lookup("example.test", "A", nameserver))
        assert answers[0].text == "192.0.2.1"
        for name, server in (
            ("a..b", None),
            ("x" * 64 + ".test", None),
            ("example.test", "no address"),
        ):
            wrong = await check.failure(lambda: resolver.lookup(name, "A", server))  # noqa: B023
            assert wrong == "FORMERR"
        pointer = await check.settled(resolver.lookup("192.0.2.1", "PTR"))
        assert pointer[0].text == "host.example.test"

    asyncio.run(scene())


async def with_web_server(scene) -> None:
    async def answer(request: web.Request) -> web.Response:
        if request.path == "/echo":
            body = await request.read()
            return web.Response(
                body=f"{request.method}\n{request.headers.get('X-Test', '')}\n".encode() + body
            )
        if request.path == "/slow":
            await asyncio.sleep(2)
        if request.path == "/headers":
            return web.Response(
                text="\n".join(f"{name}: {value}" for name, value in request.headers.items())
            )
        status, reason, headers, body = check.ROUTES[request.path]
        response = web.Response(status=status, reason=reason, body=body)
        for name, value in headers:
            response.headers.add(name, value)
        return response

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    client = HttpClient()
    try:
        await scene(client, f"http://127.0.0.1:{port}")
    finally:
        await client.close()
        await runner.cleanup()


def test_http_client() -> None:
    async def scene(client: HttpClient, base: str) -> None:
        await check.check_http(client, base, f"http://127.0.0.1:{free_port()}")

    asyncio.run(with_web_server(scene))


def test_http_client_limits_time_and_adds_nothing() -> None:
    async def scene(client: HttpClient, base: str) -> None:
        slow = await check.failure(lambda: client.request("GET", f"{base}/slow", [], b"", 0.05))
        assert slow == "OPERATION_TIMEDOUT"
        reply = await client.request("GET", f"{base}/headers", [("X-Utf8", "\xc3\xbc")], b"", 5)
        names = [line.partition(":")[0] for line in reply.body.decode().splitlines()]
        assert sorted(names) == ["Accept", "Host", "X-Utf8"]
        assert "X-Utf8: ü" in reply.body.decode()
        for url, word in ("gopher://x/", "UNSUPPORTED_PROTOCOL"), ("http://", "URL_MALFORMAT"):
            assert await check.failure(lambda: client.request("GET", url, [], b"", 1)) == word  # noqa: B023
        injected = await check.failure(
            lambda: client.request("GET", base, [("A", "b\r\nC: d")], b"", 1)
        )
        assert injected == "URL_MALFORMAT"

    asyncio.run(with_web_server(scene))


def test_fake_http() -> None:
    base = "http://h.test"
    replies = {
        ("GET", base + path): HttpReply(status, reason, headers, body)
        for path, (status, reason, headers, body) in check.ROUTES.items()
    }

    class Echoing(FakeHttp):
        def request(self, method, url, headers, body, timeout_s):
            if url.endswith("/echo"):
                self.requests.append(Request(method, url, tuple(headers), body, timeout_s))
                text = f"{method}\n{dict(headers)['X-Test']}\n".encode() + body
                return HttpReply(200, "OK", [], text)
            return super().request(method, url, headers, body, timeout_s)

    asyncio.run(check.check_http(Echoing(replies), base, "http://dead.test"))


def test_policy_files(tmp_path: Path) -> None:
    asyncio.run(check.check_files(PolicyFiles(), str(tmp_path)))


def test_policy_files_search_path_and_schemes(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"found")
    http = FakeHttp({("GET", "http://h.test/a"): HttpReply(200, "OK", [], b"web")})
    files = PolicyFiles([str(tmp_path)], ["file", "http"], http)

    async def scene() -> None:
        assert await check.settled(files.read("x")) == b"found"
        assert await check.settled(files.read("http://h.test/a")) == b"web"
        assert await check.failure(lambda: files.read("http://h.test/b")) == "COULDNT_CONNECT"
        assert await check.failure(lambda: files.read("https://h.test/a")) == "EPROTONOSUPPORT"
        assert await check.failure(lambda: files.read("a\0b")) == "EINVAL"
        assert await check.failure(lambda: files.read(str(tmp_path))) == "EISDIR"

    asyncio.run(scene())


def test_fake_files() -> None:
    asyncio.run(check.check_files(FakeFiles(), "/somewhere"))


def test_fake_database() -> None:
    database = FakeDatabase(max_rows=3)
    asyncio.run(check.check_database(database, "test"))
    database.close()


def test_databases_cache_reads_for_their_life(tmp_path: Path) -> None:
    now = [0.0]
    source = Datasource((f"sqlite:{tmp_path}/db",), cache_life_s=10, cache_size=2)

    async def scene() -> None:
        databases = Databases({"d": source}, now=lambda: now[0])

        async def count(*params: int, nocache: bool = False) -> int:
            sql = "select count(*) as n from t where x <> ?"
            rows = await check.settled(databases.query("d", sql, params, nocache=nocache))
            return rows[0]["n"]

        try:
            await check.settled(databases.execute("d", "create table t (x integer)", ()))
            assert await count(0) == 0
            await check.settled(databases.execute("d", "insert into t values (1)", ()))
            assert await count(0) == 0
            assert await count(0, nocache=True) == 1
            assert await count(5) == 1
            now[0] = 10
            assert await count(0) == 1
            await check.settled(databases.execute("d", "insert into t values (2)", ()))
            assert databases.flush("d") == 2
            assert await count(0) == 2
        finally:
            await databases.close()

    asyncio.run(scene())


def test_databases_round_trip_every_byte_and_pass_over_dead_servers(tmp_path: Path) -> None:
    dead = f"postgresql://u:p@127.0.0.1:{free_port()}/d"
    source = Datasource((dead, f"sqlite:{tmp_path}/db"))

    async def scene() -> None:
        databases = Databases({"d": source, "dead": Datasource((dead,))}, now=time.monotonic)
        try:
            await databases.execute("d", "create table t (x)", ())
            for text in "".join(map(chr, range(1, 256))), "gr\xc3\xbc\xc3\x9f", "plain":
                await databases.execute("d", "insert into t values (?)", (text,))
            found = await check.settled(databases.query("d", "select x from t", (), nocache=True))
            assert [row["x"] for row in found] == [
                "".join(map(chr, range(1, 256))),
                "gr\xc3\xbc\xc3\x9f",
                "plain",
            ]
            down = await check.failure(
                lambda: databases.query("dead", "select 1", (), nocache=True)
            )
            assert down == "UNREACHABLE"
            for uri, code in ("ldap:x", "UNKNOWN_DRIVER"), ("mysql:nonsense=1", "BAD_URI"):
                broken = Databases({"d": Datasource((uri,))}, now=time.monotonic)
                assert await check.failure(lambda: broken.query("d", "x", (), nocache=True)) == code  # noqa: B023
        finally:
            await databases.close()

    asyncio.run(scene())


def test_memory_state() -> None:
    ports = fake_ports()
    asyncio.run(check.check_state(ports.state, ports.clock.advance))


def test_fake_pools() -> None:
    pools = FakePools()
    asyncio.run(check.check_pools(pools, pools.run_spawned))


def test_loop_pools() -> None:
    async def scene() -> None:
        pools = LoopPools(lambda job: job(), LoopClock(), FakeLog())
        await check.check_pools(pools, lambda: asyncio.sleep(0.05))
        await pools.close()

    asyncio.run(scene())


def test_loop_pools_hold_as_many_as_they_may_and_log_what_fails() -> None:
    log = FakeLog()

    async def scene() -> None:
        running, most = 0, 0

        async def work() -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.01)
            running -= 1

        def broken() -> None:
            raise ValueError("broken job")

        pools = LoopPools(lambda job: job(), LoopClock(), log, {"Small": 2, "None": 0})
        for _ in range(7):
            pools.spawn("Small", work, None)
        pools.spawn("Small", broken, None)
        assert pools.run("None", lambda: 5) == 5
        await pools.close()
        assert most == 2
        assert pools.stats("Small")["invocations"] == 8
        assert pools.stats("Small")["avg_wallclock_time_per_op"] > 1
        first = await check.settled(pools.enter("Small"))
        second = await check.settled(pools.enter("Small"))
        third = asyncio.ensure_future(pools.enter("Small"))  # type: ignore[arg-type]
        fourth = asyncio.ensure_future(pools.enter("Small"))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        first()
        third.cancel()
        leave = await asyncio.wait_for(fourth, 1)
        leave()
        second()
        with pytest.raises(check.PortError):
            pools.spawn("Other", work, None)

    asyncio.run(scene())
    assert "broken job" in log.text


def test_fake_sessions() -> None:
    sessions = FakeSessions(["60,2"])
    sessions.open.append(("192.0.2.1", "SMTP", ":25"))
    sessions.events += [("connections", "192.0.2.1", 0)] * 2
    asyncio.run(check.check_sessions(sessions))


def test_session_book() -> None:
    book = SessionBook(["60,2"], now=lambda: 0.0)
    book.opened("192.0.2.1", "SMTP", ":25")
    book.closed(book.opened("192.0.2.1", "SMTP", ":26"))
    book.counted("receptions", "2001:db8::1")
    asyncio.run(check.check_sessions(book))
    assert book.monitor("receptions", "60,2", "2001:db8::/32", 0, 1) == 1
    with pytest.raises(check.PortError):
        SessionBook(["often"], now=lambda: 0.0)
