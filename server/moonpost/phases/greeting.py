"""Before mail: the banner, EHLO, and what changes under a session (TLS, AUTH, another address)."""

from __future__ import annotations

from collections.abc import Mapping

from moonpost.phases import replies
from moonpost.phases.actions import Note, Pause, StartTls, Steps
from moonpost.phases.answering import answer, bad_command, close
from moonpost.phases.asking import ask
from moonpost.phases.options import XCLIENT_ATTRIBUTES, SessionOptions
from moonpost.phases.state import SessionState, State
from moonpost.phases.table import CONNECT, EHLO
from msys.ecstring import EcString

# What an EHLO reply says of XCLIENT; the words are those of Postfix, which invented it.
XCLIENT_LINE = "XCLIENT " + " ".join(XCLIENT_ATTRIBUTES)


def banner(options: SessionOptions) -> bytes:
    """The greeting: lines ahead of it first, unless they are all of it."""
    before = options.banner_before
    if before.startswith("220 "):
        return replies.reply(220, before[4:])
    lines = [line.removeprefix("220-") for line in before.splitlines()]
    return replies.several(220, [*lines, options.banner or f"{options.hostname} ESMTP"])


def connected(session: SessionState) -> Steps:
    """A peer is there: watch, ask policy, send the banner or what policy wants instead."""
    options = session.options
    if options.banner_delay_s > 0 and (yield Pause(options.banner_delay_s, watch=True)):
        spoke_early(session)
        if options.early_talker_reply:
            yield from _sent_away(session, options.early_talker_reply)
            return
    values = {"accept": session.accept, "vctx": session.vctx}
    verdict = yield from ask(session.generation, CONNECT, session.vctx, values)
    session.banner_sent = True
    if verdict is None:
        yield banner(options)
        return
    if verdict.refuses:
        session.state = State.REFUSED
    yield from answer(session, verdict, CONNECT, banner(options))


def _sent_away(session: SessionState, reply: str) -> Steps:
    """An early talker hears these words and nothing else."""
    code, _, text = reply.partition(" ")
    yield Note(int(code), text, CONNECT.log_phase, CONNECT.state, "conntrol")
    yield replies.reply(int(code), text)
    yield from close(session)


def spoke_early(session: SessionState) -> None:
    """The peer sent something before it was greeted."""
    session.early_talker = True
    session.vctx.conn["early_talker"] = "yes"


def base_capabilities(options: SessionOptions, *, tls_offered: bool, tls: bool) -> list[str]:
    """What EHLO lists before policy changed it."""
    lines = ["PIPELINING", "8BITMIME", f"SIZE {options.max_message_bytes}"]
    for line in options.extensions:
        keyword = line.partition(" ")[0].upper()
        if keyword in ("PIPELINING", "8BITMIME", "SIZE", "AUTH"):
            continue
        if line.upper() == "XCLIENT":
            lines.append(XCLIENT_LINE)
        elif keyword != "STARTTLS" or (tls_offered and not tls):
            lines.append(line)
    if options.mechanisms and (tls or not options.auth_requires_tls):
        lines.append("AUTH " + " ".join(options.mechanisms))
    return lines


def ehlo(session: SessionState, line: str, argument: str) -> Steps:
    """EHLO and HELO."""
    name = argument.strip(" ")
    if not name or " " in name or not name.isprintable():
        yield from bad_command(session, replies.EHLO_SYNTAX)
        return
    esmtp = line[:1] in "Ee"
    session.end_transaction()
    conn = session.vctx.conn
    conn["ehlo_string"] = line
    conn["ehlo_domain"] = name
    values = {"str": EcString(line + "\r\n"), "accept": session.accept, "vctx": session.vctx}
    verdict = yield from ask(session.generation, EHLO, session.vctx, values)
    if verdict is None or not verdict.refuses:
        session.helo, session.esmtp = name, esmtp
    first = session.options.hostname
    if verdict is not None and not verdict.refuses and verdict.text:
        first = verdict.text
    lines = [first, *session.accept.capabilities] if esmtp else [first]
    yes = replies.several(250, lines)
    if verdict is None:
        yield yes
    else:
        quiet = verdict if verdict.refuses else verdict._replace(text="")
        yield from answer(session, quiet, EHLO, yes)


def starttls(session: SessionState, _line: str, argument: str) -> Steps:
    """STARTTLS. Nothing said before the handshake counts after it (RFC 3207 section 4.2)."""
    if argument:
        yield from bad_command(session, replies.NO_ARGUMENT)
        return
    if session.tls:
        yield replies.TLS_ACTIVE
        return
    if not session.tls_offered or not session.options.offers("STARTTLS"):
        yield replies.TLS_UNAVAILABLE
        return
    facts: Mapping[str, str] | None = yield StartTls(
        injection_is_error=session.options.starttls_injection_policy == "reject"
    )
    if facts is None:
        yield Note(501, "bytes after STARTTLS", "starting tls", EHLO.state, "tls")
        yield replies.TLS_INJECTION
        yield from close(session)
        return
    before = base_capabilities(session.options, tls_offered=True, tls=False)
    after = base_capabilities(session.options, tls_offered=True, tls=True)
    offered = (
        session.accept.capabilities
    )  # policy may have changed it: only the difference is applied
    kept = [line for line in offered if line not in before or line in after]
    offered[:] = kept + [line for line in after if line not in before]
    session.tls = True
    session.helo, session.esmtp = "", False
    session.end_transaction()
    conn = session.vctx.conn
    if session.auth_user:  # whoever logged in before may not be who speaks now
        session.auth_user = ""
        conn.pop("can_relay", None)
    for key in ("ehlo_string", "ehlo_domain", "auth_name", "auth_status", "auth_user"):
        conn.pop(key, None)
    conn.update(facts)
    session.tls_verified = facts.get("tls_client_verified") == "yes"
    if session.may_relay():
        conn.setdefault("can_relay", "true")
