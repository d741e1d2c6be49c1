"""`msys.delivery`: the message that a push or HTTP delivery is about, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msys.catalog.binding import documented
from msys.constants import (
    DELIVERY_CONTINUE,
    DELIVERY_DONE,
    DELIVERY_PERMFAILED,
    DELIVERY_SUCCESS,
    DELIVERY_TEMPFAILED,
)

if TYPE_CHECKING:
    from msys.message import Message

DELIVERY_FAIL = DELIVERY_PERMFAILED  # a spelling of some samples

__all__ = [
    "DELIVERY_CONTINUE",
    "DELIVERY_DONE",
    "DELIVERY_FAIL",
    "DELIVERY_PERMFAILED",
    "DELIVERY_SUCCESS",
    "DELIVERY_TEMPFAILED",
    "ob_get_current_message",
]


@documented("msys.delivery.ob_get_current_message", assumed="takes sess.connh and sess alike")
def ob_get_current_message(sess: Any) -> Message | None:
    """The message that is being sent on an HTTP connection (`sess.connh`, or `sess`); nil for none.

    Source: lua.ref.msys.delivery.ob_get_current_message.
    """
    found: Message | None = getattr(sess, "message", None)
    return found
