"""What TLS has to be: certificates against names, TLSA records and MTA-STS policies."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from moonpost.outbound import dane, mta_sts
from moonpost.outbound.mta_sts import BadPolicy, Policy
from moonpost.outbound.security import Security, with_policy, with_records
from moonpost.outbound.tls import _is_for
from testkit.certificates import Made, certificate

NOW = datetime.now(UTC)
NAMES = ("mx.b.test", "b.test")


def public_key(made: Made) -> bytes:
    return made.certificate.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )


def record(usage: int, selector: int, matching: int, made: Made) -> str:
    data = made.der if selector == 0 else public_key(made)
    digest = {0: data, 1: hashlib.sha256(data).digest(), 2: hashlib.sha512(data).digest()}
    return f"{usage} {selector} {matching} {digest[matching].hex()}"


@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("matching", [0, 1, 2])
def test_a_record_of_the_certificate_itself_is_enough(
    selector: int, matching: int, tmp_path: Path
) -> None:
    old = certificate(tmp_path, "other.test", days=-1)
    records = dane.usable([record(3, selector, matching, old)])
    assert dane.objection(records, [old.der], NAMES, NOW) == "", "neither name nor date count"
    new = certificate(tmp_path, "mx.b.test")
    assert "no TLSA record fits" in dane.objection(records, [new.der], NAMES, NOW)
    assert "no certificate" in dane.objection(records, [], NAMES, NOW)


def test_a_record_of_an_authority_wants_name_date_and_chain(tmp_path: Path) -> None:
    ca = certificate(tmp_path, "ca.test")
    records = dane.usable([record(2, 0, 1, ca)])

    def why(leaf: Made, *chain: Made) -> str:
        return dane.objection(records, [leaf.der, *(one.der for one in chain)], NAMES, NOW)

    def leaf(name: str, **more: Any) -> Made:
        return certificate(tmp_path, name, authority=False, **more)

    assert why(leaf("mx.b.test", issuer=ca), ca) == ""
    assert why(leaf("b.test", issuer=ca), ca) == ""
    assert "does not lead to" in why(leaf("other.test", issuer=ca), ca)
    assert "does not lead to" in why(leaf("mx.b.test", issuer=ca, days=-1), ca)
    stranger = certificate(tmp_path, "stranger.test")
    assert "does not lead to" in why(leaf("mx.b.test", issuer=stranger), ca)
    assert "no TLSA record fits" in why(leaf("mx.b.test", issuer=ca))


@pytest.mark.parametrize(
    "text",
    ["", "3 1", "3 1 1", "3 1 1 xyz", "0 0 1 aa", "1 1 1 aa", "3 2 1 aa", "3 1 9 aa", "a b c d", "4 1 1 aa"],
)  # fmt: skip
def test_records_that_cannot_be_checked_are_left_out(text: str) -> None:
    assert dane.usable([text]) == ()


def test_a_record_may_be_written_with_blanks() -> None:
    (found,) = dane.usable(["3 1 1 aabb ccdd"])
    assert found.data == bytes.fromhex("aabbccdd")


@pytest.mark.parametrize(
    ("records", "id"),
    [
        (["v=STSv1; id=20160831085700Z;"], "20160831085700Z"),
        (["v=STSv1;id=1"], "1"),
        (["v=spf1 -all", "v=STSv1; id=2; x=y"], "2"),
        (["v=STSv1; id=1", "v=STSv1; id=2"], ""),
        (["v=STSv1"], ""),
        (["v=STSv1; id="], ""),
        (["v=STSv1; id=" + "a" * 33], ""),
        (["v=STSv2; id=1"], ""),
        ([" v=STSv1; id=1"], ""),
        ([], ""),
    ],
)
def test_a_policy_is_announced_by_one_record(records: list[str], id: str) -> None:
    assert mta_sts.announced(records) == id


GOOD = (
    "version: STSv1\r\nmode: enforce\r\nmx: mail.b.test\r\nmx: *.b.example\r\nmax_age: 604800\r\n"
)


def test_a_policy_is_read() -> None:
    assert mta_sts.read(GOOD) == Policy("enforce", 604_800, ("mail.b.test", "*.b.example"))
    assert mta_sts.read(GOOD.replace("\r\n", "\n") + "new: thing\n").mode == "enforce"
    assert mta_sts.read("version: STSv1\nmode: none\nmax_age: 60\n").mx == ()
    assert mta_sts.read(GOOD.replace("604800", "9999999999")).max_age_s == mta_sts.MAX_AGE_S


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("STSv1", "STSv2"),
        ("enforce", "Enforce"),
        ("enforce", ""),
        ("604800", "-1"),
        ("604800", "1.5"),
        ("604800", ""),
        ("max_age", "age"),
        ("mail.b.test", "*"),
        ("mail.b.test", "a.*.test"),
        ("mail.b.test", "a b"),
        (GOOD, ""),
        (GOOD, "<html>"),
    ],
)
def test_a_policy_that_does_not_say_what_it_must(old: str, new: str) -> None:
    with pytest.raises(BadPolicy):
        mta_sts.read(GOOD.replace(old, new))


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("mail.b.test", True),
        ("MAIL.b.test.", True),
        ("x.mail.b.test", False),
        ("mx1.b.example", True),
        ("b.example", False),
        ("a.mx1.b.example", False),
        ("evilb.example", False),
    ],
)
def test_the_policy_allows_hosts(host: str, allowed: bool) -> None:
    assert mta_sts.read(GOOD).allows(host) is allowed


SEVERAL = {
    # options: tls, verify, fallback; policy mode -> tls, verify, fallback
    ("no", "no", True, "enforce"): ("required", "host", False),
    ("required", "ca", False, "enforce"): ("required", "host", False),
    ("no", "no", True, "testing"): ("ifavailable", "optional", True),
    ("ifavailable", "host", True, "testing"): ("ifavailable", "host", True),
    ("required", "ca", True, "testing"): ("required", "ca", True),
    ("no", "no", True, "none"): ("no", "no", True),
    ("required", "host", False, "none"): ("required", "host", False),
}


@pytest.mark.parametrize("case", SEVERAL, ids=str)
def test_the_stricter_of_options_and_policy_counts(case: tuple[Any, ...]) -> None:
    tls, verify, fallback, mode = case
    found = with_policy(
        Security(tls, verify, fallback, NAMES), Policy(mode, 60, ("mx.b.test",)), "mx.b.test"
    )
    assert (found.tls, found.verify, found.fallback) == SEVERAL[case]
    assert found.names == (("mx.b.test",) if mode == "enforce" else NAMES)


def test_dane_decides_alone() -> None:
    checked = with_records(dane.usable(["3 1 1 aa"]), "mx.b.test", "mx.b.test", "b.test")
    assert (checked.tls, checked.verify, checked.fallback) == ("required", "dane", False)
    assert checked.names == ("mx.b.test", "b.test")
    unchecked = with_records((), "alias.test", "mx.b.test", "b.test")
    assert (unchecked.tls, unchecked.verify, unchecked.fallback) == ("required", "no", False)


@pytest.mark.parametrize(
    ("names", "wanted", "fits"),
    [
        (["DNS:mx.b.test"], "MX.b.test", True),
        (["DNS:*.b.test"], "mx.b.test", True),
        (["DNS:*.b.test"], "b.test", False),
        (["DNS:*.b.test"], "a.mx.b.test", False),
        (["DNS:*.test"], "b.test", False),
        (["DNS:m*.b.test"], "mx.b.test", False),
        (["IP Address:192.0.2.1"], "192.0.2.1", True),
        (["DNS:other.test"], "cn.test", False),
        ([], "cn.test", True),
    ],
)
def test_a_certificate_is_for_its_names(names: list[str], wanted: str, fits: bool) -> None:
    shown = {
        "subject": ((("commonName", "cn.test"),),),
        "subjectAltName": tuple(tuple(name.split(":", 1)) for name in names),
    }
    assert _is_for(wanted, shown) is fits
