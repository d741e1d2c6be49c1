"""Commands for peers that are trusted to say who else is speaking: XCLIENT, XREMOTEIP, XSETCONTEXT, XDUMPCONTEXT.

Each is there only where the extensions of the listener or peer name it; the first also for the listed networks.
"""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import ip_address

from moonpost.phases import replies
from moonpost.phases.actions import Steps
from moonpost.phases.answering import bad_command
from moonpost.phases.greeting import connected
from moonpost.phases.options import within
from moonpost.phases.state import SessionState
from msys.accept import SocketAddress

XCLIENT_ATTRIBUTES = frozenset(("NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN"))
UNKNOWN = frozenset(("[UNAVAILABLE]", "[TEMPUNAVAIL]"))

_ENCODED = re.compile(r"\+([0-9A-Fa-f]{2})")  # xtext: RFC 3461 section 4


def xclient(session: SessionState, _line: str, argument: str) -> Steps:
    """Another peer speaks through this connection; greet it anew."""
    options = session.options
    if not options.offers("XCLIENT") and not within(
        session.peer.remote_ip, options.xclient_networks
    ):
        yield replies.NOT_FOR_THIS_PEER
        return
    told = _pairs(argument)
    if told is not None:
        told = {key.upper(): value for key, value in told.items() if value.upper() not in UNKNOWN}
    if not told or not told.keys() <= XCLIENT_ATTRIBUTES:
        yield from bad_command(session, replies.BAD_ATTRIBUTE)
        return
    ip = _address(told.get("ADDR", session.peer.remote_ip))
    if ip is None:
        yield from bad_command(session, replies.BAD_ATTRIBUTE)
        return
    port = told.get("PORT", "")
    _become(session, ip, int(port) if port.isdigit() and len(port) < 6 else None)
    session.end_transaction()
    session.helo = told.get("HELO", "")
    session.auth_user = told.get("LOGIN", "")
    _judge_relaying_anew(session)
    yield from connected(session)


def xremoteip(session: SessionState, _line: str, argument: str) -> Steps:
    """The peer's address is another one from here on."""
    if not session.options.offers("XREMOTEIP"):
        yield replies.NOT_FOR_THIS_PEER
        return
    ip = _address(argument)
    if ip is None:
        yield from bad_command(session, replies.BAD_ATTRIBUTE)
        return
    _become(session, ip, None)
    _judge_relaying_anew(session)
    yield replies.OK_NOOP


def xsetcontext(session: SessionState, _line: str, argument: str) -> Steps:
    """Connection keys from the peer, over whatever was there."""
    if not session.options.offers("XSETCONTEXT"):
        yield replies.NOT_FOR_THIS_PEER
        return
    told = _pairs(argument)
    if not told:
        yield from bad_command(session, replies.BAD_ATTRIBUTE)
        return
    session.vctx.conn.update(told)
    yield replies.OK_NOOP


def xdumpcontext(session: SessionState, _line: str, _argument: str) -> Steps:
    """Both dictionaries, for people who look for a mistake."""
    if not session.options.offers("XDUMPCONTEXT"):
        yield replies.NOT_FOR_THIS_PEER
        return
    lines = [f"[connection] {key} {value}" for key, value in sorted(session.vctx.conn.items())]
    lines += [f"[message] {key} {value}" for key, value in sorted(session.vctx.mess.items())]
    yield replies.several(250, [*lines, "XDUMPCONTEXT complete"])


def _become(session: SessionState, ip: str, port: int | None) -> None:
    peer = session.peer
    session.peer = replace(
        peer, remote_ip=ip, remote_port=peer.remote_port if port is None else port
    )
    session.accept.remote_addr = SocketAddress(session.peer.remote_ip, session.peer.remote_port)


def _judge_relaying_anew(session: SessionState) -> None:
    conn = session.vctx.conn
    conn.pop("can_relay", None)
    conn.update(session.first_context())


def _address(text: str) -> str | None:
    """An IP address, also with XCLIENT's prefix for version 6; None when it is none."""
    if text[:5].lower() == "ipv6:":
        text = text[5:]
    try:
        return str(ip_address(text))
    except ValueError:
        return None


def _pairs(argument: str) -> dict[str, str] | None:
    """`name=value` words with xtext values; None when one is malformed."""
    told = {}
    for word in argument.split():
        key, equals, value = word.partition("=")
        value = _ENCODED.sub(lambda hit: chr(int(hit.group(1), 16)), value)
        if not key or not equals or any(c in value for c in "\r\n\0"):
            return None
        told[key] = value
    return told
