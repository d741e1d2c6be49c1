"""Handlers of the queue commands: `mailq`, `flush domain`, `message retry` and so on."""

from __future__ import annotations

from moonpost.control.context import Session, later, need, usage, whole
from moonpost.control.services import CommandFailed, Queues
from moonpost.control.tables import table

SHOWN = 100  # chosen: lines of a listing when nobody says how many

_DOMAIN = {
    "domain": "Domain",
    "active": "Active",
    "delayed": "Delayed",
    "connections": "Connections",
    "sent": "Sent",
}
_MESSAGE = {
    "id": "Id",
    "sender": "From",
    "recipient": "To",
    "attempts": "Attempts",
    "next_attempt": "Next attempt",
}


def _queues(session: Session) -> Queues:
    return need(session.services.queues, "the queue")


async def mailq(session: Session, words: list[str]) -> str:
    rows = sorted(await later(_queues(session).summary()), key=lambda row: str(row["domain"]))
    active = sum(row["active"] for row in rows)
    delayed = sum(row["delayed"] for row in rows)
    total = f"{len(rows)} domains, {active} active, {delayed} delayed"
    return f"{table(rows, _DOMAIN)}\n{total}" if rows else "Mail queue is empty"


async def active(session: Session, words: list[str]) -> str:
    return await _top(session, words, "active")


async def delayed(session: Session, words: list[str]) -> str:
    return await _top(session, words, "delayed")


async def _top(session: Session, words: list[str], column: str) -> str:
    limit = whole(words[0], "the number of domains") if words else SHOWN
    rows = [row for row in await later(_queues(session).summary()) if row[column]]
    rows.sort(key=lambda row: (-row[column], str(row["domain"])))
    return table(rows[:limit], _DOMAIN)


async def domain(session: Session, words: list[str]) -> str:
    if len(words) != 1:
        raise usage("domain DOMAIN")
    rows = [
        row
        for row in await later(_queues(session).summary())
        if str(row["domain"]).lower() == words[0].lower()
    ]
    return table(rows, _DOMAIN | {"state": "State"}) if rows else f"{words[0]}: no mail"


async def show_queue(session: Session, words: list[str]) -> str:
    """`showqueue [binding B] DOMAIN [MAX[,OFFSET]]`."""
    binding = None
    if words[:1] == ["binding"]:
        if len(words) < 3:
            raise usage("showqueue [binding BINDING] DOMAIN [MAX[,OFFSET]]")
        binding, words = words[1], words[2:]
    if not words or len(words) > 2:
        raise usage("showqueue [binding BINDING] DOMAIN [MAX[,OFFSET]]")
    limit, offset = SHOWN, 0
    if len(words) == 2:
        first, _, second = words[1].partition(",")
        limit, offset = whole(first, "MAX"), whole(second or "0", "OFFSET")
    rows = await _queues(session).messages(words[0], binding, limit, offset)
    return table(rows, _MESSAGE) if rows else f"{words[0]}: no mail"


async def binding_summary(session: Session, words: list[str]) -> str:
    rows = await later(_queues(session).bindings())
    return table(
        rows, {"binding": "Binding", **{k: v for k, v in _DOMAIN.items() if k != "domain"}}
    )


async def flush_domain(session: Session, words: list[str]) -> str:
    if len(words) != 1:
        raise usage("flush domain DOMAIN|all")
    domain = None if words[0] == "all" else words[0]
    count = await _queues(session).flush(domain, dry_run=session.dry_run)
    return f"{count} messages {'would be' if session.dry_run else 'are'} due now"


async def refresh_domain(session: Session, words: list[str]) -> str:
    if len(words) != 1:
        raise usage("refresh domain DOMAIN")
    if session.dry_run:
        return f"{words[0]} would be looked up again"
    await _queues(session).refresh(words[0])
    return f"{words[0]} will be looked up again"


async def fail_domain(session: Session, words: list[str]) -> str:
    quiet = words[-1:] == ["quiet"]
    rest = words[:-1] if quiet else words
    if len(rest) != 1:
        raise usage("fail domain DOMAIN [quiet]")
    count = await _queues(session).fail(rest[0], quiet=quiet, dry_run=session.dry_run)
    return f"{count} messages {'would fail' if session.dry_run else 'failed'}"


async def message_retry(session: Session, words: list[str]) -> str:
    if len(words) != 1:
        raise usage("message retry ID")
    if not await _queues(session).retry_message(words[0], dry_run=session.dry_run):
        raise CommandFailed(f"no message {words[0]} in the queue")
    return f"{words[0]} {'would be' if session.dry_run else 'is'} due now"


async def message_fail(session: Session, words: list[str]) -> str:
    if len(words) != 1:
        raise usage("message fail ID")
    if not await _queues(session).fail_message(words[0], dry_run=session.dry_run):
        raise CommandFailed(f"no message {words[0]} in the queue")
    return f"{words[0]} {'would fail' if session.dry_run else 'failed'}"


async def reroute_queue(session: Session, words: list[str]) -> str:
    if len(words) != 2:
        raise usage("reroute queue OLD NEW")
    count = await _queues(session).reroute(*words, dry_run=session.dry_run)
    return f"{count} messages {'would be ' if session.dry_run else ''}moved to {words[1]}"


async def rebind_binding(session: Session, words: list[str]) -> str:
    if len(words) not in (1, 2):
        raise usage("rebind binding BINDING [DOMAIN]")
    domain = words[1] if len(words) > 1 else None
    count = await _queues(session).rebind(words[0], domain, dry_run=session.dry_run)
    if session.dry_run:
        return f"policy would choose the binding of {count} messages again"
    return f"policy chose the binding of {count} messages again"
