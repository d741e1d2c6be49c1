"""What became of the mail of a session: the fate of every recipient, and of the session as a whole.

Pure: reads what was kept and bounced and what the callouts did; plays nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from moonpost.sim.letter import Letter
from moonpost.sim.report import Injected, Ran, Recipient, Report, Step
from moonpost.sim.snapshot import Snapshot, differences, headers_of, readable
from msys.message import Message

_RCPT = re.compile(r"[^<]*<([^>]*)>")


@dataclass(slots=True)
class Mail:
    """What the machine did with the copies."""

    kept: list[Message] = field(default_factory=list)
    bounced: list[tuple[Message, int, str]] = field(default_factory=list)
    refusals: dict[str, Step] = field(default_factory=dict)  # recipient -> the reply to its RCPT

    def refused(self, address: str, step: Step) -> None:
        self.refusals[address] = step

    def judge(self, report: Report, letter: Letter) -> None:
        """Fill in the report's recipients, bounces and verdict."""
        last = report.last
        accepted = last.phase == "data" and last.code < 300
        copies: dict[str, list[Message]] = {}
        for message in self.kept:
            copies.setdefault(_asked_for(message), []).append(message)
        for address in letter.recipients:
            mine = copies.get(address)
            if address in self.refusals:
                step = self.refusals[address]
                fate = Recipient(readable(address), _put_off(step.code), step.code, step.text)
            elif mine:
                fate = _queued(readable(address), mine.pop(0), letter.content)
            elif accepted:
                fate = self._accepted_but_not_queued(address, report)
            elif last.code >= 400 and last.phase != "rcpt":
                fate = Recipient(readable(address), _put_off(last.code), last.code, last.text)
            else:
                fate = Recipient(readable(address), "skipped")
            report.recipients.append(fate)
        for message in (one for rest in copies.values() for one in rest):  # added by policy
            report.recipients.append(_queued(readable(message.recipient), message, letter.content))
        report.injected += [
            Injected("bounce", "", readable(message.sender), message.id.text)
            for message, _, _ in self.bounced
        ]
        report.verdict = "accepted" if accepted else _put_off(last.code)

    def _accepted_but_not_queued(self, address: str, report: Report) -> Recipient:
        shown = readable(address)
        for message, code, text in self.bounced:
            if _asked_for(message) == address:
                return Recipient(shown, "refused", code, readable(text), id=message.id.text)
        ran = [ran for step in report.steps for ran in step.callouts if ran.recipient == shown]
        discarded = _latest(ran, "discarded")
        if discarded:
            return Recipient(shown, "discarded", *_code_and_text(discarded))
        reply = _latest(ran, "reply")
        if reply.startswith("5"):  # refused, and the configuration sends no bounce
            return Recipient(shown, "refused", *_code_and_text(reply))
        return Recipient(shown, "taken")


def _put_off(code: int) -> str:
    return "deferred" if 400 <= code < 500 else "refused"


def _latest(ran: list[Ran], kind: str) -> str:
    """What a kind of change last came to."""
    found = [change.after or "" for one in ran for change in one.changes if change.kind == kind]
    return found[-1] if found else ""


def _code_and_text(reply: str) -> tuple[int, str]:
    code, _, text = reply.partition(" ")
    return int(code), text


def _queued(address: str, copy: Message, sent: bytes) -> Recipient:
    original = Message(content=sent)
    before = Snapshot(headers=headers_of(original.header_block), body=original.body_block)
    after = Snapshot(headers=headers_of(copy.header_block), body=copy.body_block)
    return Recipient(
        address,
        "queued",
        delivered_to=readable(copy.recipient),
        id=copy.id.text,
        binding=copy.binding_name or "default",
        changes=differences(before, after),
        message=copy,
    )


def _asked_for(message: Message) -> str:
    """The address the client gave for a copy, whatever policy made of it."""
    found = _RCPT.match(message.mess.get("rcptto_string", ""))
    return found[1] if found else message.recipient
