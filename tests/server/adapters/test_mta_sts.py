"""Policies fetched by HTTPS from a real server, announced by a real nsd, kept over failures and restarts."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from moonpost.adapters.dns import Resolver
from moonpost.adapters.mta_sts import AGAIN_S, POLICY_BYTES, REFRESH_S, Policies
from moonpost.outbound.mta_sts import Policy
from msys.testing.fakes import FakeDns
from testkit.certificates import certificate
from testkit.dns_servers import needs_nsd, nsd, zone

TEXT = "version: STSv1\nmode: enforce\nmx: mx.b.test\nmax_age: 604800\n"
POLICY = Policy("enforce", 604_800, ("mx.b.test",))


class Domain:
    """b.test: its web server, its zone, and the time."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.reply: Callable[[], web.Response] = lambda: web.Response(text=TEXT)
        self.asked: list[str] = []
        self.dns = FakeDns({("mta-sts.b.test", "A"): ["127.0.0.1"]})
        self.announce("1")

    def announce(self, id: str) -> None:
        self.dns.add("_mta-sts.b.test", "TXT", [f"v=STSv1; id={id}"])

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.host.partition(':')[0]}{request.path}")
        return self.reply()


def run(
    tmp_path: Path,
    test: Callable[[Domain, Callable[[], Policies]], Awaitable[None]],
    name: str = "mta-sts.b.test",
    dns: Any = None,
) -> None:
    made = certificate(tmp_path, name)

    async def main() -> None:
        domain = Domain()
        application = web.Application()
        application.router.add_get("/{path:.*}", domain.answer)
        runner = web.AppRunner(application)
        await runner.setup()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(made.pem)
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        port = runner.addresses[0][1]

        def policies() -> Policies:
            return Policies(
                dns or domain.dns, tmp_path / "store", lambda: domain.now, port=port,
                ca=str(made.pem),
            )  # fmt: skip

        try:
            await test(domain, policies)
        finally:
            await runner.cleanup()

    asyncio.run(main())


def test_a_policy_is_fetched_once_a_day_or_when_its_id_changes(tmp_path: Path) -> None:
    async def test(domain: Domain, policies: Callable[[], Policies]) -> None:
        kept = policies()
        several = await asyncio.gather(*(kept.policy("B.test.") for _ in range(5)))
        assert several == [POLICY] * 5
        assert domain.asked == ["mta-sts.b.test/.well-known/mta-sts.txt"]
        domain.now += REFRESH_S - 1
        await kept.policy("b.test")
        assert len(domain.asked) == 1
        domain.now += 1
        await kept.policy("b.test")
        assert len(domain.asked) == 2
        domain.now += AGAIN_S
        domain.announce("2")
        domain.reply = lambda: web.Response(text=TEXT.replace("enforce", "testing"))
        found = await kept.policy("b.test")
        assert found is not None and found.mode == "testing" and len(domain.asked) == 3

    run(tmp_path, test)


BAD: dict[str, Callable[[], web.Response]] = {
    "not found": lambda: web.Response(status=404, text=TEXT),
    "a redirect": lambda: web.Response(status=302, headers={"Location": "/.well-known/mta-sts.txt"}),
    "not text": lambda: web.Response(text=TEXT, content_type="text/html"),
    "no policy": lambda: web.Response(text="hello"),
    "without end": lambda: web.Response(text=TEXT + "x: y\n" * POLICY_BYTES),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_policy_is_none_and_does_not_undo_one(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(domain: Domain, policies: Callable[[], Policies]) -> None:
        domain.reply = BAD[name]
        kept = policies()
        assert await kept.policy("b.test") is None
        assert "MTA-STS policy not fetched domain=b.test" in caplog.text
        assert await kept.policy("b.test") is None
        assert len(domain.asked) == 1, "not asked again at once"
        domain.now += AGAIN_S
        domain.reply = lambda: web.Response(text=TEXT)
        assert await kept.policy("b.test") == POLICY
        domain.reply = BAD[name]
        domain.now += REFRESH_S
        assert await kept.policy("b.test") == POLICY
        assert "the one we have holds" in caplog.text
        domain.now += POLICY.max_age_s
        assert await kept.policy("b.test") is None

    run(tmp_path, test)


def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    async def test(domain: Domain, policies: Callable[[], Policies]) -> None:
        assert await policies().policy("b.test") is None
        assert domain.asked == []

    run(tmp_path, test, name="b.test")


def test_a_policy_survives_a_restart_and_the_loss_of_its_record(tmp_path: Path) -> None:
    async def test(domain: Domain, policies: Callable[[], Policies]) -> None:
        await policies().policy("b.test")
        del domain.dns.records["_mta-sts.b.test", "TXT"]
        again = policies()
        assert await again.policy("b.test") == POLICY
        assert len(domain.asked) == 1
        domain.now += POLICY.max_age_s
        assert await again.policy("b.test") is None

    run(tmp_path, test)


@pytest.mark.parametrize("content", ["", "{", "[]", json.dumps({"id": 1, "policy": "x"})])
def test_a_file_that_cannot_be_read_is_fetched_anew(content: str, tmp_path: Path) -> None:
    async def test(domain: Domain, policies: Callable[[], Policies]) -> None:
        (tmp_path / "store").mkdir()
        (tmp_path / "store/b.test.json").write_text(content)
        assert await policies().policy("b.test") == POLICY

    run(tmp_path, test)


@pytest.mark.parametrize(
    "domain", ["", "..", "../x", "a/b", "[192.0.2.1]", "a b", "\xe9.test", "a" * 300]
)
def test_names_that_are_no_domains_have_no_policy(domain: str, tmp_path: Path) -> None:
    async def test(_: Domain, policies: Callable[[], Policies]) -> None:
        assert await policies().policy(domain) is None

    run(tmp_path, test)


@needs_nsd
def test_the_record_is_found_behind_an_alias(tmp_path: Path) -> None:
    records = (
        '_mta-sts CNAME _sts.provider\n_sts.provider TXT "v=STSv1; " "id=7;"\nmta-sts A 127.0.0.1\n'
    )

    async def test(domain: Domain, policies: Callable[[], Policies]) -> None:
        assert await policies().policy("b.test") == POLICY

    with nsd(tmp_path / "nsd", {"b.test": zone("b.test", records)}) as server:
        run(tmp_path, test, dns=Resolver([server], now=time.monotonic, timeout_s=2, lifetime_s=4))
