"""MAIL FROM: a transaction begins, on the newest generation of policy.

Steps of the pure machine. The order of commands is checked before (`machine`).
"""

from __future__ import annotations

from moonpost.phases import replies
from moonpost.phases.actions import BeginMessage, Note, Steps
from moonpost.phases.addresses import MAIL_PARAMETERS, Path, parse_path, read_parameters
from moonpost.phases.answering import answer, bad_command, close
from moonpost.phases.asking import ask
from moonpost.phases.state import SessionState, State, Transaction
from moonpost.phases.table import MAILFROM
from msys.constants import P_ESMTP
from msys.ecstring import EcString
from msys.identity import IDS
from msys.message import Message


def move_to_current(session: SessionState) -> Steps:
    """A transaction belongs to one generation; between two, the session moves to the newest."""
    current = session.policy.current()
    if current is session.generation:
        return
    if session.options.reconfig_message:
        yield replies.reply(421, session.options.reconfig_message)
        yield from close(session)
        return
    session.use(current)


def mail(session: SessionState, line: str, argument: str) -> Steps:
    """MAIL FROM."""
    options = session.options
    if session.policy.current() is not session.generation:
        yield from move_to_current(session)
        if session.state is State.CLOSED:
            return
    limit = options.max_receptions_per_connection
    if limit and session.message_count >= limit:
        yield replies.closing(options.hostname, "too many messages on this connection")
        yield from close(session)
        return
    sender = _sender(session, argument)
    if isinstance(sender, bytes):
        yield from bad_command(session, sender)
        return
    parameters = read_parameters(sender.parameters, MAIL_PARAMETERS)
    if isinstance(parameters, bytes):
        yield from bad_command(session, parameters)
        return
    refusal = _sender_refusal(session, sender, parameters)
    if refusal is not None:
        yield refusal
        return
    if options.throttled and not (yield BeginMessage()):
        yield Note(
            451, "too many messages at present", MAILFROM.log_phase, MAILFROM.state, "throttle"
        )
        yield replies.THROTTLED
        return
    transaction = _begin(session, sender, parameters, line)
    verdict = None
    if MAILFROM in session.asks:
        text = EcString(line + "\r\n")
        values = {"str": text, "accept": session.accept, "vctx": session.vctx}
        verdict = yield from ask(
            session.generation, MAILFROM, session.vctx, values, transaction.message
        )
        if verdict is not None and verdict.refuses:
            yield from answer(session, verdict, MAILFROM, replies.OK_MAIL)
            session.end_transaction()
            return
        if str(text) != line + "\r\n" and not _rewritten_sender(session, transaction, str(text)):
            yield replies.MAIL_SYNTAX
            session.end_transaction()
            return
    session.state = State.MAIL
    session.message_count += 1
    if verdict is None:
        yield replies.OK_MAIL
    else:
        yield from answer(session, verdict, MAILFROM, replies.OK_MAIL)


def _sender(session: SessionState, argument: str) -> Path | bytes:
    if argument[:5].upper() != "FROM:":
        return replies.MAIL_SYNTAX
    path = parse_path(
        argument[5:].lstrip(" "),
        session.fallback,
        default_domain=session.options.domain_for_unqualified_sender_address,
        spaces=session.options.allow_trailing_whitespace_in_commands,
    )
    if path is None or (session.options.pedantic_addresses and path.has_odd_dots):
        return replies.BAD_SENDER
    return path


def _sender_refusal(
    session: SessionState, sender: Path, parameters: dict[str, str]
) -> bytes | None:
    options = session.options
    if not sender.address and not options.allow_null_envelope_sender:
        return replies.NULL_SENDER_REFUSED
    if "XAGE" in parameters and not options.offers("XAGE"):
        return replies.BAD_PARAMETER
    if sender.is_literal and not options.allow_ip_literal:
        return replies.LITERAL_REFUSED
    if sender.needs_utf8 and "SMTPUTF8" not in parameters:
        return replies.NEEDS_UTF8
    size = int(parameters.get("SIZE") or 0)
    if options.max_message_bytes and size > options.max_message_bytes:
        return replies.TOO_LARGE
    return None


def _begin(
    session: SessionState, sender: Path, parameters: dict[str, str], line: str
) -> Transaction:
    """A message that has a sender and nothing else yet."""
    vctx = session.vctx
    vctx.mess = mess = {
        "mailfrom_string": line,
        "mailfrom_localpart": sender.localpart,
        "mailfrom_domain": sender.domain,
    }
    vctx.recipients = []
    vctx.conn["connection_message_count"] = str(session.message_count + 1)
    vctx.conn["message_rcpt_count"] = "0"
    identity = IDS.next()
    message = Message(
        id=identity,
        batch_id=identity,
        conn_id=session.conn_id,
        mailfrom=sender.address,
        conn=vctx.conn,
        mess=mess,
        recv_method=P_ESMTP,
        listener=(session.peer.local_ip, session.peer.local_port),
        peer=(session.peer.remote_ip, session.peer.remote_port),
        creation_time=int(session.now),
    )
    session.accept.message = message
    transaction = Transaction(message, sender, parameters)
    session.transaction = transaction
    return transaction


def _rewritten_sender(session: SessionState, transaction: Transaction, text: str) -> bool:
    """Policy replaced the command; take the sender from the new one. False when it is none."""
    line = text.rstrip("\r\n")
    sender = _sender(session, line.partition(" ")[2])
    if line[:5].upper() != "MAIL " or isinstance(sender, bytes):
        return False
    transaction.sender = sender
    transaction.message.sender = sender.address
    session.vctx.mess.update(
        mailfrom_string=line, mailfrom_localpart=sender.localpart, mailfrom_domain=sender.domain
    )
    return True
