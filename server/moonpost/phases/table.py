"""The moments of a session: which callouts run, what a code does, and what the reject log calls it.

One row for each moment at which policy may decide. The machine looks here and nowhere else for these facts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from typing import Final

from moonpost.policy.interface import Generation
from msys import constants
from msys.catalog import callouts


class OnError(Enum):
    """What a failing module means at a moment."""

    CLOSE = auto()  # 421 and hang up: the session can't be trusted any more
    DEFER = auto()  # 451: this message, or this copy, not now
    LOG = auto()  # nothing left to decide


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """A point where policy is asked."""

    name: str  # the phase word of the catalogue
    callouts: tuple[str, ...]  # asked in this order; DONE ends one callout, not the moment
    positive: int  # the code that means yes
    on_error: OnError
    log_phase: str  # the reject log's word for it
    state: int  # what core_log_rejection sees


CONNECT: Final = Moment(
    "connect",
    ("core_validate_accept", "validate_connect", "core_validate_connect"),
    220,
    OnError.CLOSE,
    "connecting",
    constants.MC_STATE_START_RESPONSE,
)
EHLO: Final = Moment(
    "ehlo",
    ("validate_ehlo",),
    250,
    OnError.CLOSE,
    "awaiting ehlo",
    constants.MC_STATE_EHLO,
)
MAILFROM: Final = Moment(
    "mailfrom",
    ("validate_mailfrom",),
    250,
    OnError.CLOSE,
    "awaiting mailfrom",
    constants.MC_STATE_MAILFROM,
)
RCPTTO: Final = Moment(
    "rcptto",
    ("validate_rcptto",),
    250,
    OnError.CLOSE,
    "awaiting rcptto",
    constants.MC_STATE_RCPTTO,
)
RCPTTO_LIST: Final = Moment(
    "rcptto_list",
    ("validate_rcptto_list",),
    250,
    OnError.CLOSE,
    "awaiting rcptto",
    constants.MC_STATE_RCPTTO_LIST_RESPONSE,
)
RCPTTO_LIST_FINAL: Final = Moment(
    "rcptto_list",
    ("validate_rcptto_list_final",),
    250,
    OnError.CLOSE,
    "reading body",
    constants.MC_STATE_RCPTTO_LIST_FINAL_RESPONSE,
)
DATA: Final = Moment(
    "data",
    ("validate_data",),
    250,
    OnError.CLOSE,
    "reading body",
    constants.MC_STATE_BODY_RESPONSE,
)
DATA_SPOOL: Final = Moment(
    "data_spool",
    ("validate_data_spool",),
    250,
    OnError.CLOSE,
    "reading body",
    constants.MC_STATE_ASYNC_BODY_RESPONSE,
)
EACH_RCPT: Final = Moment(
    "data_spool_each_rcpt",
    (
        "core_pre_msg_each_rcpt",
        "validate_data_spool_each_rcpt",
        "core_validate_data_spool_each_rcpt",
        "core_post_validate_data_spool_each_rcpt_v1",
        "core_post_msg_each_rcpt",
    ),
    250,
    OnError.CLOSE,
    "reading body",
    constants.MC_STATE_ASYNC_BODY_RESPONSE,
)
GENERATED: Final = Moment(
    "data_spool_each_rcpt",
    ("core_pre_msg_each_rcpt", "core_post_msg_each_rcpt"),
    250,
    OnError.DEFER,
    "generating",
    constants.MC_STATE_SETUP,
)
OVER_HTTP: Final = Moment(
    "data_spool_each_rcpt",
    ("msg_gen_data_spool",),
    250,
    OnError.DEFER,
    "generating",
    constants.MC_STATE_SETUP,
)
SET_BINDING: Final = Moment(
    "set_binding",
    ("validate_set_binding",),
    250,
    OnError.DEFER,
    "reading body",
    constants.MC_STATE_ASYNC_BODY_RESPONSE,
)
FINAL: Final = Moment(
    "core_final_validation",
    (
        "core_final_validation2",
        "core_data_validation",
        "core_final_validation",
        "core_post_final_validation",
    ),
    250,
    OnError.DEFER,
    "reading body",
    constants.MC_STATE_ASYNC_BODY_RESPONSE,
)
AUTH: Final = Moment(
    "auth",
    ("core_validate_auth",),
    235,
    OnError.CLOSE,
    "authenticating",
    constants.MC_STATE_EXTENSION_1,
)

MOMENTS: Final = (
    CONNECT,
    EHLO,
    MAILFROM,
    RCPTTO,
    RCPTTO_LIST,
    RCPTTO_LIST_FINAL,
    DATA,
    DATA_SPOOL,
    EACH_RCPT,
    GENERATED,
    OVER_HTTP,
    SET_BINDING,
    FINAL,
    AUTH,
)


def registered(generation: Generation) -> frozenset[Moment]:
    """The moments at which some module wants to be asked. The others cost nothing."""
    return _moments_of(generation.registered)


@lru_cache
def _moments_of(callouts: frozenset[str]) -> frozenset[Moment]:
    return frozenset(moment for moment in MOMENTS if not callouts.isdisjoint(moment.callouts))


# Arguments of each callout, by the names of the catalogue; the machine fills them by name.
ARGUMENTS: Final = {name: row.arguments for name, row in callouts().items()}
