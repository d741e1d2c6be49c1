"""MTA-STS (RFC 8461): the record that announces a policy, the policy, and the hosts it allows.

Pure text. Fetching and keeping is `moonpost.adapters.mta_sts`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

ENFORCE, TESTING, NONE = "enforce", "testing", "none"
MAX_AGE_S = 31_557_600  # section 3.2: a year at most
_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_PATTERN = re.compile(r"(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?")


@dataclass(frozen=True, slots=True)
class Policy:
    """What a domain asks of those who send it mail."""

    mode: str  # ENFORCE, TESTING or NONE
    max_age_s: int
    mx: tuple[str, ...] = ()  # host names, `*.example.test` for one label

    def allows(self, host: str) -> bool:
        """Whether mail may go to this MX (section 4.1)."""
        name = host.lower().rstrip(".")
        return any(_fits(pattern, name) for pattern in self.mx)


class BadPolicy(ValueError):
    """A policy that does not say what it must."""


def announced(records: Iterable[str]) -> str:
    """The id in the TXT records of `_mta-sts`; empty: no policy is announced (section 3.1)."""
    ours = [text for text in records if re.match(r"v=STSv1\s*;", text)]
    if len(ours) != 1:
        return ""
    fields = dict(_pair(field, "=") for field in ours[0].split(";") if "=" in field)
    found = fields.get("id", "")
    return found if _ID.fullmatch(found) else ""


def read(text: str) -> Policy:
    """A policy file. Raises BadPolicy. Fields we do not know are passed over (section 3.2)."""
    fields: dict[str, str] = {}
    mx: list[str] = []
    for line in text.splitlines():
        if not line.strip():
            continue
        name, value = _pair(line, ":")
        if name == "mx":
            mx.append(value.lower().rstrip("."))
        else:
            fields.setdefault(name, value)
    if fields.get("version") != "STSv1":
        raise BadPolicy("its version is not STSv1")
    mode = fields.get("mode", "")
    if mode not in (ENFORCE, TESTING, NONE):
        raise BadPolicy(f"its mode is {mode!r}")
    age = fields.get("max_age", "")
    if not (age.isascii() and age.isdigit() and len(age) <= 10):
        raise BadPolicy(f"its max_age is {age!r}")
    if mode != NONE and not mx:
        raise BadPolicy("it names no mx")
    wrong = [pattern for pattern in mx if not _PATTERN.fullmatch(pattern)]
    if wrong:
        raise BadPolicy(f"it names the mx {wrong[0]!r}")
    return Policy(mode, min(int(age), MAX_AGE_S), tuple(mx))


def _fits(pattern: str, name: str) -> bool:
    if not pattern.startswith("*."):
        return pattern == name
    label, _, rest = name.partition(".")
    return bool(label) and rest == pattern[2:]


def _pair(text: str, mark: str) -> tuple[str, str]:
    name, _, value = text.partition(mark)
    return name.strip(), value.strip()
