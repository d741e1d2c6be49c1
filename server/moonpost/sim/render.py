"""A simulated session as text for people: what was said, what ran, what it changed, what became of the mail."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import click

from moonpost.sim.report import Injected, Ran, Recipient, Report, Step
from moonpost.sim.snapshot import Change

WIDTH = 100  # chosen: longer values are cut, --json has them whole

WORDS = {  # kind of change -> how it is named
    "reply": "reply",
    "disconnect": "disconnect",
    "tarpit_s": "tarpit, seconds",
    "sender": "envelope sender",
    "recipient": "envelope recipient",
    "binding": "binding",
    "binding_group": "binding group",
    "route": "routing domain",
    "priority": "priority",
    "response": "response",
    "discarded": "discarded",
    "connection_context": "connection context",
    "message_context": "message context",
    "recipients": "recipients",
    "capability": "EHLO capability",
    "header": "header",
    "body": "body",
}

FATES: dict[str, Callable[[Recipient], str]] = {
    "queued": lambda r: f"queued as {r.id} for {r.delivered_to}, binding {r.binding}",
    "discarded": lambda r: f"accepted and discarded: {r.code} {r.text}",
    "taken": lambda r: "accepted, and taken over by an enqueue hook",
    "refused": lambda r: f"refused: {r.code} {r.text}",
    "deferred": lambda r: f"put off, the client tries again: {r.code} {r.text}",
    "skipped": lambda r: "never asked: the session had ended",
}


def text_of(report: Report) -> str:
    """The whole session."""
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    yield click.style(f"connect from {report.client}", bold=True)
    for step in report.steps:
        yield from _step(step)
    yield ""
    yield from _result(report)


def _step(step: Step) -> Iterator[str]:
    if step.phase == "end":
        yield click.style("the connection is gone", bold=True)
    elif step.command:
        yield click.style(f"> {step.command}", bold=True)
    for ran in step.callouts:
        yield from _ran(ran)
    if step.held_s:
        yield f"    held for {step.held_s:g} s (virtual time)"
    if step.code:
        first, *rest = step.text.split("\n")
        color = "green" if step.code < 400 else "red"
        by = f"   decided by {step.decided_by}" if step.decided_by else ""
        yield click.style(f"< {step.code} {first}", fg=color) + by
        yield from (f"  {line}" for line in rest)
    if step.closed and step.phase != "quit":
        yield "  the server closes the connection"


def _ran(ran: Ran) -> Iterator[str]:
    about = f" for {ran.recipient}" if ran.recipient and ran.phase in OF_COPIES else ""
    answer = click.style("failed", fg="red") if ran.error is not None else ran.answer
    yield f"    {ran.module}:{ran.callout}{about}   {ran.where}   {answer}"
    for question in ran.asked:
        yield f"        asked {question.kind.upper()} {_cut(question.what)}: {_cut(question.answer)}"
    for change in ran.changes:
        yield f"        {_change(change)}"
    for line in ran.printed:
        yield f"        print: {line}"
    if ran.error is not None:
        yield click.style(f"        {ran.error.text}", fg="red")
        yield from (f"        {line}" for line in ran.error.traceback.splitlines())


OF_COPIES = frozenset(("data_spool_each_rcpt", "set_binding", "core_final_validation"))


def _change(change: Change) -> str:
    name = f"{WORDS[change.kind]} {change.name}".rstrip()
    if change.before is None:
        return f"{name}: {_cut(change.after or '')}"
    if change.after is None:
        return f"{name}: removed (was {_cut(change.before)})"
    return f"{name}: {_cut(change.before)} -> {_cut(change.after)}"


def _cut(text: str) -> str:
    line = text.replace("\r", "\\r").replace("\n", "\\n").replace("\t", " ")
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"


def _result(report: Report) -> Iterator[str]:
    last = report.last
    color = "green" if report.exit_code == 0 else "red"
    first = last.text.partition("\n")[0]
    by = f", decided by {last.decided_by}" if last.decided_by else ""
    yield click.style(f"{report.verdict}: {last.code} {first}", fg=color, bold=True) + by
    for recipient in report.recipients:
        yield f"  {recipient.address}: {FATES[recipient.fate](recipient)}"
        yield from (f"      {_change(change)}" for change in recipient.changes)
    for injected in report.injected:
        yield f"  {_made(injected)}"
    for level, module, text in report.log:
        yield f"  log: {level}: {module}: {_cut(text)}"


def _made(injected: Injected) -> str:
    if injected.kind == "bounce":
        return f"a bounce would go to <{injected.recipient}>"
    return (
        f"policy sent {injected.id} from <{injected.sender}> to <{injected.recipient}>, "
        f"{injected.size} bytes, binding {injected.binding}"
    )
