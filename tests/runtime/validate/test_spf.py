"""SPF against the suite that openspf.org published for RFC 7208.

It is part of the source archive of pyspf, which `make` puts into .venv/suites/.
"""

from __future__ import annotations

import sys
import tarfile
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import yaml

from msys.ports import DnsAnswer, PortError
from msys.testing.policy import policy
from msys.validate.spf import check_host, question

ARCHIVE = next(Path(sys.prefix, "suites").glob("pyspf-*.tar.gz"), None)
MEMBER = "/test/rfc7208-tests.yml"
DEFAULT = "DEFAULT"  # what the suite calls the receiver's own words


class SuiteDns:
    """The zone data of one scenario, by the suite's rules: a TXT is made of every SPF record unless TXT is given."""

    def __init__(self, zone: dict[str, list[Any]]) -> None:
        self.zone = {name.lower().rstrip("."): records for name, records in zone.items()}

    def lookup(self, name: str, rtype: str, server: str | None = None) -> Sequence[DnsAnswer]:
        if any(len(label) > 63 or not label for label in name.split(".")):
            raise PortError("FORMERR", name)
        records = self.zone.get(name.lower())
        if records is None:
            raise PortError("NXDOMAIN", name)
        answers = []
        if rtype == "TXT" and not any(isinstance(one, dict) and "TXT" in one for one in records):
            records = [
                {"TXT": one["SPF"]} if isinstance(one, dict) and "SPF" in one else one
                for one in records
            ]
        for one in records:
            if isinstance(one, dict) and "CNAME" in one and rtype != "CNAME":
                return self.lookup(one["CNAME"], rtype)
            value = one.get(rtype) if isinstance(one, dict) else None
            if value is not None and value not in ("NONE", "TIMEOUT"):
                answers.append(answer(rtype, value))
        if (
            not answers
            and "TIMEOUT" in records
            or any(isinstance(one, dict) and one.get(rtype) == "TIMEOUT" for one in records)
        ):
            raise PortError("TIMEOUT", name)
        if not answers:
            raise PortError("NODATA", name)
        return answers


def answer(rtype: str, value: Any) -> DnsAnswer:
    if rtype == "MX":
        return DnsAnswer(value[1], value[0])
    if rtype == "TXT":
        text = value if isinstance(value, str) else "".join(value)
        return DnsAnswer(text.encode("utf-8").decode("latin-1"))
    return DnsAnswer(value)


def suite() -> bytes:
    """Empty when the archive is not there."""
    if ARCHIVE is None:
        return b""
    with tarfile.open(ARCHIVE) as archive:
        name = next(name for name in archive.getnames() if name.endswith(MEMBER))
        member = archive.extractfile(name)
        return member.read() if member else b""


def cases() -> list[Any]:
    found = []
    for scenario in yaml.safe_load_all(suite()):
        for name, test in scenario["tests"].items():
            found.append(
                pytest.param(scenario["zonedata"], test, id=f"{scenario['description']}: {name}")
            )
    return found


@pytest.mark.skipif(ARCHIVE is None, reason="the source archive of pyspf is not in .venv/suites/")
@pytest.mark.parametrize(("zone", "test"), cases())
def test_the_published_suite(zone: dict[str, list[Any]], test: dict[str, Any]) -> None:
    with policy() as here:
        here.ports.dns = SuiteDns(zone)
        asked = question(ip_address(test["host"]), test["mailfrom"] or "", test["helo"] or "")
        outcome = check_host(asked)
    wanted = test["result"] if isinstance(test["result"], list) else [test["result"]]
    assert outcome.result in wanted, (outcome, test.get("description"))
    if "explanation" in test:
        assert (outcome.explanation or DEFAULT) == test["explanation"]
