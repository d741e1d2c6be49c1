"""Commands for peers that are trusted to say who else is speaking: XCLIENT, XREMOTEIP, XSETCONTEXT, XDUMPCONTEXT.

Each is there only where the extensions of the listener or peer name it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import ip_address

from moonpost.phases import replies
from moonpost.phases.actions import Steps
from moonpost.phases.answering import bad_command
from moonpost.phases.greeting import base_capabilities, connected
from moonpost.phases.options import TRUSTED_EXTENSIONS, XCLIENT_ATTRIBUTES
from moonpost.phases.state import Peer, SessionState
from msys.accept import SocketAddress

UNKNOWN = frozenset(("[UNAVAILABLE]", "[TEMPUNAVAIL]"))

_ENCODED = re.compile(r"\+([0-9A-Fa-f]{2})")  # xtext: RFC 3461 section 4


def xclient(session: SessionState, _line: str, argument: str) -> Steps:
    """Another peer speaks through this connection; greet it anew.

    As in Postfix: what is not told stays as it is, but for HELO and LOGIN, which belong to who speaks; the permission
    to say XCLIENT stays with the connection.
    """
    if not session.options.offers("XCLIENT"):
        yield replies.NOT_FOR_THIS_PEER
        return
    told = _attributes(argument)
    peer = None if told is None else _peer(session.peer, told)
    if told is None or peer is None:
        yield from bad_command(session, replies.BAD_ATTRIBUTE)
        return
    session.end_transaction()
    session.helo, session.esmtp = told.get("HELO", ""), False
    session.auth_user = told.get("LOGIN", "")
    conn = session.vctx.conn
    for key in ("ehlo_string", "ehlo_domain", "auth_name", "auth_status", "auth_user"):
        conn.pop(key, None)
    if session.auth_user:
        conn["auth_user"] = session.auth_user
    _become(session, peer)
    session.accept.capabilities[:] = base_capabilities(
        session.options, tls_offered=session.tls_offered, tls=session.tls
    )
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
    _become(session, replace(session.peer, remote_ip=ip))
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


def _attributes(argument: str) -> dict[str, str] | None:
    """What XCLIENT tells, without what it says it does not know; None when it makes no sense."""
    told = _pairs(argument)
    if not told:
        return None
    named = {key.upper(): value for key, value in told.items()}
    if not named.keys() <= set(XCLIENT_ATTRIBUTES):
        return None
    return {key: value for key, value in named.items() if value.upper() not in UNKNOWN}


def _peer(peer: Peer, told: dict[str, str]) -> Peer | None:
    """The ends as XCLIENT tells them; None when an address or a port is none."""
    remote = _address(told["ADDR"]) if "ADDR" in told else peer.remote_ip
    local = _address(told["DESTADDR"]) if "DESTADDR" in told else peer.local_ip
    ports = told.get("PORT", str(peer.remote_port)), told.get("DESTPORT", str(peer.local_port))
    if remote is None or local is None or not all(map(_is_port, ports)):
        return None
    return Peer(remote, int(ports[0]), local, int(ports[1]))


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 6 and int(text) < 65536


def _become(session: SessionState, peer: Peer) -> None:
    """Go on as another peer: its options and what it may relay, with the permissions of this connection."""
    trusted = tuple(line for line in session.options.extensions if _is_trusted(line))
    options = session.options_of(peer.remote_ip)
    others = tuple(line for line in options.extensions if not _is_trusted(line))
    session.options = replace(options, extensions=(*others, *trusted))
    session.peer = peer
    accept = session.accept
    accept.remote_addr = SocketAddress(peer.remote_ip, peer.remote_port)
    accept.local_addr = SocketAddress(peer.local_ip, peer.local_port)
    conn = session.vctx.conn
    conn.pop("can_relay", None)
    conn.update(session.first_context())


def _is_trusted(extension: str) -> bool:
    return extension.partition(" ")[0].upper() in TRUSTED_EXTENSIONS


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
