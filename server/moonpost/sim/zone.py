"""DNS records for a simulation, from zone files and from the command line.

Text in, records out; nothing is asked of anybody.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import dns.exception
import dns.name
import dns.rdatatype
import dns.tokenizer
import dns.zonefile

from moonpost.adapters.dns import TEXT, question
from msys.lua.bytestr import to_str
from msys.ports import DnsAnswer, PortError

Records = dict[tuple[str, str], list[DnsAnswer]]  # (name without last dot, type) -> answers
DIRECTIVES = {"$ORIGIN", "$TTL"}
TTL_S = 60  # zone files need one; nothing here ages


class BadRecord(Exception):
    """A record that cannot be read: where, and why."""


def of_options(options: Iterable[str]) -> Records:
    """Records of `name=type=value`; several values of one name and type add up."""
    records: Records = {}
    for option in options:
        name, first, rest = option.partition("=")
        rtype, second, value = rest.partition("=")
        if not (name and first and rtype and second and value):
            raise BadRecord(
                f"--dns {option}: expected name=type=value, as in a.example=A=192.0.2.1"
            )
        if rtype.upper() in ("TXT", "SPF") and not value.startswith('"'):
            quoted = value.replace("\\", "\\\\").replace('"', '\\"')
            value = " ".join(f'"{quoted[at : at + 255]}"' for at in range(0, len(quoted), 255))
        _read(f"--dns {option}", f"{name.rstrip('.')}. {rtype} {value}", records)
    return records


def of_files(paths: Iterable[Path]) -> Records:
    """Records of master files (RFC 1035 section 5). Names without a last dot are absolute all the same."""
    records: Records = {}
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadRecord(f"zone file {path} cannot be read: {error}") from None
        _read(str(path), text, records)
    return records


def _read(where: str, text: str, into: Records) -> None:
    manager: Any = dns.zonefile.RRSetsReaderManager(dns.name.root, relativize=False)
    try:
        with manager.writer(True) as transaction:
            words = dns.tokenizer.Tokenizer(text, where)
            reader = dns.zonefile.Reader(
                words, manager.rdclass, transaction, allow_directives=DIRECTIVES, default_ttl=TTL_S
            )
            reader.read()
    except (dns.exception.DNSException, ValueError) as error:
        raise BadRecord(f"{where}: {error or error.__class__.__name__}") from None
    for rrset in manager.rrsets:
        key = key_of(rrset.name, rrset.rdtype)
        show = TEXT.get(rrset.rdtype)
        into.setdefault(key, []).extend(
            show(rdata) if show else DnsAnswer(to_str(rdata.to_text().encode())) for rdata in rrset
        )


def key_of(name: dns.name.Name, rtype: dns.rdatatype.RdataType) -> tuple[str, str]:
    """How a name and type are filed."""
    return str(name.to_text(omit_final_dot=True)).lower(), dns.rdatatype.to_text(rtype)


def look_up(records: Records, name: str, rtype: str) -> list[DnsAnswer]:
    """Answers, MX best first. PortError as a resolver raises it; a CNAME is followed."""
    asked, kind = question(name, rtype)
    key = key_of(asked, kind)
    for _ in range(8):  # chosen: resolvers follow about as many
        found = records.get(key)
        alias = records.get((key[0], "CNAME"))
        if found is not None:
            return sorted(found, key=lambda answer: answer.preference or 0)
        if alias is None:
            break
        key = (alias[0].text.lower(), key[1])
    known = any(name == key[0] or name.endswith(f".{key[0]}") for name, _ in records)
    code = "NODATA" if known else "NXDOMAIN"
    raise PortError(code, f"{name} {rtype}: {code}")
