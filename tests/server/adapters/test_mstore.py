"""Message stores: the embedded one, and Riak's HTTP interface against a server that speaks it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from moonpost.adapters.http import HttpClient
from moonpost.adapters.mstore import EmbeddedMessages, RiakMessages
from msys.ports import PortError, StoredMessage
from msys.testing.check_ports import check_message_store, failure
from msys.testing.fakes import FakeClock, FakeStore
from testkit.engines import free_port


@asynccontextmanager
async def riak() -> AsyncIterator[tuple[str, dict[str, tuple[bytes, dict[str, str]]]]]:
    """As much of Riak's HTTP interface as stores and gives back objects: its address, and its objects by path."""
    objects: dict[str, tuple[bytes, dict[str, str]]] = {}

    async def answer(request: web.Request) -> web.Response:
        path = request.raw_path
        if request.method == "PUT":
            if "Content-Type" not in request.headers:
                return web.Response(status=400)
            meta = {
                k: v for k, v in request.headers.items() if k.lower().startswith("x-riak-meta-")
            }
            objects[path] = (await request.read(), meta)
            return web.Response(status=204)
        if path not in objects:
            return web.Response(status=404, body=b"not found\n")
        if request.method == "DELETE":
            del objects[path]
            return web.Response(status=204)
        body, meta = objects[path]
        return web.Response(body=body, headers={**meta, "X-Riak-Vclock": "a85hYGBg"})

    application = web.Application(client_max_size=1 << 24)
    application.router.add_route("*", "/buckets/{bucket}/keys/{key}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}", objects
    finally:
        await runner.cleanup()


def test_the_fake_store() -> None:
    asyncio.run(check_message_store(FakeStore()))


def test_the_embedded_store(tmp_path: Path) -> None:
    store = EmbeddedMessages(tmp_path / "mstore", FakeClock().now)
    asyncio.run(check_message_store(store))
    store.close()


def test_riak() -> None:
    async def work() -> None:
        http = HttpClient()
        async with riak() as (address, objects):
            dead = f"127.0.0.1:{free_port()}"
            await check_message_store(RiakMessages([address], http))
            store = RiakMessages([dead, address, dead], http)  # whichever comes first
            await store.save("MADR-12345", "id/1", StoredMessage(b"x", "a@b.test", "c@d.test"))
            assert objects["/buckets/MADR-12345/keys/id%2F1"][0] == b"x"
            for _ in range(5):
                assert await store.load("MADR-12345", "id/1") is not None
            assert await failure(lambda: RiakMessages([dead], http).load("b", "k")) == "STORE"
            assert await failure(lambda: RiakMessages([], http).load("b", "k")) == "STORE"
        await http.close()

    asyncio.run(work())


def test_a_riak_that_complains_is_quoted() -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=503, reason="Overloaded")

    async def work() -> None:
        application = web.Application()
        application.router.add_route("*", "/{rest:.*}", refuse)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        http = HttpClient()
        store = RiakMessages([f"127.0.0.1:{runner.addresses[0][1]}"], http)
        with pytest.raises(PortError, match="answered GET with 503 Overloaded"):
            await store.load("b", "k")
        await http.close()
        await runner.cleanup()

    asyncio.run(work())


def test_the_embedded_store_keeps_messages_over_a_restart_and_forgets_old_ones(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    kept = StoredMessage(b"bytes \xff\x00\r\n", "", "c@d.test")
    store = EmbeddedMessages(tmp_path, clock.now, retention_s=60)
    asyncio.run(store.save("b", "old", kept))
    store.close()
    store = EmbeddedMessages(tmp_path, clock.now, retention_s=60)
    assert asyncio.run(store.load("b", "old")) == kept
    clock.advance(30)
    asyncio.run(store.save("b", "new", kept))
    clock.advance(31)
    assert asyncio.run(store.load("b", "old")) is None
    assert asyncio.run(store.load("b", "new")) == kept
    asyncio.run(store.save("b", "third", kept))
    with store._environment.begin(db=store._messages) as transaction:
        assert transaction.stat(store._messages)["entries"] == 2
    store.close()
