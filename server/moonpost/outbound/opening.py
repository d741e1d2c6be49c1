"""The first part of a conversation with a receiving host: from its banner until a letter can be sent.

EHLO (or HELO, LHLO), STARTTLS, AUTH, in this order, and XCLIENT before a letter of another client. Replies in, commands
out, no socket and no clock. What a letter says is `conversation`'s business.
"""

from __future__ import annotations

from collections import deque

from moonpost.outbound import auth
from moonpost.outbound.answers import Answer, Fate, Outcome, Stage
from moonpost.outbound.letters import (
    NO,
    REQUIRED,
    ConversationSettings,
    Event,
    Ready,
    StartTls,
    Unusable,
)

EHLO_UNKNOWN = {500, 501, 502, 504, 550}  # answers of hosts that only know HELO

TIMEOUTS = {  # waiting for -> the option that limits it
    Stage.BANNER: "ehlo_timeout",
    Stage.AFTER_EHLO: "ehlo_timeout",
    Stage.AFTER_STARTTLS: "ehlo_timeout",
    Stage.TLS_HANDSHAKE: "ehlo_timeout",
    Stage.AFTER_XCLIENT: "ehlo_timeout",
    Stage.AFTER_MAIL: "mailfrom_timeout",
    Stage.AFTER_RCPT: "rcptto_timeout",
    Stage.AFTER_DATA: "body_timeout",
    Stage.CONFIRMATION: "body_timeout",
    Stage.AFTER_RSET: "rset_timeout",
    Stage.IDLE: "idle_timeout",
}

WAITING_FOR = {
    "EHLO": Stage.AFTER_EHLO,
    "STARTTLS": Stage.AFTER_STARTTLS,
    "AUTH": Stage.AFTER_EHLO,  # Momentum's stages have none for it
    "XCLIENT": Stage.AFTER_XCLIENT,
    "RSET": Stage.AFTER_RSET,
    "MAIL": Stage.AFTER_MAIL,
    "RCPT": Stage.AFTER_RCPT,
    "DATA": Stage.AFTER_DATA,
    "BODY": Stage.CONFIRMATION,
}

NO_TLS = "451 4.7.6 [internal] STARTTLS required but not advertised"
NO_GO_AHEAD = "451 4.7.5 [internal] no tls go-ahead"
EARLY_TEXT = "451 4.7.5 [internal] TLS negotiation failed: the host sent text before the handshake"
NO_LOGIN = "451 4.7.6 [internal] AUTH configured but the host offers no mechanism for it"
UNSAYABLE = "451 4.7.6 [internal] AUTH configured with a NUL in user or password"


class Opening:
    """What one connection has come to know, and the steps up to its first letter."""

    def __init__(self, settings: ConversationSettings) -> None:
        self.settings = settings
        self.stage = Stage.BANNER
        self.extensions: dict[str, str] = {}
        self.tls_active = False
        self.logged_in = False
        self.usable = True
        self._out: list[bytes] = []
        self._expected: deque[tuple[str, int]] = deque()  # (command, recipient) we wait for
        self._helo = settings.protocol == "SMTP"
        self._mechanism, self._step = "", 0

    def tls_started(self) -> None:
        """The handshake is done; what the host offered before does not count any more."""
        self.tls_active = True
        self.extensions = {}
        self._greet()

    def _say(self, line: bytes, command: str, recipient: int = -1) -> None:
        self._out.append(line)
        self._expected.append((command, recipient))
        if len(self._expected) == 1:
            self._set_stage()

    def _set_stage(self) -> None:
        if self._expected:
            self.stage = WAITING_FOR[self._expected[0][0]]

    def _greet(self) -> None:
        verb = {"LMTP": "LHLO"}.get(self.settings.protocol, "HELO" if self._helo else "EHLO")
        self._say(f"{verb} {self.settings.hostname}\r\n".encode("latin-1"), "EHLO")

    def _heard_banner(self, answer: Answer) -> list[Event]:
        if answer.code != 220:
            return self._end(not_now(answer, Stage.BANNER))
        self._greet()
        return []

    def _heard_ehlo(self, answer: Answer, _: int, more: bool) -> list[Event]:
        if not answer.good:
            if answer.code in EHLO_UNKNOWN and not self._helo and self.settings.protocol != "LMTP":
                self._helo = True
                self._greet()
                return []
            return self._end(not_now(answer, Stage.AFTER_EHLO))
        self.extensions = {}
        if not self._helo:
            for line in answer.lines[1:]:
                name, _space, value = line.partition(" ")
                self.extensions[name.upper()] = value.strip()
        if self.settings.tls == NO or self.tls_active:
            return self._log_in()
        if "STARTTLS" in self.extensions:
            self._say(b"STARTTLS\r\n", "STARTTLS")
            return []
        if self.settings.tls == REQUIRED:
            return self._end(internal(NO_TLS, Stage.AFTER_EHLO))
        return self._log_in()

    def _heard_starttls(self, answer: Answer, _: int, more: bool) -> list[Event]:
        if answer.code == 220:
            if more:  # text sent in the clear must not be taken for text sent inside TLS
                return self._end(internal(EARLY_TEXT, Stage.AFTER_STARTTLS))
            self.stage = Stage.TLS_HANDSHAKE
            return [StartTls()]
        if self.settings.tls == REQUIRED:
            return self._end(internal(f"{NO_GO_AHEAD}: {answer.text}", Stage.AFTER_STARTTLS))
        return self._log_in()

    # AUTH

    def _log_in(self) -> list[Event]:
        who = self.settings.credentials
        if who is None or self.logged_in:
            return self._opened()
        if not who.usable:
            return self._end(internal(UNSAYABLE, Stage.AFTER_EHLO))
        self._mechanism = auth.choose(who, self.extensions.get("AUTH", ""))
        if not self._mechanism:
            return self._end(internal(NO_LOGIN, Stage.AFTER_EHLO))
        self._step = 0
        self._say(auth.command(who, self._mechanism) + b"\r\n", "AUTH")
        return []

    def _heard_auth(self, answer: Answer, _: int, more: bool) -> list[Event]:
        who = self.settings.credentials
        assert who is not None
        if answer.code == 235:
            self.logged_in = True
            return self._opened()
        if answer.code != 334:  # a wrong password says nothing about the mail: it waits
            return self._end(not_now(answer, Stage.AFTER_EHLO))
        said = auth.respond(who, self._mechanism, self._step, answer.lines[-1])
        self._step += 1
        self._say(said + b"\r\n", "AUTH")
        return []

    # endings

    def _opened(self) -> list[Event]:
        """Nothing is left to do before a letter."""
        return self._idle()

    def _idle(self) -> list[Event]:
        self.stage = Stage.IDLE
        return [Ready()]

    def _end(self, outcome: Outcome) -> list[Event]:
        self.usable = False
        self._expected.clear()
        return [Unusable(outcome)]


def not_now(answer: Answer, stage: Stage) -> Outcome:
    """A refusal of the connection, not of the mail: another host or another time may take it."""
    return Outcome(Fate.DEFERRED, answer.code, answer.text, stage)


def internal(text: str, stage: Stage) -> Outcome:
    """Our own words for what is wrong with the connection; its mail waits."""
    return Outcome(Fate.DEFERRED, int(text[:3]), text, stage)
