"""The client's side of SMTP and LMTP, without a socket.

Replies in as bytes, commands out as bytes, events for the driver: `connection.py` moves the bytes and keeps the time.
Commands are pipelined when the host offers it (RFC 2920). Every recipient of a transaction gets exactly one outcome,
whatever happens to the connection.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from moonpost.outbound.answers import (
    UNSENT,
    Answer,
    AnswerReader,
    Broken,
    Fate,
    Outcome,
    Stage,
)
from moonpost.outbound.letters import (
    NO,
    REQUIRED,
    ConversationSettings,
    Event,
    Finished,
    Letter,
    Ready,
    StartTls,
    Unusable,
)
from moonpost.outbound.wire import END, as_data, is_safe_address, is_safe_value

EHLO_UNKNOWN = {500, 501, 502, 504, 550}  # answers of hosts that only know HELO
BODY, RSET = "BODY", "RSET"


TIMEOUTS = {  # waiting for -> the option that limits it
    Stage.BANNER: "ehlo_timeout",
    Stage.AFTER_EHLO: "ehlo_timeout",
    Stage.AFTER_STARTTLS: "ehlo_timeout",
    Stage.TLS_HANDSHAKE: "ehlo_timeout",
    Stage.AFTER_MAIL: "mailfrom_timeout",
    Stage.AFTER_RCPT: "rcptto_timeout",
    Stage.AFTER_DATA: "body_timeout",
    Stage.CONFIRMATION: "body_timeout",
    Stage.AFTER_RSET: "rset_timeout",
    Stage.IDLE: "idle_timeout",
}


class Conversation:
    """One connection's worth of SMTP."""

    def __init__(self, settings: ConversationSettings) -> None:
        self.settings = settings
        self.stage = Stage.BANNER
        self.extensions: dict[str, str] = {}
        self.tls_active = False
        self.usable = True
        self.busy = False  # a letter is under way
        self._reader = AnswerReader()
        self._out: list[bytes] = []
        self._expected: deque[tuple[str, int]] = deque()  # (command, recipient) we wait for
        self._letter: Letter | None = None
        self._outcomes: list[Outcome | None] = []
        self._accepted: list[int] = []
        self._needs_reset = False
        self._helo = settings.protocol == "SMTP"

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

    def tls_started(self) -> None:
        """The handshake is done; what the host offered before does not count any more."""
        self.tls_active = True
        self.extensions = {}
        self._greet()

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
            if not self._pipelining:
                return []
        self._say_mail()
        return []

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

    def _say(self, line: bytes, command: str, recipient: int = -1) -> None:
        self._out.append(line)
        self._expected.append((command, recipient))
        if len(self._expected) == 1:
            self._set_stage()

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

    def _greet(self) -> None:
        verb = {"LMTP": "LHLO"}.get(self.settings.protocol, "HELO" if self._helo else "EHLO")
        self._say(f"{verb} {self.settings.hostname}\r\n".encode("latin-1"), "EHLO")

    # hearing

    def _set_stage(self) -> None:
        if self._expected:
            self.stage = WAITING_FOR[self._expected[0][0]]

    def _answer(self, answer: Answer, more: bool) -> list[Event]:
        if self.stage is Stage.BANNER:
            if answer.code != 220:
                return self._end(_not_now(answer, Stage.BANNER))
            self._greet()
            return []
        if not self._expected:
            # A host may say 421 at any time; anything else unasked is a breach.
            return self._end(_not_now(answer, self.stage))
        command, recipient = self._expected.popleft()
        stage = WAITING_FOR[command]
        self._set_stage()
        if answer.code == 421:
            return self._end(Outcome(Fate.DEFERRED, 421, answer.text, stage))
        return HEARD[command](self, answer, recipient, more)

    def _heard_ehlo(self, answer: Answer, _: int, more: bool) -> list[Event]:
        if not answer.good:
            if answer.code in EHLO_UNKNOWN and not self._helo and self.settings.protocol != "LMTP":
                self._helo = True
                self._greet()
                return []
            return self._end(_not_now(answer, Stage.AFTER_EHLO))
        self.extensions = {}
        if not self._helo:
            for line in answer.lines[1:]:
                name, _space, value = line.partition(" ")
                self.extensions[name.upper()] = value.strip()
        if self.settings.tls == NO or self.tls_active:
            return self._idle()
        if "STARTTLS" in self.extensions:
            self._say(b"STARTTLS\r\n", "STARTTLS")
            return []
        if self.settings.tls == REQUIRED:
            return self._end(
                Outcome(
                    Fate.DEFERRED,
                    454,
                    "454 4.7.5 [internal] TLS is required and the receiving host does not offer it",
                    Stage.AFTER_EHLO,
                )
            )
        return self._idle()

    def _heard_starttls(self, answer: Answer, _: int, more: bool) -> list[Event]:
        if answer.code == 220:
            if more:  # text sent in the clear must not be taken for text sent inside TLS
                return self._end(
                    Outcome(
                        Fate.DEFERRED,
                        421,
                        "421 4.7.5 [internal] the receiving host sent text before the TLS handshake",
                        Stage.AFTER_STARTTLS,
                    )
                )
            self.stage = Stage.TLS_HANDSHAKE
            return [StartTls()]
        if self.settings.tls == REQUIRED:
            return self._end(_not_now(answer, Stage.AFTER_STARTTLS))
        return self._idle()

    def _heard_rset(self, answer: Answer, _: int, more: bool) -> list[Event]:
        if not answer.good:
            return self._end(_not_now(answer, Stage.AFTER_RSET))
        if not self._expected:
            self._say_mail()
        return []

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

    def _idle(self) -> list[Event]:
        self.stage = Stage.IDLE
        return [Ready()]

    def _end(self, outcome: Outcome) -> list[Event]:
        self.usable = False
        self._expected.clear()
        if not self.busy:
            return [Unusable(outcome)]
        self._decide(self._undecided(), outcome)
        return [self._finished(), Unusable(outcome)]


WAITING_FOR = {
    "EHLO": Stage.AFTER_EHLO,
    "STARTTLS": Stage.AFTER_STARTTLS,
    RSET: Stage.AFTER_RSET,
    "MAIL": Stage.AFTER_MAIL,
    "RCPT": Stage.AFTER_RCPT,
    "DATA": Stage.AFTER_DATA,
    BODY: Stage.CONFIRMATION,
}

HEARD = {
    "EHLO": Conversation._heard_ehlo,
    "STARTTLS": Conversation._heard_starttls,
    RSET: Conversation._heard_rset,
    "MAIL": Conversation._heard_mail,
    "RCPT": Conversation._heard_rcpt,
    "DATA": Conversation._heard_data,
    BODY: Conversation._heard_body,
}


def _not_now(answer: Answer, stage: Stage) -> Outcome:
    """A refusal of the connection, not of the mail: another host or another time may take it."""
    return Outcome(Fate.DEFERRED, answer.code, answer.text, stage)


def _written(parameters: Mapping[str, str], names: tuple[str, ...]) -> list[str]:
    found = [(name, parameters.get(name, "")) for name in names]
    return [f"{name}={value}" for name, value in found if is_safe_value(value)]
