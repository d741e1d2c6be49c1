"""DATA, BDAT and RSET: the content comes in, or nothing comes of it.

Steps of the pure machine. The order of commands is checked before (`machine`), the content is judged after
(`acceptance`).
"""

from __future__ import annotations

from moonpost.phases import replies
from moonpost.phases.acceptance import accept_content, refuse_content
from moonpost.phases.actions import ReadChunk, ReadContent, Steps
from moonpost.phases.answering import bad_command, close
from moonpost.phases.content import content_problem
from moonpost.phases.sender import move_to_current
from moonpost.phases.state import SessionState, State, Transaction


def data(session: SessionState, _line: str, argument: str) -> Steps:
    """DATA."""
    transaction = session.transaction
    assert transaction is not None
    if argument:
        yield from bad_command(session, replies.NO_ARGUMENT)
        return
    if not session.vctx.recipients and not transaction.dropped:
        yield replies.NEED_RCPT
        return
    yield replies.START_DATA
    yield ReadContent(session.options.max_message_bytes)


def bdat(session: SessionState, _line: str, argument: str) -> Steps:
    """BDAT (RFC 3030): so many bytes follow, whatever they are."""
    words = argument.split()
    if (
        not words
        or not words[0].isdigit()
        or len(words[0]) > 18
        or (len(words) > 1 and [word.upper() for word in words[1:]] != ["LAST"])
    ):
        yield replies.BDAT_SYNTAX
        yield from close(session)  # nobody knows how much of what follows is content
        return
    size, last = int(words[0]), len(words) > 1
    transaction = session.transaction
    refusal = None
    if not session.options.offers("CHUNKING"):
        refusal = replies.UNKNOWN_COMMAND
    elif transaction is None:
        refusal = replies.NEED_MAIL
    elif not session.vctx.recipients and not transaction.dropped:
        refusal = replies.NEED_RCPT
    elif _too_much(session, transaction, size):
        refusal = replies.TOO_LARGE
    chunk: bytes = yield ReadChunk(size, discard=refusal is not None)
    if refusal is not None or transaction is None:
        yield refusal
        if refusal is replies.TOO_LARGE:
            session.end_transaction()
        return
    session.state = State.CHUNKS
    transaction.chunks.append(chunk)
    transaction.chunk_bytes += size
    if not last:
        yield replies.reply(250, f"2.0.0 {size} octets received")
        return
    options = session.options
    content = b"".join(transaction.chunks)
    if options.mend is not None:
        content = options.mend(content)
    if content and not content.endswith(b"\r\n"):
        content += b"\r\n"
    problem = content_problem(content, options.max_line_bytes)
    if problem is not None:
        yield from refuse_content(session, problem)
    else:
        yield from accept_content(session, content)


def _too_much(session: SessionState, transaction: Transaction, size: int) -> bool:
    limit = session.options.max_message_bytes
    return bool(limit) and transaction.chunk_bytes + size > limit


def rset(session: SessionState, _line: str, argument: str) -> Steps:
    """RSET."""
    if argument:
        yield from bad_command(session, replies.NO_ARGUMENT)
        return
    session.end_transaction()
    if session.options.reconfig_message:
        yield from move_to_current(session)
        if session.state is State.CLOSED:
            return
    yield replies.OK_RSET
