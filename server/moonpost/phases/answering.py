"""How a verdict of policy becomes what the peer sees and the logs say."""

from __future__ import annotations

from moonpost.phases import replies
from moonpost.phases.actions import Close, Note, Pause, Steps
from moonpost.phases.asking import tell
from moonpost.phases.state import SessionState, State
from moonpost.phases.table import Moment
from moonpost.phases.verdicts import Verdict, deciding_line
from msys.constants import MC_STATE_EHLO
from msys.message import Message


def answer(session: SessionState, verdict: Verdict, moment: Moment, yes: bytes) -> Steps:
    """Hold, log, reply and close as a verdict says. yes: the reply when it has no words of its own."""
    if verdict.pause_s > 0:
        yield Pause(verdict.pause_s)
    if verdict.refuses:
        yield from refused(session, verdict, moment)
    if verdict.refuses or verdict.text:
        yield verdict.reply(session.options.hostname)
    else:
        yield yes
    if verdict.close:
        yield from close(session)


def refused(
    session: SessionState, verdict: Verdict, moment: Moment, message: Message | None = None
) -> Steps:
    """The reject log and its hook. message: the copy that is refused, when it is not the one at hand."""
    text = verdict.text
    yield Note(
        verdict.code,
        text,
        moment.log_phase,
        moment.state,
        verdict.module,
        verdict.decided_by,
        message,
    )
    values = {
        "now": int(session.now),
        "accept": session.accept,
        "vctx": session.vctx,
        "phase": moment.state,
        "format": f"{verdict.code} {text}",
        "args": None,
    }
    yield from tell(session.generation, "core_log_rejection", values)


def discarded(session: SessionState, message: Message, moment: Moment) -> Steps:
    """The sender sees success, the reject log the reason, which begins with a code."""
    if message.discarded is not None:
        code, _, text = message.discarded.partition(" ")
        line = deciding_line(session.vctx)
        yield Note(
            int(code),
            text,
            moment.log_phase,
            moment.state,
            "scriptlet",
            line,
            message,
            discarded=True,
        )


def bad_command(session: SessionState, reply: bytes) -> Steps:
    """A command that makes no sense. After too many of them the session ends."""
    session.bad_commands += 1
    session.vctx.conn["conntrol_bad_commands"] = str(session.bad_commands)
    limit = session.options.max_bad_commands
    if limit and session.bad_commands > limit:
        yield Note(421, "too many bad commands", "awaiting command", MC_STATE_EHLO, "protocol")
        yield replies.closing(session.options.hostname, "too many bad commands")
        yield from close(session)
    else:
        yield reply


def close(session: SessionState) -> Steps:
    session.state = State.CLOSED
    yield Close()
