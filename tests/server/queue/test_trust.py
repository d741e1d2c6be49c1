"""DANE and MTA-STS on the way of a message: real name servers that validate, real TLS, certificates of the test."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moonpost.adapters.dns import Resolver
from moonpost.outbound.mta_sts import Policy
from moonpost.queue.trust import Trust
from moonpost.testing.sink import Sink
from testkit.certificates import Made, certificate
from testkit.delivery import Line, line
from testkit.dns_servers import needs_unbound, nsd, signed, unbound, zone

pytestmark = needs_unbound

RECORDS = """
@ MX 10 mx
mx A 127.0.0.1
_{port}._tcp.mx TLSA 3 0 1 {good}
wrong MX 10 mx.wrong
mx.wrong A 127.0.0.1
_{port}._tcp.mx.wrong TLSA 3 0 1 {bad}
none MX 10 mx.none
mx.none A 127.0.0.1
odd MX 10 mx.odd
mx.odd A 127.0.0.1
_{port}._tcp.mx.odd TLSA 0 0 1 {bad}
alias MX 10 mx.alias
mx.alias CNAME mx
nomx A 127.0.0.1
_{port}._tcp.nomx TLSA 3 0 1 {good}
broken MX 10 mx.broken
mx.broken A 127.0.0.1
_{port}._tcp.mx.broken TLSA 3 0 1 {good}
"""


class Named:
    """The name servers of this file, and a receiving host that the zones speak of."""

    def __init__(self, folder: Path, sink: Sink, made: Made) -> None:
        self.folder, self.sink, self.certificate = folder, sink, made

    def records(self) -> str:
        good = hashlib.sha256(self.certificate.der).hexdigest()
        return RECORDS.format(port=self.sink.port, good=good, bad="00" * 32)


def dane(
    tmp_path: Path, test: Callable[[Line, Sink], Any], *, trusted: bool = True, **given: Any
) -> None:
    made = certificate(tmp_path, "mx.s.test")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.pem)

    async def main() -> None:
        async with Sink(tls=given.pop("server", context)) as sink:
            records = Named(tmp_path, sink, made).records()
            text, ds = signed("s.test", zone("s.test", records))
            spoiled = "\n".join(
                line.replace(" TLSA 3 0 1 ", " TLSA 3 1 1 ") if ".broken." in line else line
                for line in text.splitlines()
            )
            with (
                nsd(tmp_path / "nsd", {"s.test": spoiled + "\n", "i.test": zone("i.test", records)}) as master,
                unbound(tmp_path / "unbound", master, {"s.test": ds, "i.test": ""}) as server,
            ):  # fmt: skip
                resolver = Resolver(
                    [server], now=time.monotonic, timeout_s=2, lifetime_s=4, trusted=trusted
                )
                assert resolver.trusted is trusted
                trust = Trust(resolver.prove) if trusted else Trust(no_dane="not trusted")
                options = {"routes": (), "use_dane": True, "dns_port": resolver, **given}
                async with line(tmp_path, sink.port, trust=trust, **options) as made_line:
                    await test(made_line, sink)

    asyncio.run(main())


CASES = {
    # recipient's domain: (kind, over TLS, words of the answer)
    "s.test": ("D", True, ""),
    "wrong.s.test": ("T", None, "DANE: no TLSA record fits"),
    "none.s.test": ("D", False, ""),
    "odd.s.test": ("D", True, ""),
    "alias.s.test": ("D", True, ""),
    "nomx.s.test": ("D", True, ""),
    "broken.s.test": ("T", None, "DANE: DNS can't be asked"),
    "i.test": ("D", False, ""),
    "wrong.i.test": ("D", False, ""),
}


def test_tlsa_records_count_where_dnssec_vouches_for_them(tmp_path: Path) -> None:
    async def test(made: Line, sink: Sink) -> None:
        for domain, (kind, tls, words) in CASES.items():
            seen, before = len(made.journal.events), len(sink.received)
            await made.send(f"x@{domain}")
            await made.until(lambda: len(made.journal.events) == seen + 2)  # noqa: B023
            found, _, text = made.journal.events[-1]
            assert (found, words in text) == (kind, True), f"{domain}: {text}"
            assert [one.tls for one in sink.received[before:]] == ([] if tls is None else [tls])
        assert not made.manager.quarantine, "other queues go on calling these hosts"

    dane(tmp_path, test)


def test_a_host_that_hides_starttls_gets_nothing(tmp_path: Path) -> None:
    async def test(made: Line, sink: Sink) -> None:
        await made.send("x@s.test")
        assert await made.events(1) == "T"
        assert "STARTTLS required but not advertised" in made.journal.texts("T")[0]
        assert not sink.received

    dane(tmp_path, test, server=None)


def test_without_a_trusted_resolver_dane_is_off_and_that_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(made: Line, sink: Sink) -> None:
        await made.send("x@wrong.s.test")
        await made.send("x@s.test")
        assert await made.events(2) == "DD"
        assert [record.levelno for record in caplog.records] == [logging.ERROR]
        assert "DANE is off reason=not trusted" in caplog.text

    dane(tmp_path, test, trusted=False)


def test_dane_is_left_alone_unless_it_is_wanted(tmp_path: Path) -> None:
    async def test(made: Line, sink: Sink) -> None:
        await made.send("x@wrong.s.test")
        assert await made.events(1) == "D"

    dane(tmp_path, test, enable_dane=False)


def sts(
    tmp_path: Path,
    policy: Policy | None,
    kind: str,
    words: str = "",
    *,
    names: tuple[str, ...] = ("mx.b.test",),
    known: bool = True,
    **given: Any,
) -> None:
    """One message to b.test, whose only host is mx.b.test."""
    ca = certificate(tmp_path, "ca.test")
    leaf = certificate(tmp_path, *names, issuer=ca, authority=False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.pem)
    dns = {("b.test", "MX"): [(10, "mx.b.test")], ("mx.b.test", "A"): ["127.0.0.1"]}

    async def policy_of(domain: str) -> Policy | None:
        assert domain == "b.test"
        return policy

    async def main() -> None:
        async with (
            Sink(tls=context) as sink,
            line(
                tmp_path, sink.port, trust=Trust(policy_of=policy_of), routes=(), dns=dns,
                use_mta_sts=True, tls_ca=str(ca.pem) if known else "", **given,
            ) as made,
        ):  # fmt: skip
            await made.send("x@b.test")
            assert await made.events(1) == kind
            assert words in made.journal.events[-1][2]
            assert [one.tls for one in sink.received] == ([True] if kind == "D" else [])

    asyncio.run(main())


ENFORCED = Policy("enforce", 3600, ("mx.b.test",))


def test_an_enforced_policy_is_kept(tmp_path: Path) -> None:
    sts(tmp_path, ENFORCED, "D")


def test_an_enforced_policy_wants_the_name_of_the_host(tmp_path: Path) -> None:
    sts(tmp_path, ENFORCED, "T", "MTA-STS: the certificate is not for mx.b.test", names=("b.test",))


def test_an_enforced_policy_wants_a_known_authority(tmp_path: Path) -> None:
    sts(tmp_path, ENFORCED, "T", "CERTIFICATE_VERIFY_FAILED", known=False)


def test_an_enforced_policy_names_the_hosts(tmp_path: Path) -> None:
    sts(
        tmp_path, Policy("enforce", 3600, ("*.elsewhere.test",)), "T", "allows none of its MX hosts"
    )


@pytest.mark.parametrize("policy", [Policy("testing", 3600, ("*.elsewhere.test",))])
def test_a_policy_under_test_hinders_nothing(policy: Policy | None, tmp_path: Path) -> None:
    sts(tmp_path, policy, "D", names=("other.test",), known=False)


def test_a_certificate_may_be_for_the_domain_where_only_options_ask(tmp_path: Path) -> None:
    sts(tmp_path, None, "D", names=("b.test",), tls="required", tls_verify="host")


def test_a_certificate_for_somebody_else_is_refused(tmp_path: Path) -> None:
    words = "options: the certificate is not for mx.b.test or b.test"
    sts(tmp_path, None, "T", words, names=("c.test",), tls="required", tls_verify="host")


def test_a_host_may_ask_for_our_certificate(tmp_path: Path) -> None:
    ours = certificate(tmp_path, "client.test")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate(tmp_path, "mx.b.test").pem)
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(ours.pem)

    async def main(kind: str, **given: Any) -> None:
        async with (
            Sink(tls=server) as sink,
            line(tmp_path / kind, sink.port, tls="required", **given) as made,
        ):
            await made.send("x@b.test")
            assert await made.events(1) == kind

    asyncio.run(main("D", tls_certificate=str(ours.pem)))
    asyncio.run(main("T"))
