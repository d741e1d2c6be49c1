"""`msys.mstore`: messages kept until their delivery is reported, to be sent again another way.

The store is a port: embedded by default, Riak when the `mstore` stanza names servers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from msys.arguments import bad_argument, check_class, check_string
from msys.catalog.binding import documented
from msys.constants import P_INTERNAL
from msys.lua import ABSENT
from msys.lua.errors import RuntimeFault
from msys.message import Message
from msys.ports import Later, MessageStore, PortError, StoredMessage, wait
from msys.running import ports

__all__ = ["delete", "inject", "load", "save"]

T = TypeVar("T")
MODULE = "mstore"


@documented(
    "msys.mstore.load",
    assumed="nil, and a line in the panic log, when the store cannot be asked; works in every phase",
)
def load(bucket_id: Any = ABSENT, msgid: Any = ABSENT) -> Message | None:
    """A stored message; nil when there is none, or the store does not answer. Waits.

    bucket_id: `MADR-` and the short code, or `MADR-MM7`. msgid: the aggregator's id of the message. The message
    has its envelope and is in no queue: `msg:inject(from, to)` sends it, `msys.mstore.delete` forgets it. Other
    types and empty strings raise. Source: mobility-message-retry (SparkPost/support-docs).
    """
    bucket, key = _place("load", 1, bucket_id, msgid)
    found = _ask(f"{bucket}/{key} not loaded", lambda store: store.load(bucket, key))
    if found is None:
        return None
    return Message(
        content=found.content,
        mailfrom=found.sender,
        rcptto=found.recipient,
        recv_method=P_INTERNAL,
        creation_time=int(ports().clock.now()),
    )


def save(msg: Any = ABSENT, bucket_id: Any = ABSENT, msgid: Any = ABSENT) -> bool:
    """Store a copy of a message with its envelope; a former one of that id is replaced. Waits.

    False, and a line in the panic log, when the store does not answer.
    """
    message = check_class("save", 1, msg, Message, "message")
    bucket, key = _place("save", 2, bucket_id, msgid)
    stored = StoredMessage(message.content, message.sender, message.recipient)

    def store_it(store: MessageStore) -> Later[bool]:
        wait(store.save(bucket, key, stored))
        return True

    return bool(_ask(f"{bucket}/{key} not saved", store_it))


def delete(bucket_id: Any = ABSENT, msgid: Any = ABSENT) -> bool:
    """Forget a stored message; also true when there was none. Waits.

    False, and a line in the panic log, when the store does not answer.
    """
    bucket, key = _place("delete", 1, bucket_id, msgid)

    def forget(store: MessageStore) -> Later[bool]:
        wait(store.delete(bucket, key))
        return True

    return bool(_ask(f"{bucket}/{key} not deleted", forget))


def inject(msg: Any = ABSENT) -> bool:
    """Send a loaded message again, with the envelope it was stored with. May wait for the spool."""
    message = check_class("inject", 1, msg, Message, "message")
    if not message.recipient:
        raise RuntimeFault("'inject': this message has no envelope recipient; use msg:inject")
    return message.inject(message.sender, message.recipient)


def _place(function: str, first: int, bucket_id: Any, msgid: Any) -> tuple[str, str]:
    """Bucket and key, checked."""
    bucket = check_string(function, first, bucket_id)
    key = check_string(function, first + 1, msgid)
    for position, text in ((first, bucket), (first + 1, key)):
        if not text:
            raise bad_argument(function, position, "an empty name")
    return bucket, key


def _ask(otherwise: str, question: Callable[[MessageStore], Later[T]]) -> T | None:
    """The store's answer; None, logged, when there is no store or it fails."""
    found = ports()
    try:
        if found.mstore is None:
            raise PortError("NO_STORE", "no store is configured: add a stanza `mstore { }`")
        return wait(question(found.mstore))
    except PortError as error:
        found.log.panic(MODULE, f"{error}; {otherwise}")
        return None
