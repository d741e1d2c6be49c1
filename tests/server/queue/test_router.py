"""From a domain to hosts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from moonpost.app.own import listens
from moonpost.outbound.answers import Fate
from moonpost.queue.hosts import Host, choose, usable_at, wanted_connections
from moonpost.queue.options import DEFAULTS, QueueOptions, resolve, throttle
from moonpost.queue.router import NO_HOSTS, NULL_MX, PROHIBITED, NoRoute, Router
from moonpost.queue.throttle import Throttle
from msys.ports import PortError
from msys.testing.fakes import FakeDns

ZONE: dict[tuple[str, str], Any] = {
    ("b.test", "MX"): [(20, "backup.b.test"), (10, "mx.b.test"), (10, "mx2.b.test")],
    ("mx.b.test", "A"): ["192.0.2.1", "192.0.2.2"],
    ("mx.b.test", "AAAA"): ["2001:db8::1"],
    ("mx2.b.test", "A"): ["192.0.2.3"],
    ("backup.b.test", "A"): ["192.0.2.9"],
    ("plain.test", "A"): ["192.0.2.20"],
    ("null.test", "MX"): [(0, ".")],
    ("null.test", "A"): ["192.0.2.66"],
    ("dangling.test", "MX"): [(10, "gone.test"), (20, "mx2.b.test")],
    ("hopeless.test", "MX"): [(10, "gone.test")],
    ("broken.test", "MX"): PortError("SERVFAIL", "broken.test MX: SERVFAIL"),
    ("broken.test", "A"): ["192.0.2.30"],
    ("loop.test", "A"): ["127.0.0.1"],
}


def options(**given: Any) -> QueueOptions:
    return resolve(lambda name, _binding, _domain: given.get(name), "default", "x")


def route(
    domain: str, router: Router | None = None, **given: Any
) -> list[tuple[str, str, int, int]]:
    hosts = asyncio.run((router or Router(FakeDns(ZONE))).hosts(domain, options(**given)))
    return [tuple(host) for host in hosts]


def refusal(domain: str, router: Router | None = None, **given: Any) -> str:
    with pytest.raises(NoRoute) as caught:
        route(domain, router, **given)
    outcome = caught.value.outcome
    assert (outcome.fate is Fate.FAILED) == outcome.text.startswith("5")
    return outcome.text


def test_mx_hosts_best_first_with_all_their_addresses() -> None:
    assert route("b.test") == [
        ("mx.b.test", "192.0.2.1", 25, 10), ("mx.b.test", "192.0.2.2", 25, 10),
        ("mx2.b.test", "192.0.2.3", 25, 10), ("backup.b.test", "192.0.2.9", 25, 20),
    ]  # fmt: skip
    assert ("mx.b.test", "2001:db8::1", 25, 10) in route("b.test", use_ipv6=True)


def test_a_domain_without_mx_is_its_own_host() -> None:
    assert route("plain.test") == [("plain.test", "192.0.2.20", 25, 0)]


def test_null_mx_is_final() -> None:
    assert refusal("null.test") == NULL_MX


def test_an_mx_without_address_is_passed_over() -> None:
    assert [host[0] for host in route("dangling.test")] == ["mx2.b.test"]
    assert refusal("hopeless.test") == NO_HOSTS


def test_an_unknown_domain_fails_for_good_after_so_many_lookups() -> None:
    router = Router(FakeDns(ZONE))
    answers = [refusal("nowhere.test", router, dns_failures_to_purge=3) for _ in range(4)]
    assert [answer[:9] for answer in answers] == [
        "454 4.4.4",
        "454 4.4.4",
        "554 5.4.4",
        "454 4.4.4",
    ]


def test_nameservers_that_cannot_answer_never_fail_mail_for_good() -> None:
    zone = {
        ("b.test", "MX"): [(10, "mx.b.test")],
        ("mx.b.test", "A"): PortError("TIMEOUT", "mx.b.test A: TIMEOUT"),
    }
    router = Router(FakeDns(zone))
    for _ in range(5):
        assert refusal("b.test", router, dns_failures_to_purge=2) == f"{NO_HOSTS}: TIMEOUT"


@pytest.mark.parametrize(("fallback", "failures"), [(3, 3), (0, 0), (-1, 1)])
def test_an_mx_that_cannot_be_asked_falls_back_after_so_many_failures(
    fallback: int, failures: int
) -> None:
    router = Router(FakeDns(ZONE))
    for _ in range(failures):
        answer = refusal("broken.test", router, mx_failures_fallback_to_a=fallback)
        assert answer == f"{NO_HOSTS}: SERVFAIL"
    assert route("broken.test", router, mx_failures_fallback_to_a=fallback)[0][1] == "192.0.2.30"


@pytest.mark.parametrize(
    ("domain", "address"),
    [("192.0.2.7", "192.0.2.7"), ("[192.0.2.7]", "192.0.2.7"), ("[IPv6:2001:db8::7]", "2001:db8::7"),
     ("[2001:db8::7]", "2001:db8::7")],
)  # fmt: skip
def test_an_address_needs_no_lookup(domain: str, address: str) -> None:
    assert route(domain, remote_smtp_port=2525) == [(address, address, 2525, 0)]


def test_routes_replace_mx_in_their_order() -> None:
    given = [
        "10.1.1.1",
        "smtp://plain.test?port=2525&pref=7",
        "__mx__",
        "smtp://b.test?type=mx&pref=0",
    ]
    assert [(host[1], host[2], host[3]) for host in route("b.test", routes=given)][:5] == [
        ("10.1.1.1", 25, 0), ("192.0.2.1", 25, 0), ("192.0.2.2", 25, 0), ("192.0.2.3", 25, 0),
        ("192.0.2.9", 25, 0),
    ]  # fmt: skip
    assert ("plain.test", "192.0.2.20", 2525, 7) in route("b.test", routes=given)
    assert refusal("b.test", routes=["gopher://x"]).startswith("454 4.4.4")


def test_prohibited_hosts_are_never_tried() -> None:
    assert refusal("loop.test", prohibited_hosts=["127.0.0.0/8"]) == PROHIBITED
    assert [host[1] for host in route("b.test", prohibited_hosts=["192.0.2.0/30"])] == ["192.0.2.9"]


def test_hosts_of_the_best_preference_are_filled_evenly() -> None:
    hosts = [Host("a", "1", 25, 10), Host("b", "2", 25, 10), Host("c", "3", 25, 20)]
    assert choose(hosts, 0, {}, {("1", 25): 2, ("2", 25): 1}) == hosts[1]
    assert choose(hosts, 0, {("1", 25): 5, ("2", 25): 5}, {}) == hosts[2]
    assert choose(hosts, 5, {("1", 25): 5, ("2", 25): 9}, {}) == hosts[0]
    quarantine = {(address, 25): float(until) for address, until in (("1", 9), ("2", 7), ("3", 8))}
    assert choose(hosts, 5, quarantine, {}) is None
    assert usable_at(hosts, quarantine) == 7


def test_connections_grow_with_the_queue() -> None:
    assert [wanted_connections(ready, 0.3, 32) for ready in (0, 1, 2, 10, 400)] == [0, 1, 1, 4, 32]
    assert wanted_connections(10, 0.75, 32) == 8


def test_a_throttle_allows_so_many_in_so_many_seconds() -> None:
    limit = Throttle(*(throttle("2/10") or (0, 0)))
    assert [limit.wait_s(0.0), limit.wait_s(0.0), limit.wait_s(0.0)] == [0, 0, 5]
    assert limit.wait_s(5.0) == 0
    assert limit.wait_s(6.0) == pytest.approx(4)
    assert limit.wait_s(1000.0, 5) == 0 and limit.wait_s(1000.0) == pytest.approx(20)


@pytest.mark.parametrize(
    ("value", "rate"),
    [(None, None), (0, None), ("", None), (5, (5, 1)), ("60/3", (60, 3)), ((9, 2), (9, 2))],
)
def test_throttles_as_they_are_written(value: object, rate: tuple[float, float] | None) -> None:
    assert throttle(value) == rate


def test_every_option_has_a_default_that_resolves() -> None:
    found = options()
    assert found.retry.retry_interval == 1200 and found.max_connections == 32 and found.port == 25
    assert options(delivery_method="lmtp").port == DEFAULTS["lmtp_port"]
    assert options(blackhole="true").blackhole == "inline" and options().blackhole == ""


def test_private_addresses_cannot_hide_behind_ipv6_or_zeroes() -> None:
    networks = ("127.0.0.0/8", "10.0.0.0/8")
    zone = {
        ("mapped.test", "AAAA"): ["::ffff:10.1.2.3"],
        ("zero.test", "A"): ["0.0.0.0"],
        ("group.test", "A"): ["224.0.0.1"],
    }
    router = Router(FakeDns(zone))
    assert refusal("mapped.test", router, use_ipv6=True, prohibited_hosts=networks) == PROHIBITED
    assert refusal("zero.test", router) == NO_HOSTS
    assert refusal("group.test", router) == NO_HOSTS


def test_hosts_without_end_are_tried_no_longer_than_others() -> None:
    zone: dict[tuple[str, str], Any] = {
        ("b.test", "MX"): [(n, f"mx{n}.b.test") for n in range(500)]
    }
    for n in range(500):
        zone[f"mx{n}.b.test", "A"] = [f"192.0.{n // 256}.{n % 256}"]
    zone["a.test", "A"] = [f"192.0.2.{n}" for n in range(250)]
    router = Router(FakeDns(zone))
    assert len(route("b.test", router)) == 30
    assert len(route("a.test", router)) == 30


LOOPED: dict[tuple[str, str], Any] = {
    ("both.test", "MX"): [(10, "mx.test"), (20, "us.test"), (30, "backup.test")],
    ("us.test", "A"): ["192.0.2.50"],
    ("mx.test", "A"): ["192.0.2.51"],
    ("backup.test", "A"): ["192.0.2.52"],
    ("only.test", "MX"): [(10, "us.test"), (20, "mx.test")],
}


def test_mail_is_not_handed_to_ourselves_or_to_worse_hosts() -> None:
    router = Router(FakeDns(LOOPED), is_ours=lambda *place: place == ("192.0.2.50", 25))
    assert [found[0] for found in route("both.test", router)] == ["mx.test"]
    assert [found[0] for found in route("both.test", router, remote_smtp_port=26)] == [
        "mx.test", "us.test", "backup.test",
    ]  # fmt: skip
    assert "loops back" in refusal("only.test", router)
    assert "loops back" in refusal("us.test", router)
    assert [found[1] for found in route("192.0.2.50", router)] == ["192.0.2.50"], (
        "said in so many words"
    )


def test_which_places_are_ours() -> None:
    assert listens("127.0.0.1", 25, ["127.0.0.1:25"])
    assert listens("127.0.0.1", 25, ["0.0.0.0:25"]) and listens("::1", 25, ["[::]:25"])
    assert not listens("192.0.2.1", 25, ["0.0.0.0:25", "127.0.0.1:25", "/run/x.sock:25"])
    assert not listens("127.0.0.1", 26, ["127.0.0.1:25"])
