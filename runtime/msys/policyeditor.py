"""`msys.policyeditor`: what the graphical policy editor of Momentum 3 generated calls to. All of it is deprecated.

Each function takes three tables: ctx (`ec_message` is the message), vars (the script's variables) and params (the
named arguments). Most are methods of the message in other clothes.
"""

from __future__ import annotations

import random
from typing import Any

from msys import snmp
from msys.addresses import address_list, valid_address
from msys.arguments import bad_argument, check_table, string_or_none
from msys.catalog.binding import documented
from msys.constants import P_INTERNAL
from msys.identity import IDS
from msys.lua import Table
from msys.lua import type as type_name
from msys.lua.bytestr import to_bytes
from msys.message import Message, compose, headers, transfer, wire
from msys.message.content import Content
from msys.message.sending import submit
from msys.pcre_engine import BadPattern, search_bytes
from msys.ports import current, wait
from msys.running import panic, ports

__all__ = [
    "del_header",
    "get_binding_domain_failure_rate",
    "get_header",
    "get_mailfrom",
    "get_mess_recv_from",
    "get_mess_recv_via",
    "get_rcptto",
    "get_variable",
    "pcre_match",
    "send_email",
    "send_trap",
    "set_binding",
    "set_binding_group",
    "set_variable",
    "vctx_conn_get",
    "vctx_conn_set",
    "vctx_mess_get",
    "vctx_mess_set",
]

LAST_SENT = "policyeditor.throttle"  # key of ports.services


def message_of(function: str, ctx: Any) -> Message:
    """`ctx.ec_message`; raises when it is missing."""
    message = check_table(function, 1, ctx)["ec_message"]
    if not isinstance(message, Message):
        raise bad_argument(
            function, 1, f"ctx.ec_message: message expected, got {type_name(message)}"
        )
    return message


def param(function: str, params: Any, name: str) -> str:
    """A named argument as a string; raises, naming it, when it is missing."""
    value = check_table(function, 3, params)[name]
    text = string_or_none(value)
    if text is None:
        raise bad_argument(function, 3, f"params.{name}: string expected, got {type_name(value)}")
    return text


def optional(function: str, params: Any, name: str, default: str) -> str:
    """A named argument as a string, or `default` when it is missing."""
    return (
        default if check_table(function, 3, params)[name] is None else param(function, params, name)
    )


def seconds(function: str, params: Any, name: str) -> float:
    """A named argument as a number of seconds, 0 when it is missing."""
    text = optional(function, params, name, "0")
    try:
        return float(text)
    except ValueError:
        raise bad_argument(function, 3, f"params.{name}: number expected, got '{text}'") from None


@documented("msys.policyeditor.get_mailfrom")
def get_mailfrom(ctx: Any, vars: Any, params: Any) -> str:
    """The envelope sender, as msg:mailfrom()."""
    return message_of("get_mailfrom", ctx).mailfrom()


@documented("msys.policyeditor.get_rcptto")
def get_rcptto(ctx: Any, vars: Any, params: Any) -> str:
    """The envelope recipient, as msg:rcptto()."""
    return message_of("get_rcptto", ctx).rcptto()


@documented("msys.policyeditor.get_header", assumed="the first of several; nil when there is none")
def get_header(ctx: Any, vars: Any, params: Any) -> str | None:
    """The value of the header params.header on one line, decoded to UTF-8; nil when it is absent."""
    message = message_of("get_header", ctx)
    found = message.header(param("get_header", params, "header"))
    value: str | None = found[1]
    return value


@documented(
    "msys.policyeditor.del_header",
    assumed="all of that name go; gives the name, nil when none was there",
)
def del_header(ctx: Any, vars: Any, params: Any) -> str | None:
    """Remove the header params.header; its name, or nil when there was none."""
    name = param("del_header", params, "header")
    return name if message_of("del_header", ctx).header(name, None) else None


@documented("msys.policyeditor.get_mess_recv_from")
def get_mess_recv_from(ctx: Any, vars: Any, params: Any) -> str:
    """`IP:port` of the host that sent the message; only the IP when params.ip_only is 1."""
    message = message_of("get_mess_recv_from", ctx)
    return message.reception_peer("ip" if _ip_only(params) else "all")


@documented("msys.policyeditor.get_mess_recv_via")
def get_mess_recv_via(ctx: Any, vars: Any, params: Any) -> str:
    """`IP:port` the message came in on; only the IP when params.ip_only is 1."""
    message = message_of("get_mess_recv_via", ctx)
    return message.listener_addr("ip" if _ip_only(params) else "all")


def _ip_only(params: Any) -> bool:
    return isinstance(params, Table) and params["ip_only"] in (1, "1")


@documented("msys.policyeditor.vctx_mess_get")
def vctx_mess_get(ctx: Any, vars: Any, params: Any) -> str | None:
    """The message context variable params.key, nil when it is not there."""
    return message_of("vctx_mess_get", ctx).mess.get(param("vctx_mess_get", params, "key"))


@documented("msys.policyeditor.vctx_mess_set", assumed="1 when stored, nil when not, as the C call")
def vctx_mess_set(ctx: Any, vars: Any, params: Any) -> int | None:
    """Store params.value as the message context variable params.key; 1."""
    key, value = param("vctx_mess_set", params, "key"), param("vctx_mess_set", params, "value")
    message_of("vctx_mess_set", ctx).mess[key] = value
    return 1


@documented("msys.policyeditor.vctx_conn_get")
def vctx_conn_get(ctx: Any, vars: Any, params: Any) -> str | None:
    """The connection context variable params.key, nil when it is not there."""
    return message_of("vctx_conn_get", ctx).conn.get(param("vctx_conn_get", params, "key"))


@documented("msys.policyeditor.vctx_conn_set", assumed="1 when stored, nil when not, as the C call")
def vctx_conn_set(ctx: Any, vars: Any, params: Any) -> int | None:
    """Store params.value as the connection context variable params.key; 1."""
    key, value = param("vctx_conn_set", params, "key"), param("vctx_conn_set", params, "value")
    message_of("vctx_conn_set", ctx).conn[key] = value
    return 1


@documented("msys.policyeditor.get_variable")
def get_variable(ctx: Any, vars: Any, params: Any) -> Any:
    """The script variable params.name, nil when it is not set."""
    return check_table("get_variable", 2, vars)[param("get_variable", params, "name")]


@documented("msys.policyeditor.set_variable", assumed="a nil value removes the variable")
def set_variable(ctx: Any, vars: Any, params: Any) -> Any:
    """Set the script variable params.name to params.value; the value."""
    variables = check_table("set_variable", 2, vars)
    name, value = (
        param("set_variable", params, "name"),
        check_table("set_variable", 3, params)["value"],
    )
    if value is None:
        variables.pop(name, None)
    else:
        variables[name] = value
    return value


@documented(
    "msys.policyeditor.pcre_match",
    assumed="$0 is the whole subject, as its page says; no match leaves the variables; a bad pattern is logged",
)
def pcre_match(ctx: Any, vars: Any, params: Any) -> bool:
    """Search params.subject with the PCRE pattern params.pattern (no delimiters).

    A match sets the variables `$0` (the subject), `$1`... and `$name` for named groups.
    """
    variables = check_table("pcre_match", 2, vars)
    subject = param("pcre_match", params, "subject")
    pattern = param("pcre_match", params, "pattern")
    try:
        found = search_bytes(to_bytes(subject), pattern)
    except BadPattern as error:
        panic(f"pattern {pattern!r} is not valid at {error.offset}: {error.text}")
        return False
    if found is None:
        return False
    for key, text in found.items():
        variables[f"${key}"] = text
    variables["$0"] = subject
    return True


@documented(
    "msys.policyeditor.set_binding", assumed="one name of a list is picked before it is looked up"
)
def set_binding(ctx: Any, vars: Any, params: Any) -> bool:
    """Assign the binding params.binding, or a random one of a list between commas; whether it exists."""
    name = _picked("set_binding", params, "binding")
    return message_of("set_binding", ctx).binding(name) is not None


@documented("msys.policyeditor.set_binding_group", assumed="a list between commas names groups")
def set_binding_group(ctx: Any, vars: Any, params: Any) -> bool:
    """Assign a random member of the group params.binding_group; whether the group has one."""
    name = _picked("set_binding_group", params, "binding_group")
    message = message_of("set_binding_group", ctx)
    if not ports().configuration.binding_group(name):
        return False
    return message.binding_group(name) is not None


def _picked(function: str, params: Any, name: str) -> str:
    names = [word.strip() for word in param(function, params, name).split(",") if word.strip()]
    if not names:
        raise bad_argument(function, 3, f"params.{name} is empty")
    return random.choice(names)


@documented("msys.policyeditor.get_binding_domain_failure_rate")
def get_binding_domain_failure_rate(ctx: Any, vars: Any, params: Any) -> int | float:
    """Failed per attempted deliveries of params.binding to params.domain, as a fraction.

    params.period: over how many seconds. 0 under 100 attempts and for what is unknown.
    """
    name = "get_binding_domain_failure_rate"
    rate: float = wait(
        ports().outbox.failure_rate(
            param(name, params, "binding"),
            param(name, params, "domain").lower(),
            seconds(name, params, "period"),
        )
    )
    return rate


@documented(
    "msys.policyeditor.send_email",
    assumed="the throttle counts by script, sender, recipients and subject; an invalid address raises",
)
def send_email(ctx: Any, vars: Any, params: Any) -> None:
    """Send a plain text mail. May wait for the spool.

    params: from, to (several between commas or spaces), subject, body, throttle (seconds in which at most one
    such mail goes; absent or 0: no limit). Date, Message-ID and Received are added.
    """
    sender = param("send_email", params, "from").strip()
    recipients = address_list(param("send_email", params, "to"))
    for address in (sender, *recipients):
        if not valid_address(address):
            raise bad_argument("send_email", 3, f"'{address}' is not an address")
    if not recipients:
        raise bad_argument("send_email", 3, "params.to: at least one address expected")
    subject = optional("send_email", params, "subject", "")
    body = to_bytes(optional("send_email", params, "body", ""))
    key = ("mail", current().script, sender, tuple(recipients), subject)
    if not _due(key, seconds("send_email", params, "throttle")):
        return
    text = wire.whole_lines(body)
    encoding = compose.plainest(text)
    lines = [
        headers.field_bytes("send_email", b"From", sender),
        headers.field_bytes("send_email", b"To", ", ".join(recipients)),
        headers.field_bytes("send_email", b"Subject", subject),
    ]
    if not body.isascii() or encoding != "7bit":
        lines += [
            b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n",
            b"Content-Transfer-Encoding: " + encoding.encode("ascii") + b"\r\n",
        ]
    whole = compose.entity(lines, transfer.encoded(text, encoding))
    message = Message(
        content=Content(whole),
        mailfrom=sender,
        rcptto=recipients[0],
        id=IDS.next(),
        recv_method=P_INTERNAL,
    )
    submit(message, sender, recipients)


def _due(key: Any, throttle_s: float) -> bool:
    """Whether `throttle_s` seconds have gone since the last time; remembers this time if so."""
    if throttle_s <= 0:
        return True
    way_out = ports()
    now_s = way_out.clock.now()
    last: dict[Any, tuple[float, float]] = way_out.services.setdefault(LAST_SENT, {})
    for old, (at_s, period_s) in list(last.items()):
        if now_s - at_s >= period_s:
            del last[old]
    if key in last:
        return False
    last[key] = (now_s, throttle_s)
    return True


TRAP_MIB = "1.3.6.1.4.1.19552.1.4.7"
TRAP_VARIABLE = "1.3.6.1.4.1.19552.1.4.1.0"
TRAP_KINDS = {"ip": "IP"}  # other kinds have the same name in msys.snmpTrap


@documented("msys.policyeditor.send_trap", assumed="`tmib` is another spelling of `trapvarmib`")
def send_trap(ctx: Any, vars: Any, params: Any) -> None:
    """Send an SNMP trap.

    params: type (`string`, `counter`, `gauge`, `ip`), payload, address, port, community, mib,
    trapvarmib, and throttle: at most one such trap in that many seconds (absent or 0: no limit).
    """
    given = check_table("send_trap", 3, params)
    kind = optional("send_trap", params, "type", "string").lower()
    mib = optional("send_trap", params, "mib", TRAP_MIB)
    variable = given["trapvarmib"] if given["trapvarmib"] is not None else given["tmib"]
    trap = Table(
        {
            "type": TRAP_KINDS.get(kind, kind),
            "mib": mib,
            "trapvar.mib": TRAP_VARIABLE if variable is None else variable,
        }
    )
    for name in ("payload", "address", "port", "community"):
        if given[name] is not None:
            trap[name] = given[name]
    key = ("trap", current().script, kind, mib, string_or_none(given["address"]))
    if _due(key, seconds("send_trap", params, "throttle")):
        snmp.send("send_trap", 3, trap)
