"""The client's side of SMTP and LMTP, without a socket: one letter after the other.

Replies in as bytes, commands out as bytes, events for the driver: `connection.py` moves the bytes and keeps the time.
Commands are pipelined when the host offers it (RFC 2920). Every recipient of a transaction gets exactly one outcome,
whatever happens to the connection. How a connection begins is in `opening`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from moonpost.outbound import xclient
from moonpost.outbound.answers import UNSENT, Answer, AnswerReader, Broken, Fate, Outcome, Stage
from moonpost.outbound.letters import (
    NO,
    REQUIRED,
    ConversationSettings,
    Event,
    Finished,
    Letter,
    Ready,
)
from moonpost.outbound.opening import TIMEOUTS, WAITING_FOR, Opening, internal, not_now
from moonpost.outbound.wire import END, as_data, is_safe_address, is_safe_value

BODY, RSET = "BODY", "RSET"
EARLY_ANSWER = "451 4.5.0 [internal] the host answered before the message was sent"
NO_XCLIENT = "451 4.7.6 [internal] XCLIENT required but not advertised"


class Conversation(Opening):
    """One connection's worth of SMTP."""

    def __init__(self, settings: ConversationSettings) -> None:
        super().__init__(settings)
        self.busy = False  # a letter is under way
        self.shown: Mapping[str, str] = {}  # the client that XCLIENT told of
        self.heard = 0  # whole answers so far: bytes that end none do not count as progress
        self._reader = AnswerReader()
        self._letter: Letter | None = None
        self._outcomes: list[Outcome | None] = []
        self._accepted: list[int] = []
        self._needs_reset = False

    # bytes and time

    def receive(self, data: bytes) -> list[Event]:
        """Take what the host sent."""
        if not self.usable:
            return []
        try:
            answers = self._reader.feed(data)
        except Broken as broken:
            return self._end(
                Outcome(
                    Fate.DEFERRED, 421, f"421 4.4.0 [internal] the host sent {broken}", self.stage
                )
            )
        self.heard += len(answers)
        events: list[Event] = []
        for position, answer in enumerate(answers):
            if not self.usable:
                break
            more = position + 1 < len(answers) or self._reader.pending
            events += self._answer(answer, more)
        return events

    def outgoing(self) -> bytes:
        """What to write now."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def lose(self, text: str, unsent: bool = False, code: int = 421) -> list[Event]:
        """The connection ended or took too long. unsent: what we said last was still being written."""
        if not self.usable:
            return []
        stage = UNSENT.get(self.stage, self.stage) if unsent else self.stage
        return self._end(Outcome(Fate.DEFERRED, code, text, stage))

    def quit(self) -> None:
        """Say goodbye; nothing can be sent afterwards."""
        if self.usable:
            self.usable = False
            self._out.append(b"QUIT\r\n")

    @property
    def timeout_option(self) -> str:
        """Which option limits the present wait."""
        return TIMEOUTS[self.stage]

    # sending

    def send(self, letter: Letter) -> list[Event]:
        """Begin a transaction; the conversation must be ready."""
        if not self.usable or self.busy or self.stage is not Stage.IDLE:
            raise RuntimeError(f"internal error: send() at stage {self.stage.name}")
        refused = self._cannot_send(letter)
        if refused is not None:
            return [Finished((refused,) * len(letter.recipients)), Ready()]
        self.busy = True
        self._letter = letter
        self._outcomes = [
            None
            if is_safe_address(address)
            else Outcome(
                Fate.FAILED,
                553,
                "553 5.1.3 [internal] address can't be written in a command",
                Stage.AFTER_RCPT,
            )
            for address in letter.recipients
        ]
        self._accepted = []
        if all(self._outcomes):
            return self._finish()
        if self._needs_reset:
            self._say(b"RSET\r\n", RSET)
            self._needs_reset = False
            if self._introduces(letter) or not self._pipelining:
                return []
        return self._introduce() if self._introduces(letter) else self._begin()

    def _begin(self) -> list[Event]:
        self._say_mail()
        return []

    # XCLIENT: the host begins anew afterwards, with its greeting

    def _introduces(self, letter: Letter) -> bool:
        return self.settings.xclient != NO and bool(letter.client) and letter.client != self.shown

    def _introduce(self) -> list[Event]:
        letter = self._letter
        assert letter is not None
        line = xclient.command(letter.client, self.extensions.get("XCLIENT", ""))
        if line:
            self._say(line + b"\r\n", "XCLIENT")
            return []
        if self.settings.xclient == REQUIRED:
            self._decide(self._undecided(), internal(NO_XCLIENT, Stage.AFTER_EHLO))
            return self._finish(clean=True)
        return self._begin()

    def _heard_xclient(self, answer: Answer, _: int, more: bool) -> list[Event]:
        letter = self._letter
        assert letter is not None
        if answer.code == 220:
            self.shown = letter.client
            self.logged_in = False
            self._greet()
            return []
        if self.settings.xclient == REQUIRED:
            self._decide(self._undecided(), not_now(answer, Stage.AFTER_XCLIENT))
            return self._finish(clean=True)
        return self._begin()

    def _opened(self) -> list[Event]:
        return self._begin() if self.busy else self._idle()

    def _cannot_send(self, letter: Letter) -> Outcome | None:
        """A reason that makes trying pointless."""
        text = ""
        if not is_safe_address(letter.sender):
            text = "553 5.1.7 [internal] sender address can't be written in a command"
        elif self._needs_utf8(letter) and "SMTPUTF8" not in self.extensions:
            text = "553 5.6.7 [internal] the receiving host does not take internationalised mail"
        limit = self.extensions.get("SIZE", "")
        if limit.isdigit() and 0 < int(limit) < len(letter.content):
            text = (
                f"552 5.3.4 [internal] message of {len(letter.content)} bytes exceeds the limit "
                f"of {limit} of the receiving host"
            )
        return Outcome(Fate.FAILED, int(text[:3]), text, Stage.AFTER_MAIL) if text else None

    @staticmethod
    def _needs_utf8(letter: Letter) -> bool:
        return letter.utf8 or not (letter.sender + "".join(letter.recipients)).isascii()

    @property
    def _pipelining(self) -> bool:
        return "PIPELINING" in self.extensions

    def _say_mail(self) -> None:
        letter = self._letter
        assert letter is not None
        line = [f"MAIL FROM:<{letter.sender}>"]
        if "SIZE" in self.extensions:
            line.append(f"SIZE={len(letter.content)}")
        if (
            self.settings.announce_8bit
            and "8BITMIME" in self.extensions
            and not letter.content.isascii()
        ):
            line.append("BODY=8BITMIME")
        if self._needs_utf8(letter):
            line.append("SMTPUTF8")
        if "DSN" in self.extensions:
            line += _written(letter.parameters, ("RET", "ENVID"))
        if "XAGE" in self.extensions:
            line += _written(letter.parameters, ("XAGE",))
        self._say(" ".join(line).encode("latin-1") + b"\r\n", "MAIL")
        if self._pipelining:
            for recipient, outcome in enumerate(self._outcomes):
                if outcome is None:
                    self._say_rcpt(recipient)
            self._say(b"DATA\r\n", "DATA")

    def _say_rcpt(self, recipient: int) -> None:
        letter = self._letter
        assert letter is not None
        line = [f"RCPT TO:<{letter.recipients[recipient]}>"]
        if "DSN" in self.extensions and letter.rcpt_parameters:
            line += _written(letter.rcpt_parameters[recipient], ("NOTIFY", "ORCPT"))
        self._say(" ".join(line).encode("latin-1") + b"\r\n", "RCPT", recipient)

    # hearing

    def _answer(self, answer: Answer, more: bool) -> list[Event]:
        if self.stage is Stage.BANNER:
            return self._heard_banner(answer)
        if not self._expected:
            # A host may say 421 at any time; anything else unasked is a breach.
            return self._end(not_now(answer, self.stage))
        command, recipient = self._expected.popleft()
        stage = WAITING_FOR[command]
        self._set_stage()
        if answer.code == 421:
            return self._end(Outcome(Fate.DEFERRED, 421, answer.text, stage))
        return HEARD[command](self, answer, recipient, more)

    def _heard_rset(self, answer: Answer, _: int, more: bool) -> list[Event]:
        if not answer.good:
            return self._end(not_now(answer, Stage.AFTER_RSET))
        letter = self._letter
        assert letter is not None
        if self._introduces(letter):
            return self._introduce()
        return [] if self._expected else self._begin()

    def _heard_mail(self, answer: Answer, _: int, more: bool) -> list[Event]:
        if not answer.good:
            self._decide(self._undecided(), answer.outcome(Stage.AFTER_MAIL))
            if not self._pipelining:
                return self._finish()
        elif not self._pipelining:
            self._say_rcpt(self._undecided()[0])
        return []

    def _heard_rcpt(self, answer: Answer, recipient: int, more: bool) -> list[Event]:
        if answer.good and self._outcomes[recipient] is None:
            self._accepted.append(recipient)
        else:
            self._decide([recipient], answer.outcome(Stage.AFTER_RCPT))
        if not self._pipelining:
            waiting = [one for one in self._undecided() if one not in self._accepted]
            if waiting:
                self._say_rcpt(waiting[0])
            elif self._accepted:
                self._say(b"DATA\r\n", "DATA")
            else:
                return self._finish()
        return []

    def _heard_data(self, answer: Answer, _: int, more: bool) -> list[Event]:
        if answer.code != 354:
            if answer.good:  # neither yes nor no
                answer = Answer(451, (f"[internal] unexpected answer to DATA: {answer.text}",))
            self._decide(self._undecided(), answer.outcome(Stage.AFTER_DATA))
            return self._finish()
        if more:  # an answer to a message that nobody has sent is worth nothing
            return self._end(internal(EARLY_ANSWER, Stage.AFTER_DATA))
        letter = self._letter
        assert letter is not None
        if not self._accepted:  # pipelined DATA after refusals: an empty message ends it
            self._say(END, BODY)
            return []
        recipients = self._accepted if self.settings.protocol == "LMTP" else [-1]
        self._say(as_data(letter.content), BODY, recipients[0])
        for recipient in recipients[1:]:
            self._expected.append((BODY, recipient))
        return []

    def _heard_body(self, answer: Answer, recipient: int, more: bool) -> list[Event]:
        decided = self._undecided() if recipient < 0 else [recipient]
        if not 200 <= answer.code < 600 or 300 <= answer.code < 400:
            answer = Answer(451, (f"[internal] unexpected answer to the message: {answer.text}",))
        self._decide(decided, answer.outcome(Stage.CONFIRMATION))
        return [] if self._expected else self._finish(clean=True)

    # endings

    def _undecided(self) -> list[int]:
        return [number for number, outcome in enumerate(self._outcomes) if outcome is None]

    def _decide(self, recipients: list[int], outcome: Outcome) -> None:
        for number in recipients:
            if self._outcomes[number] is None:
                self._outcomes[number] = outcome

    def _finish(self, clean: bool = False) -> list[Event]:
        self._needs_reset = not clean
        return [self._finished(), *self._idle()]

    def _finished(self) -> Finished:
        outcomes = tuple(outcome for outcome in self._outcomes if outcome is not None)
        self.busy, self._letter, self._outcomes = False, None, []
        return Finished(outcomes)

    def _end(self, outcome: Outcome) -> list[Event]:
        events = super()._end(outcome)
        if not self.busy:
            return events
        self._decide(self._undecided(), outcome)
        return [self._finished(), *events]


HEARD: Mapping[str, Callable[[Conversation, Answer, int, bool], list[Event]]] = {
    "EHLO": Conversation._heard_ehlo,
    "STARTTLS": Conversation._heard_starttls,
    "AUTH": Conversation._heard_auth,
    "XCLIENT": Conversation._heard_xclient,
    RSET: Conversation._heard_rset,
    "MAIL": Conversation._heard_mail,
    "RCPT": Conversation._heard_rcpt,
    "DATA": Conversation._heard_data,
    BODY: Conversation._heard_body,
}


def _written(parameters: Mapping[str, str], names: tuple[str, ...]) -> list[str]:
    found = [(name, parameters.get(name, "")) for name in names]
    return [f"{name}={value}" for name, value in found if is_safe_value(value)]
