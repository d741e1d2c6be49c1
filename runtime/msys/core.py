"""`msys.core`: constants, and functions under the names of the C interface.

Every method that wraps a C function is also a function here that takes the object first
(`msys.core.ec_message_context_get(msg, ...)` is `msg:context_get(...)`): one table makes them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from msys import constants
from msys.accept import Accept, MessageConstruct, SocketAddress
from msys.arguments import (
    check_class,
    check_integer,
    check_string,
    optional_integer,
)
from msys.catalog.binding import documented
from msys.constants import *  # noqa: F403 - they are this package's names
from msys.domain_record import DomainRecord
from msys.ecstring import EcString
from msys.io_object import IoObject, MessageBuilder
from msys.lua import ABSENT, Userdata
from msys.lua.errors import RuntimeFault
from msys.message import Message
from msys.ports import PortError, wait
from msys.running import ports
from msys.vctx import ValidationContext

DOMAIN = re.compile(r"(?=.{1,253}\Z)(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?\.)*"
                    r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?", re.ASCII)  # fmt: skip


@documented("msys.core.string_new")
def string_new() -> EcString:
    """A new empty ec_string, to be filled by functions that take one."""
    return EcString()


@documented("msys.core.get_now_ts", assumed="whole seconds")
def get_now_ts() -> int:
    """Seconds since the epoch, UTC."""
    return int(ports().clock.now())


@documented(
    "msys.core.io_wrapper_open",
    assumed="O_RDONLY and 0644 unless given; failure gives nil and the reason",
)
def io_wrapper_open(
    filename: Any, options: Any = ABSENT, mode: Any = ABSENT
) -> tuple[IoObject | None, str | None]:
    """Open a file or another resource; nil and the reason when that fails. May wait.

    filename: a path or a URI. options: msys.core.O_* together. mode: permission bits of a new file.
    The handle has write(data, [length]), read(what) and close().
    """
    name = check_string("io_wrapper_open", 1, filename)
    flags = optional_integer("io_wrapper_open", 2, options, constants.O_RDONLY)
    bits = optional_integer("io_wrapper_open", 3, mode, 0o644)
    try:
        return IoObject(wait(ports().files.open(name, flags, bits)), name), None
    except PortError as error:
        return None, str(error)


@documented("msys.core.dns_get_domain", assumed="nil for a name that is no domain")
def dns_get_domain(domain: Any) -> DomainRecord | None:
    """The record of a destination domain, nil for a name that is none."""
    name = check_string("dns_get_domain", 1, domain).rstrip(".").lower()
    if not DOMAIN.fullmatch(name):
        return None
    found: DomainRecord | None = wait(ports().outbox.domain(name))
    return found


@documented("msys.core.mail_queue_delay_domain", assumed="a nil record raises")
def mail_queue_delay_domain(dr: Any, note: Any) -> None:
    """Move everything active for a domain to its delayed queue.

    dr: from msys.core.dns_get_domain; nil raises. note: the reason of the transient failure, a reply such as
    `451 4.4.1 [internal] manually delayed domain`.
    """
    record = check_class("mail_queue_delay_domain", 1, dr, DomainRecord, "domain record")
    ports().outbox.delay_domain(record.domain, check_string("mail_queue_delay_domain", 2, note))


def accept_construct_get_message_construct(accept: Any) -> MessageConstruct | None:
    """The transaction of an SMTP session (`.ctx`, `.message`), nil for other sessions."""
    name = "accept_construct_get_message_construct"
    return check_class(name, 1, accept, Accept, "accept construct").message_construct()


def ec_message_new(created: Any = None) -> Message:
    """A new empty message, for `build` and `inject`. created: its time, nil for now."""
    now_s = optional_integer("ec_message_new", 1, created, int(ports().clock.now()))
    return Message(recv_method=constants.P_INTERNAL, creation_time=now_s)


def ec_message_builder(msg: Any, size_hint: Any = None) -> MessageBuilder:
    """An io object: what is written becomes the content of `msg` when it is closed."""
    return MessageBuilder(check_class("ec_message_builder", 1, msg, Message, "message"))


def ec_sockaddr_family(address: Any) -> int:
    """AF_INET or AF_INET6."""
    return check_class("ec_sockaddr_family", 1, address, SocketAddress, "socket address").family


def protocol_string(number: Any) -> str:
    """The name of a `recv_method`, `UNKNOWN` for a number that is none."""
    return constants.PROTOCOLS.get(check_integer("protocol_string", 1, number), "UNKNOWN")


def stringwrite(into: Any, text: Any, length: Any = ABSENT) -> int:
    """Append `text`, or its first `length` bytes, to an ec_string."""
    return check_class("stringwrite", 1, into, EcString, "ec_string").write(text, length)


def config_get_binding_id_from_name(name: Any) -> int:
    """The slot of a binding, -1 when there is none of that name."""
    wanted = check_string("config_get_binding_id_from_name", 1, name)
    names = list(ports().configuration.binding_names())
    return names.index(wanted) if wanted in names else -1


def config_get_binding_name_from_id(slot: Any) -> str | None:
    """The name of the binding in a slot, nil when there is none."""
    at = check_integer("config_get_binding_name_from_id", 1, slot)
    names = ports().configuration.binding_names()
    return names[at] if 0 <= at < len(names) else None


def config_get_binding_group_size(name: Any) -> int:
    """How many bindings a group has, 0 when there is no such group."""
    wanted = check_string("config_get_binding_group_size", 1, name)
    return len(ports().configuration.binding_group(wanted) or ())


class Scheduler(Userdata):
    """The handle of an event loop. There is one: it is only passed on."""

    lua_type = "msys.core:_scheduler"


def scheduler_for_domain(domain: Any) -> Scheduler:
    """The event loop that works for a domain."""
    check_string("scheduler_for_domain", 1, domain)
    return Scheduler()


# C functions that are methods: prefix of the C name, class, what Lua calls its objects, methods.
WRAPPED: tuple[tuple[str, type, str, tuple[str, ...]], ...] = (
    (
        "ec_message_",
        Message,
        "message",
        (
            "context_get", "context_set", "context_exists", "context_exists_and_get",
            "context_delete", "context_firstkey", "context_nextkey", "get_code", "set_code",
            "get_envelope2", "get_delivery_method", "get_message_size", "render_to_string",
            "copy", "snapshot", "is_mcmt",
        ),
    ),
    (
        "validate_context_",
        ValidationContext,
        "validation context",
        ("get", "set", "exists", "delete", "set_code", "disconnect", "iterate_rcpt"),
    ),
)  # fmt: skip

# C functions that scripts of the mobile edition call
ELSEWHERE = (
    "ec_message_blobject_get",
    "ec_blobject_delref",
    "ec_double_list_shift",
    "rfc2822_prepend_headers",
)


def _as_function(
    name: str, owner: type, called: str, method: Callable[..., Any]
) -> Callable[..., Any]:
    def function(receiver: Any = ABSENT, *arguments: Any) -> Any:
        return method(check_class(name, 1, receiver, owner, called), *arguments)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`{method.__name__}` as a function: the {called} comes first."
    return function


def _missing(name: str) -> Callable[..., Any]:
    def function(*_: Any) -> Any:
        raise RuntimeFault(f"msys.core.{name} belongs to the mobile edition and is not provided")

    function.__name__ = function.__qualname__ = name
    return function


def _c_names() -> dict[str, Callable[..., Any]]:
    made = {
        prefix + method: _as_function(prefix + method, owner, called, getattr(owner, method))
        for prefix, owner, called, methods in WRAPPED
        for method in methods
    }
    return made | {name: _missing(name) for name in ELSEWHERE}


C_NAMES = _c_names()
globals().update(C_NAMES)

FUNCTIONS: tuple[Callable[..., Any], ...] = (
    string_new, get_now_ts, io_wrapper_open, dns_get_domain, mail_queue_delay_domain,
    accept_construct_get_message_construct, ec_message_new, ec_message_builder, ec_sockaddr_family,
    protocol_string, stringwrite, config_get_binding_id_from_name, config_get_binding_name_from_id,
    config_get_binding_group_size, scheduler_for_domain,
)  # fmt: skip


def members() -> dict[str, Any]:
    """Everything that Lua finds in `msys.core`."""
    found: dict[str, Any] = {
        name: value
        for name, value in vars(constants).items()
        if name.isupper() and isinstance(value, int | str)
    }
    found |= {function.__name__: function for function in FUNCTIONS}
    return found | C_NAMES
