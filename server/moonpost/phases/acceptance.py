"""After the final dot: the last questions about the whole mail, one copy for each recipient, the spool, the reply.

Steps of the pure machine. Nothing here answers 250 before Keep said the copies are stored; nothing is stored when any
recipient is to be put off, because the sender will come again with all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from moonpost.phases import replies
from moonpost.phases.actions import Bounce, Keep, Note, Reception, Steps, Stored
from moonpost.phases.aliases import expand
from moonpost.phases.answering import answer, discarded, refused
from moonpost.phases.asking import ask, tell
from moonpost.phases.content import Problem
from moonpost.phases.enqueue import Fate, Judged, enqueue, log_reception, of_verdict
from moonpost.phases.form import BOTH, DATE, fields_of, has_header, missing_fields, refusal_of
from moonpost.phases.loops import found_loop
from moonpost.phases.received import field_text, received
from moonpost.phases.state import SessionState, Transaction
from moonpost.phases.table import (
    DATA,
    DATA_SPOOL,
    EACH_RCPT,
    FINAL,
    RCPTTO_LIST_FINAL,
    Moment,
)
from moonpost.phases.verdicts import FanOut, Verdict, fold
from msys.ecstring import EcString
from msys.message import Message

TRACE_HOOK = "core_get_received_header_text"

# The moments about the whole mail, in order.
WHOLE = (RCPTTO_LIST_FINAL, DATA, DATA_SPOOL)

NO_RECIPIENTS = Verdict(554, "5.5.1 no recipients left", module="recipients")
NOT_STORED = {
    Stored.FULL: Verdict(452, "4.3.1 not enough storage, try again later", module="spool"),
    Stored.FAILED: Verdict(
        451, "4.3.0 message can't be stored at present, try again later", module="spool"
    ),
}

CONTENT_REFUSALS = {
    Problem.TOO_LARGE: replies.TOO_LARGE,
    Problem.BARE_NEWLINE: replies.BARE_CONTENT,
    Problem.LINE_TOO_LONG: replies.CONTENT_LINE_TOO_LONG,
}

Judging = Generator[Any, Any, Judged]
Judge = Callable[[SessionState, Message], Judging]
STAYS, DROPPED = Judged(Fate.KEEP), Judged(Fate.DROP)


def accept_content(session: SessionState, content: bytes) -> Steps:
    """Judge a whole mail, keep it, answer; the transaction ends."""
    transaction = session.transaction
    assert transaction is not None
    loop = found_loop(session.options, session.vctx.conn, content)
    if loop is not None:
        yield from answer(session, loop, DATA, replies.OK_NOOP)
        session.end_transaction()
        return
    fields = fields_of(content)
    refusal = refusal_of(session.options, content, fields)
    if refusal is not None:
        yield from answer(session, refusal, DATA, replies.OK_NOOP)
        session.end_transaction()
        return
    transaction.complete = fields is BOTH
    if DATE not in fields:
        session.vctx.mess["rfc2822_date_missing"] = "true"
    if not has_header(content):
        content = b"\r\n" + content
    own = None
    if session.generation.has(TRACE_HOOK):
        own = yield from _own_trace(session, transaction.message)
    if own is None:
        transaction.message.content = _traced(session, transaction, content)
    else:
        transaction.message.content = own.encode("latin-1", "replace") + content
    yield from _whole(session, transaction)
    session.end_transaction()


def refuse_content(session: SessionState, problem: Problem) -> Steps:
    """The content came whole, but is not fit; the transaction ends."""
    reply = CONTENT_REFUSALS[problem]
    text = reply[4:-2].decode("latin-1")
    yield Note(int(reply[:3]), text, DATA.log_phase, DATA.state, "protocol")
    yield reply
    session.end_transaction()


def _traced(session: SessionState, transaction: Transaction, content: bytes) -> bytes:
    """The content under its trace header."""
    if not session.options.trace_header:
        return content
    recipients = session.vctx.recipients
    header = received(
        helo=session.helo,
        remote_ip=session.peer.remote_ip,
        hostname=session.options.received_hostname or session.options.hostname,
        protocol=session.protocol,
        message_id=transaction.message.id.text,
        recipient=recipients[0] if len(recipients) == 1 else "",
        now=session.now,
    )
    return header + content


def _own_trace(session: SessionState, message: Message) -> Generator[Any, Any, str | None]:
    """The Received header that a hook wrote instead of ours; None: ours is good."""
    response = EcString()
    values = {
        "msg": message,
        "mc": session.accept.message_construct(),
        "accept": session.accept,
        "vctx": session.vctx,
        "response": response,
    }
    outcome = yield from tell(session.generation, TRACE_HOOK, values, message)
    wanted = outcome is not None and 1 in outcome.results
    return field_text(str(response)) if wanted else None


def _whole(session: SessionState, transaction: Transaction) -> Steps:
    vctx, message = session.vctx, transaction.message
    message.recipient = vctx.recipients[0] if vctx.recipients else ""
    values = {"msg": message, "accept": session.accept, "vctx": vctx, "list": vctx.recipients}
    said: Verdict | None = None
    for moment in WHOLE:
        if moment not in session.asks:
            continue
        verdict = yield from ask(session.generation, moment, vctx, values, message)
        if verdict is None:
            continue
        if verdict.refuses:
            yield from answer(session, verdict, moment, replies.OK_NOOP)
            return
        said = verdict
    if not vctx.recipients and not transaction.dropped:
        yield from answer(session, NO_RECIPIENTS, DATA, replies.OK_NOOP)
    elif message.discarded is not None or not vctx.recipients:
        yield from discarded(session, message, DATA)
        yield from _accepted(session, message, said)
    else:
        if not transaction.complete:
            _complete(session, message)
        yield from _fan_out(session, transaction, said)


def _complete(session: SessionState, message: Message) -> None:
    """Add the fields that every message must have."""
    head = message.header_block
    added = missing_fields(session.options, head, message.id.text, session.now)
    if added:
        message.content = head.removesuffix(b"\r\n") + added + b"\r\n" + message.body_block


def _fan_out(session: SessionState, transaction: Transaction, said: Verdict | None) -> Steps:
    """One copy for each recipient; judge them, then store or refuse them together."""
    failure = yield from expand(session, transaction)
    if failure is not None:
        yield from answer(session, failure, DATA_SPOOL, replies.OK_NOOP)
        return
    staying = _copies(session, transaction)
    refusals: list[tuple[Message, Verdict]] = []
    for judge, moment in _stages(session, staying):
        judged = yield from _judge_all(session, staying, judge)
        outcome, verdict = fold([one.verdict for one in judged])
        if outcome is FanOut.DEFER or (outcome is FanOut.REFUSE and not refusals):
            assert verdict is not None
            yield from answer(session, verdict, moment, replies.OK_NOOP)
            return
        said = _latest(said, judged)
        for copy, one in zip(staying, judged, strict=True):
            if one.fate is Fate.REFUSE and one.verdict is not None:
                refusals.append((copy, one.verdict))
                yield from refused(session, one.verdict, moment, copy)
        staying = [copy for copy, one in zip(staying, judged, strict=True) if one.fate is Fate.KEEP]
    reception = session.reception(transaction)
    reception.decided_by = said.decided_by if said is not None else ""
    failure = yield from _store(session, reception, staying, refusals)
    if failure is not None:
        yield from answer(session, failure, DATA_SPOOL, replies.OK_NOOP)
        return
    if session.generation.has("core_log_reception_v1"):
        for copy in staying:
            yield from log_reception(
                session.generation, copy, session.accept, session.now, f"2.0.0 OK {copy.id.text}"
            )
    yield from _accepted(session, transaction.message, said)


def _stages(session: SessionState, copies: list[Message]) -> list[tuple[Judge, Moment]]:
    """How copies are judged, in order; a stage at which nobody decides anything is left out."""
    stages: list[tuple[Judge, Moment]] = []
    if EACH_RCPT in session.asks or any(copy.discarded is not None for copy in copies):
        stages.append((_each_recipient, EACH_RCPT))
    if session.judges_last:
        stages.append((_last_steps, FINAL))
    return stages


def _copies(session: SessionState, transaction: Transaction) -> list[Message]:
    """Copy-on-write copies with the keys of their own recipient. A single recipient needs no copy."""
    message, recipients = transaction.message, session.vctx.recipients
    if len(recipients) == 1:
        message.conn = dict(message.conn)  # what is kept must not change with the session
        copies = [message]
    else:
        copies = [
            message.copy_for(address, None if at else message.id)  # the first has the batch's id
            for at, address in enumerate(recipients)
        ]
    for copy, address in zip(copies, recipients, strict=True):
        line = transaction.commands.get(address, f"RCPT TO:<{address}>")
        localpart, _, domain = address.rpartition("@")
        copy.mess["rcptto_string"] = line
        copy.mess["rcptto_localpart"] = localpart or domain
        copy.mess["rcptto_domain"] = domain if localpart else ""
    return copies


def _judge_all(
    session: SessionState,
    copies: list[Message],
    judge: Judge,
) -> Generator[Any, Any, list[Judged]]:
    """The fate of each copy. The first that puts the mail off ends the questions: all come again with it."""
    judged: list[Judged] = []
    for copy in copies:
        session.vctx.follow(copy)
        session.accept.message = copy
        one = yield from judge(session, copy)
        judged.append(one)
        if one.fate is Fate.DEFER:
            break
        if one.fate is Fate.DROP:
            yield from discarded(session, copy, EACH_RCPT)
    return judged


def _each_recipient(session: SessionState, copy: Message) -> Judging:
    if EACH_RCPT not in session.asks:
        return STAYS if copy.discarded is None else DROPPED
    values = {"msg": copy, "accept": session.accept, "vctx": session.vctx}
    verdict = yield from ask(session.generation, EACH_RCPT, session.vctx, values, copy)
    if verdict is not None and verdict.refuses:
        return of_verdict(verdict)
    return Judged(Fate.KEEP if copy.discarded is None else Fate.DROP, verdict)


def _last_steps(session: SessionState, copy: Message) -> Judging:
    return (
        yield from enqueue(
            session.generation,
            copy,
            session.accept,
            session.vctx,
            session.now,
            default_binding=session.options.default_binding,
        )
    )


def _latest(said: Verdict | None, judged: list[Judged]) -> Verdict | None:
    """The last verdict that speaks without refusing; a wish to close survives."""
    for one in judged:
        verdict = one.verdict
        if verdict is None:
            continue
        if not verdict.refuses:
            said = verdict
        elif verdict.close:
            said = (said or Verdict(250, ""))._replace(close=True)
    return said


def _store(
    session: SessionState,
    reception: Reception,
    staying: list[Message],
    refusals: list[tuple[Message, Verdict]],
) -> Generator[Any, Any, Verdict | None]:
    """Bounces first, then the copies: a bounce too many is better than a recipient nobody hears about."""
    if refusals and session.options.bounce_refused_recipients:
        stored = yield Bounce([(copy, verdict.code, verdict.text) for copy, verdict in refusals])
        if stored is not Stored.KEPT:
            return NOT_STORED[stored]
    if staying:
        stored = yield Keep(staying, reception)
        if stored is not Stored.KEPT:
            return NOT_STORED[stored]
    return None


def _accepted(session: SessionState, message: Message, said: Verdict | None) -> Steps:
    yes = replies.accepted(message.batch_id.text)
    if said is None:
        yield yes
    else:
        yield from answer(session, said, DATA_SPOOL, yes)
