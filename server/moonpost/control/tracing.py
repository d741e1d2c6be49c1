"""Handlers of `trace smtp`: sessions written to a file, line by line, while somebody looks for a mistake."""

from __future__ import annotations

from moonpost.control.context import Session, need, usage, whole
from moonpost.control.services import CommandFailed, Tracing

ADD = "trace smtp add BINDING|* DOMAIN|* FILE, or: trace smtp add inbound ADDRESS[/MASK]|* FILE"


def _tracing(session: Session) -> Tracing:
    return need(session.services.tracing, "tracing")


async def add(session: Session, words: list[str]) -> str:
    if len(words) != 3 or not words[2].startswith("/"):
        raise usage(f"{ADD}; FILE is an absolute path")
    inbound = words[0].lower() == "inbound"
    if session.dry_run:
        return f"would write sessions to {words[2]}"
    try:
        if inbound:
            number = _tracing(session).add(words[2], peer=words[1])
        else:
            number = _tracing(session).add(words[2], binding=words[0], domain=words[1])
    except OSError as error:
        raise CommandFailed(f"{words[2]}: {error.strerror}") from None
    except ValueError as error:
        raise CommandFailed(str(error)) from None
    return f"Registered smtp tracer #{number}"


async def listing(session: Session, words: list[str]) -> str:
    lines = []
    for number, tracer in _tracing(session).active.items():
        place = f"{tracer.file.path} @ {tracer.written}"
        if tracer.peer:
            lines += [f"[{number:6}] inbound: {tracer.peer}", f"{'file':>16}: {place}"]
        else:
            lines += [
                f"[{number:6}] binding: {tracer.binding}",
                f"{'domain':>16}: {tracer.domain}",
                f"{'file':>16}: {place}",
            ]
    return "\n".join(lines) or "nothing is traced"


async def remove(session: Session, words: list[str]) -> str:
    if len(words) != 1:
        raise usage("trace smtp remove TRACER_ID")
    number = whole(words[0], "TRACER_ID")
    tracing = _tracing(session)
    if number not in tracing.active:
        raise CommandFailed(f"no smtp tracer #{number}")
    if session.dry_run:
        return f"would remove smtp tracer #{number}"
    tracing.remove(number)
    return f"Removed smtp tracer #{number}"
