"""RCPT TO: one recipient is judged by policy, by the rules of relaying, and as a part of the list.

Steps of the pure machine. The order of commands is checked before (`machine`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from moonpost.phases import replies
from moonpost.phases.actions import Steps
from moonpost.phases.addresses import RCPT_PARAMETERS, Path, parse_path, read_parameters
from moonpost.phases.answering import answer, bad_command, discarded, refused
from moonpost.phases.asking import ask
from moonpost.phases.state import SessionState, Transaction
from moonpost.phases.table import RCPTTO, RCPTTO_LIST
from moonpost.phases.verdicts import Verdict
from msys.constants import MC_STATE_RELAYING_DENIED
from msys.ecstring import EcString

RELAYING = replace(RCPTTO, state=MC_STATE_RELAYING_DENIED)
RELAYING_DENIED = Verdict(550, "5.7.1 relaying denied", module="relay")


def rcpt(session: SessionState, line: str, argument: str) -> Steps:
    """RCPT TO."""
    transaction = session.transaction
    assert transaction is not None
    if argument[:3].upper() != "TO:":
        yield from bad_command(session, replies.RCPT_SYNTAX)
        return
    options = session.options
    path = parse_path(
        argument[3:].lstrip(" "),
        session.fallback,
        default_domain=options.domain_for_unqualified_recipient_addresses,
        spaces=options.allow_trailing_whitespace_in_commands,
    )
    if path is None or not path.address or (options.pedantic_addresses and path.has_odd_dots):
        yield from bad_command(session, replies.BAD_RECIPIENT)
        return
    parameters = read_parameters(path.parameters, RCPT_PARAMETERS)
    if isinstance(parameters, bytes):
        yield from bad_command(session, parameters)
        return
    refusal = _recipient_refusal(session, transaction, path)
    if refusal is not None:
        yield refusal
        return
    yield from _recipient(session, transaction, path, parameters, line)


def _recipient_refusal(session: SessionState, transaction: Transaction, path: Path) -> bytes | None:
    options = session.options
    if path.is_literal and not options.allow_ip_literal:
        return replies.LITERAL_REFUSED
    if path.needs_utf8 and "SMTPUTF8" not in transaction.parameters:
        return replies.NEEDS_UTF8
    accepted = len(session.vctx.recipients)
    if options.max_recipients_per_message and accepted >= options.max_recipients_per_message:
        return replies.TOO_MANY_RECIPIENTS
    if (
        options.max_recipients_per_connection
        and session.rcpt_count >= options.max_recipients_per_connection
    ):
        return replies.TOO_MANY_RECIPIENTS
    return None


def _recipient(
    session: SessionState,
    transaction: Transaction,
    path: Path,
    parameters: dict[str, str],
    line: str,
) -> Steps:
    """Ask policy about one recipient, then whether mail for it may pass here, then about the list."""
    vctx, message = session.vctx, transaction.message
    session.rcpt_count += 1
    transaction.rcpt_commands += 1
    vctx.conn["connection_rcpt_count"] = str(session.rcpt_count)
    vctx.conn["message_rcpt_count"] = str(transaction.rcpt_commands)
    mess = vctx.mess
    mess["rcptto_string"] = line
    mess["rcptto_localpart"] = path.localpart
    mess["rcptto_domain"] = path.domain
    message.recipient = path.address
    values: dict[str, Any] = {}
    verdict = None
    if RCPTTO in session.asks or RCPTTO_LIST in session.asks:
        values = {
            "msg": message,
            "str": EcString(line + "\r\n"),
            "accept": session.accept,
            "vctx": vctx,
            "list": vctx.recipients,
        }
        verdict = yield from ask(session.generation, RCPTTO, vctx, values, message)
        if verdict is not None and verdict.refuses:
            yield from answer(session, verdict, RCPTTO, replies.OK_RCPT)
            return
    if not relays(session, transaction, path.domain):
        yield from refused(session, RELAYING_DENIED, RELAYING)
        yield replies.RELAYING_DENIED
        return
    if message.discarded is not None:
        yield from discarded(session, message, RCPTTO)
        message.discarded = None
        transaction.dropped += 1
    else:
        vctx.recipients.append(path.address)
        transaction.commands[path.address] = line
        if parameters:
            transaction.recipient_parameters[path.address] = parameters
        listed = None
        if RCPTTO_LIST in session.asks:
            listed = yield from ask(session.generation, RCPTTO_LIST, vctx, values, message)
        if listed is not None and listed.refuses:
            if path.address in vctx.recipients:
                vctx.recipients.remove(path.address)
            yield from answer(session, listed, RCPTTO_LIST, replies.OK_RCPT)
            return
        verdict = listed or verdict
    if verdict is None:
        yield replies.OK_RCPT
    else:
        yield from answer(session, verdict, RCPTTO, replies.OK_RCPT)


def relays(session: SessionState, transaction: Transaction, domain: str) -> bool:
    """Whether mail for a domain may pass: the peer, the sender or the domain permits it, or policy said so."""
    options = session.options
    if session.vctx.conn.get("can_relay") == "true" or not domain:
        return True
    if domain in options.relay_domain_set:
        return True
    senders = options.sending_domain_set
    return senders is not None and transaction.sender.domain in senders
