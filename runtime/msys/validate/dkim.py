"""`msys.validate.dkim`: the older DKIM package, which tells how `dkim_validate` judged a message.

The answers need that module configured, as in Momentum; without it there are no results.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from msys.addresses import split_address
from msys.arguments import check_integer, check_string, optional_string
from msys.catalog.binding import documented
from msys.lua import ABSENT, Userdata
from msys.message import Message
from msys.opendkim import dkim as lib
from msys.ports import current
from msys.running import BEFORE_DATA
from msys.validate import reflection, signing
from msys.validate.verifying import Signature, verify

__all__ = [
    "DkimResult",
    "DkimResults",
    "Status",
    "get_domains",
    "get_responsible_domain",
    "get_verify_results",
    "reflect",
    "sign",
    "verify_results_get_count",
    "verify_results_get_item",
    "verify_status_to_string",
]

MODULE = "dkim_validate"
REFLECTED, NOT_CONFIGURED, NO_MESSAGE, TOO_LATE, BAD_ADDRESS = 1, 0, -1, -2, -3


class Status(IntEnum):
    """The words of Authentication-Results (RFC 8601 section 2.7.1)."""

    NONE = 0
    PASS = 1
    FAIL = 2
    POLICY = 3
    NEUTRAL = 4
    TEMPERROR = 5
    PERMERROR = 6


# DKIM_STAT -> what Authentication-Results would say
OUTCOME = {
    lib.DKIM_STAT_OK: Status.PASS,
    lib.DKIM_STAT_BADSIG: Status.FAIL,
    lib.DKIM_STAT_KEYFAIL: Status.TEMPERROR,
    lib.DKIM_STAT_SYNTAX: Status.NEUTRAL,
}  # every other one is a permanent error


def outcome(signature: Signature) -> Status:
    """The word of Authentication-Results for a signature."""
    return OUTCOME.get(signature.status, Status.PERMERROR)


class DkimResult(Userdata):
    """One signature's result: `status`, `diagnostic`, `query`, `algorithm`."""

    __slots__ = ("_signature",)
    lua_type = "msys.validate.dkim:result"
    lua_fields = frozenset({"algorithm", "diagnostic", "query", "status"})

    def __init__(self, signature: Signature) -> None:
        self._signature = signature

    @property
    def status(self) -> int:
        return int(outcome(self._signature))

    @property
    def diagnostic(self) -> str:
        return self._signature.error

    @property
    def query(self) -> str | None:
        return self._signature.tags.get("q")

    @property
    def algorithm(self) -> str | None:
        return self._signature.tags.get("a")


class DkimResults(Userdata):
    """All results of a message; opaque but for `ref`."""

    __slots__ = ("items", "ref")
    lua_type = "msys.validate.dkim:results"
    lua_fields = frozenset({"ref"})
    lua_hidden = frozenset({"items"})

    def __init__(self, items: list[DkimResult]) -> None:
        self.items = items
        self.ref = 1


def _message(msg: Any) -> Message | None:
    """The message given, or the one in hand."""
    found = current().message if msg is None or msg is ABSENT else msg
    return found if isinstance(found, Message) else None


def results_of(message: Message | None) -> list[Signature]:
    """The signatures, checked once per message; none without the module. May wait for DNS."""
    if message is None or current().ports.configuration.module(MODULE) is None:
        return []
    kept: list[Signature] | None = vars(message).get("dkim_results")
    if kept is None:
        kept = vars(message)["dkim_results"] = verify(message)
    return kept


@documented(
    "msys.validate.dkim.get_domains",
    assumed="one string, domains separated by a blank, empty when none passed",
)
def get_domains(msg: Any = ABSENT, ctx: Any = ABSENT) -> str:
    """The domains whose signatures passed (of `i=`, else `d=`), separated by blanks. May wait for DNS.

    Source: lua.ref.msys.validate.dkim.get_domains.
    """
    passed = [one for one in results_of(_message(msg)) if one.passed]
    return " ".join(dict.fromkeys(one.identity.rpartition("@")[2] for one in passed))


@documented(
    "msys.validate.dkim.get_responsible_domain",
    assumed="Sender, then From; an empty string for none",
)
def get_responsible_domain(msg: Any = ABSENT, ctx: Any = ABSENT) -> str:
    """The domain of `Sender`, else of `From`; empty when there is none.

    Source: lua.ref.msys.validate.dkim.get_responsible_domain.
    """
    return responsible_domain(_message(msg)) or ""


def responsible_domain(message: Message | None) -> str | None:
    """The domain of the first address in `Sender`, else `From`."""
    for name in ("Sender", "From") if message is not None else ():
        assert message is not None
        addresses = message.address_header(name, "all")
        if addresses[1]:
            domain = split_address(addresses[1])[1]
            if domain:
                return domain
    return None


@documented(
    "msys.validate.dkim.get_verify_results",
    assumed="an unsigned message gives 0 and an empty object",
)
def get_verify_results(vctx: Any = ABSENT) -> tuple[int, DkimResults]:
    """How many signatures the message has, and their results. May wait for DNS.

    Source: lua.ref.msys.validate.dkim.get_verify_results.
    """
    found = [DkimResult(one) for one in results_of(_message(None))]
    return len(found), DkimResults(found)


@documented("msys.validate.dkim.verify_results_get_count", assumed="nil gives nil and a text")
def verify_results_get_count(results: DkimResults | None) -> tuple[int | None, str | None]:
    """How many results there are; nil and a text for nil.

    Source: lua.ref.msys.validate.dkim.verify_results_get_count.
    """
    if not isinstance(results, DkimResults):
        return None, "No verification results to count."
    return len(results.items), None


@documented(
    "msys.validate.dkim.verify_results_get_item", assumed="what is wrong comes as nil and a text"
)
def verify_results_get_item(
    results: DkimResults | None, index_value: float | None
) -> tuple[DkimResult | None, str | None]:
    """A result by its number from 0; nil and a text when there is none.

    Source: lua.ref.msys.validate.dkim.verify_results_get_item.
    """
    if not isinstance(results, DkimResults):
        return None, "No verification results to get item from"
    if index_value is None:
        return None, "Index value not specified"
    number = check_integer("verify_results_get_item", 2, index_value)
    if not 0 <= number < len(results.items):
        return None, "Index value is greater than the number of verification results"
    return results.items[number], None


@documented(
    "msys.validate.dkim.verify_status_to_string",
    assumed="the numbers are ours; nil gives nil and a text",
)
def verify_status_to_string(status: float | None) -> tuple[str | None, str | None]:
    """The word of Authentication-Results for a result's `status`; `none` for an unknown one.

    Source: lua.ref.msys.validate.dkim.verify_status_to_string.
    """
    if status is None:
        return None, "No status code is passed in"
    number = check_integer("verify_status_to_string", 1, status)
    return (Status(number) if number in set(Status) else Status.NONE).name.lower(), None


@documented(
    "msys.validate.dkim.reflect",
    assumed="1 when the report will be sent, 0 without the module, -1 without a message, -2 from data on, "
    "-3 for a bad address; the report has an empty envelope sender; the words are ours",
)
def reflect(
    msg: Any,
    ctx: Any,
    sender_addrs: Any,
    receiver_addrs: Any,
    subj: Any = ABSENT,
    note: Any = ABSENT,
) -> int:
    """Have a report mailed about the signatures of this message, once `dkim_validate` has checked them.

    Called before validate_data: from MAIL FROM on, where msg may be nil, the message in hand.
    sender_addrs: the address in From. receiver_addrs: addresses between semicolons; the first stands in
    To, the others get blind copies. subj, note: subject and first words, nil for the general ones.
    Gives 1, or says why not: 0 the module is not configured, -1 there is no message yet, -2 it is too late,
    -3 an address is none. Source: lua.ref.msys.validate.dkim.reflect, ec_dkim_reflect.
    """
    sender = check_string("reflect", 3, sender_addrs)
    recipients = check_string("reflect", 4, receiver_addrs)
    wish = reflection.wish_of(
        sender,
        recipients,
        optional_string("reflect", 5, subj, reflection.SUBJECT),
        optional_string("reflect", 6, note, reflection.NOTE),
    )
    call, message = current(), _message(msg)
    if call.ports.configuration.module(MODULE) is None:
        return NOT_CONFIGURED
    if message is None:
        return NO_MESSAGE
    if call.phase not in BEFORE_DATA:
        return TOO_LATE
    if wish is None:
        return BAD_ADDRESS
    reflection.remember(message, wish)
    return REFLECTED


@documented(
    "msys.validate.dkim.sign",
    assumed="1 when a signature was added, else 0 (logged); once per domain and selector",
)
def sign(msg: Any = ABSENT, vctx: Any = ABSENT, options: Any = ABSENT) -> int:
    """Put a DKIM-Signature in front of the message (nil: the one in hand), in core_final_validation.

    options, over those of the `dkim_sign` stanza, as in `msys.validate.opendkim.sign`; names in
    `headerlist` may end in `?`, `*` or `+`. Source: lua.ref.msys.validate.dkim.sign.
    """
    return signing.sign("sign", "dkim_sign", msg, options)
