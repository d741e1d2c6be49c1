"""What the client says, as scripts: `S:` the host, `C:` us, whole and byte by byte."""

from __future__ import annotations

import pytest

from moonpost.outbound.answers import Fate, Stage
from moonpost.outbound.conversation import Conversation
from moonpost.outbound.letters import (
    ConversationSettings,
    Event,
    Finished,
    Letter,
    Ready,
    StartTls,
    Unusable,
)

D, T, P = Fate.DELIVERED, Fate.DEFERRED, Fate.FAILED
FULL = "250-mx.test\n250-PIPELINING\n250-SIZE 1000\n250-8BITMIME\n250-DSN\n250 SMTPUTF8"
ONE = Letter("a@a.test", ("b@b.test",), b"Subject: hi\r\n\r\nhello\r\n")
THREE = Letter("a@a.test", ("b@b.test", "c@b.test", "d@b.test"), b"hello\r\n")

# name: (settings, host's EHLO answer, letter, dialogue after Ready, outcomes)
SCRIPTS: dict[str, tuple[str, str, Letter, str, list[tuple[Fate, int, Stage]]]] = {
    "one recipient goes in three bursts": (
        "ESMTP", FULL, ONE,
        """C: MAIL FROM:<a@a.test> SIZE=22
           C: RCPT TO:<b@b.test>
           C: DATA
           S: 250 ok
           S: 250 ok
           S: 354 go
           C: Subject: hi
           C:
           C: hello
           C: .
           S: 250 2.0.0 kept as 17""",
        [(D, 250, Stage.CONFIRMATION)],
    ),
    "without PIPELINING every command waits": (
        "ESMTP", "250 mx.test", THREE,
        """C: MAIL FROM:<a@a.test>
           S: 250 ok
           C: RCPT TO:<b@b.test>
           S: 250 ok
           C: RCPT TO:<c@b.test>
           S: 550 5.1.1 who?
           C: RCPT TO:<d@b.test>
           S: 452 4.2.2 full
           C: DATA
           S: 354 go
           C: hello
           C: .
           S: 250 ok""",
        [(D, 250, Stage.CONFIRMATION), (P, 550, Stage.AFTER_RCPT), (T, 452, Stage.AFTER_RCPT)],
    ),
    "a refused sender is everybody's answer, pipelined": (
        "ESMTP", FULL, THREE,
        """C: MAIL FROM:<a@a.test> SIZE=7
           C: RCPT TO:<b@b.test>
           C: RCPT TO:<c@b.test>
           C: RCPT TO:<d@b.test>
           C: DATA
           S: 550 5.7.1 not you
           S: 503 mail first
           S: 503 mail first
           S: 503 mail first
           S: 503 mail first""",
        [(P, 550, Stage.AFTER_MAIL)] * 3,
    ),
    "a refused sender ends it at once, not pipelined": (
        "ESMTP", "250 mx.test", ONE,
        """C: MAIL FROM:<a@a.test>
           S: 450 4.7.1 not now""",
        [(T, 450, Stage.AFTER_MAIL)],
    ),
    "all refused and DATA accepted: an empty message ends it": (
        "ESMTP", FULL, ONE,
        """C: MAIL FROM:<a@a.test> SIZE=22
           C: RCPT TO:<b@b.test>
           C: DATA
           S: 250 ok
           S: 550 no
           S: 354 go
           C: .
           S: 554 no valid recipients""",
        [(P, 550, Stage.AFTER_RCPT)],
    ),
    "DATA refused": (
        "ESMTP", FULL, ONE,
        """C: MAIL FROM:<a@a.test> SIZE=22
           C: RCPT TO:<b@b.test>
           C: DATA
           S: 250 ok
           S: 250 ok
           S: 451 busy""",
        [(T, 451, Stage.AFTER_DATA)],
    ),
    "content refused": (
        "ESMTP", "250 mx.test", ONE,
        """C: MAIL FROM:<a@a.test>
           S: 250 ok
           C: RCPT TO:<b@b.test>
           S: 250 ok
           C: DATA
           S: 354 go
           C: Subject: hi
           C:
           C: hello
           C: .
           S: 554-5.7.1 we think
           S: 554 5.7.1 this is spam""",
        [(P, 554, Stage.CONFIRMATION)],
    ),
    "LMTP answers for each accepted recipient": (
        "LMTP", FULL, THREE,
        """C: MAIL FROM:<a@a.test> SIZE=7
           C: RCPT TO:<b@b.test>
           C: RCPT TO:<c@b.test>
           C: RCPT TO:<d@b.test>
           C: DATA
           S: 250 ok
           S: 250 ok
           S: 550 5.1.1 who?
           S: 250 ok
           S: 354 go
           C: hello
           C: .
           S: 250 2.1.5 kept
           S: 452 4.2.2 full""",
        [(D, 250, Stage.CONFIRMATION), (P, 550, Stage.AFTER_RCPT), (T, 452, Stage.CONFIRMATION)],
    ),
    "parameters are passed on where the host takes them": (
        "ESMTP", FULL,
        Letter(
            "a@a.test", ("b@b.test",), b"x\xe9\r\n", False, {"RET": "HDRS", "ENVID": "a+2B\nb"},
            ({"NOTIFY": "NEVER", "ORCPT": "rfc822;b@old.test"},),
        ),
        """C: MAIL FROM:<a@a.test> SIZE=4 BODY=8BITMIME RET=HDRS
           C: RCPT TO:<b@b.test> NOTIFY=NEVER ORCPT=rfc822;b@old.test
           C: DATA
           S: 250 ok
           S: 250 ok
           S: 354 go
           C: x\xe9
           C: .
           S: 250 ok""",
        [(D, 250, Stage.CONFIRMATION)],
    ),
    "an address that is not ASCII asks for SMTPUTF8": (
        "ESMTP", FULL, Letter("a@a.test", ("b\xc3\xa9@b.test",), b"x\r\n"),
        """C: MAIL FROM:<a@a.test> SIZE=3 SMTPUTF8
           C: RCPT TO:<b\xc3\xa9@b.test>
           C: DATA
           S: 250 ok
           S: 250 ok
           S: 354 go
           C: x
           C: .
           S: 250 ok""",
        [(D, 250, Stage.CONFIRMATION)],
    ),
    "and fails where the host has none": (
        "ESMTP", "250 mx.test", Letter("a@a.test", ("b\xc3\xa9@b.test",), b"x\r\n"), "",
        [(P, 553, Stage.AFTER_MAIL)],
    ),
    "too large for the host is not tried": (
        "ESMTP", FULL, Letter("a@a.test", ("b@b.test",), b"x" * 1001), "",
        [(P, 552, Stage.AFTER_MAIL)],
    ),
    "an address that would smuggle a command is not sent": (
        "ESMTP", "250 mx.test", Letter("a@a.test", ("b@b.test>\r\nRSET", "c@b.test"), b"x\r\n"),
        """C: MAIL FROM:<a@a.test>
           S: 250 ok
           C: RCPT TO:<c@b.test>
           S: 250 ok
           C: DATA
           S: 354 go
           C: x
           C: .
           S: 250 ok""",
        [(P, 553, Stage.AFTER_RCPT), (D, 250, Stage.CONFIRMATION)],
    ),
}  # fmt: skip


def feed(talk: Conversation, data: bytes, bytewise: bool) -> list[Event]:
    if not bytewise:
        return talk.receive(data)
    return [
        event
        for position in range(len(data))
        for event in talk.receive(data[position : position + 1])
    ]


def ready(talk: Conversation, ehlo: str, bytewise: bool = False) -> None:
    assert feed(talk, b"220 mx.test\r\n", bytewise) == []
    assert talk.outgoing() in (b"EHLO me.test\r\n", b"LHLO me.test\r\n")
    assert feed(talk, ehlo.replace("\n", "\r\n").encode() + b"\r\n", bytewise) == [Ready()]
    assert talk.outgoing() == b""


def play(talk: Conversation, letter: Letter, dialogue: str, bytewise: bool) -> list[Event]:
    """Say and hear the lines of a dialogue; whatever either side says together is one burst."""
    events = talk.send(letter)
    said, heard = "", ""
    for line in [*dialogue.splitlines(), ""]:
        who, text = line.strip()[:2], line.strip()[2:].removeprefix(" ") + "\r\n"
        if who != "S:" and heard:
            events += feed(talk, heard.encode("latin-1"), bytewise)
            heard = ""
        if who != "C:" and said:
            assert talk.outgoing().decode("latin-1") == said
            said = ""
        said += text if who == "C:" else ""
        heard += text if who == "S:" else ""
    assert talk.outgoing() == b""
    return events


@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "byte by byte"])
@pytest.mark.parametrize("name", SCRIPTS)
def test_the_script_is_followed(name: str, bytewise: bool) -> None:
    protocol, ehlo, letter, dialogue, expected = SCRIPTS[name]
    talk = Conversation(ConversationSettings("me.test", protocol, announce_8bit=True))
    ready(talk, ehlo, bytewise)
    finished, *rest = play(talk, letter, dialogue, bytewise)
    assert isinstance(finished, Finished)
    assert [(one.fate, one.code, one.stage) for one in finished.outcomes] == expected
    assert rest == [Ready()]
    assert not talk.busy and talk.usable


def test_a_multi_line_answer_is_logged_in_one_line() -> None:
    talk = Conversation(ConversationSettings("me.test"))
    ready(talk, "250 mx.test")
    talk.send(ONE)
    events = talk.receive(b"554-5.7.1 one\r\n554 5.7.1 two\r\n")
    assert isinstance(events[0], Finished)
    assert events[0].outcomes[0].text == "554 5.7.1 one 5.7.1 two"


def test_after_a_failure_the_next_letter_begins_with_rset() -> None:
    talk = Conversation(ConversationSettings("me.test"))
    ready(talk, FULL)
    play(talk, ONE, SCRIPTS["DATA refused"][3], False)
    talk.send(ONE)
    assert (
        talk.outgoing() == b"RSET\r\nMAIL FROM:<a@a.test> SIZE=22\r\nRCPT TO:<b@b.test>\r\nDATA\r\n"
    )
    assert talk.stage is Stage.AFTER_RSET
    assert talk.receive(b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n") == []


def test_without_pipelining_rset_waits_too() -> None:
    talk = Conversation(ConversationSettings("me.test"))
    ready(talk, "250 mx.test")
    play(talk, ONE, SCRIPTS["a refused sender ends it at once, not pipelined"][3], False)
    talk.send(ONE)
    assert talk.outgoing() == b"RSET\r\n"
    talk.receive(b"250 ok\r\n")
    assert talk.outgoing() == b"MAIL FROM:<a@a.test>\r\n"


@pytest.mark.parametrize(
    ("heard", "stage", "unsent_stage"),
    [
        (b"", Stage.AFTER_MAIL, Stage.DURING_MAIL),
        (b"250 ok\r\n", Stage.AFTER_RCPT, Stage.DURING_RCPT),
        (b"250 ok\r\n250 ok\r\n", Stage.AFTER_DATA, Stage.DURING_DATA),
        (b"250 ok\r\n250 ok\r\n354 go\r\n", Stage.CONFIRMATION, Stage.SENDING_BODY),
    ],
)
def test_a_lost_connection_defers_at_the_stage_it_had_reached(
    heard: bytes, stage: Stage, unsent_stage: Stage
) -> None:
    for unsent in (False, True):
        talk = Conversation(ConversationSettings("me.test"))
        ready(talk, FULL)
        talk.send(ONE)
        talk.receive(heard)
        finished, unusable = talk.lose("421 4.4.2 [internal] lost", unsent)
        assert isinstance(finished, Finished) and isinstance(unusable, Unusable)
        assert finished.outcomes[0].stage == (unsent_stage if unsent else stage)
        assert finished.outcomes[0].fate is T
        assert talk.lose("again") == []


def test_a_421_ends_the_connection_and_keeps_what_was_decided() -> None:
    talk = Conversation(ConversationSettings("me.test"))
    ready(talk, FULL)
    talk.send(THREE)
    events = talk.receive(b"250 ok\r\n550 who\r\n250 ok\r\n421 closing\r\n")
    assert isinstance(events[0], Finished)
    assert [one.code for one in events[0].outcomes] == [550, 421, 421]
    assert isinstance(events[1], Unusable) and not talk.usable


@pytest.mark.parametrize(
    "banner", [b"554 no service\r\n", b"421 busy\r\n", b"hello\r\n", b"250 hm\r\n"]
)
def test_a_bad_banner_is_no_verdict_on_the_mail(banner: bytes) -> None:
    (event,) = Conversation(ConversationSettings()).receive(banner)
    assert isinstance(event, Unusable)
    assert event.outcome.fate is T and event.outcome.stage is Stage.BANNER


def test_ehlo_falls_back_to_helo() -> None:
    talk = Conversation(ConversationSettings("me.test"))
    talk.receive(b"220 old.test\r\n")
    talk.outgoing()
    talk.receive(b"502 what?\r\n")
    assert talk.outgoing() == b"HELO me.test\r\n"
    assert talk.receive(b"250-old.test\r\n250 PIPELINING\r\n") == [Ready()]
    assert talk.extensions == {}


@pytest.mark.parametrize("rubbish", [b"\x00\r\n", b"abc\r\n", b"250", b"99 x\r\n", b"250*x\r\n"])
def test_rubbish_is_a_breach_and_defers(rubbish: bytes) -> None:
    talk = Conversation(ConversationSettings("me.test"))
    ready(talk, FULL)
    talk.send(ONE)
    events = talk.receive(rubbish + b"x" * 5000)
    assert isinstance(events[0], Finished) and events[0].outcomes[0].fate is T
    assert isinstance(events[1], Unusable)


def test_tls_is_taken_when_offered_and_what_was_said_before_is_forgotten() -> None:
    talk = Conversation(ConversationSettings("me.test", tls="ifavailable"))
    talk.receive(b"220 mx\r\n")
    talk.receive(b"250-mx\r\n250-PIPELINING\r\n250 STARTTLS\r\n")
    assert talk.outgoing().endswith(b"STARTTLS\r\n")
    assert talk.receive(b"220 go\r\n") == [StartTls()]
    talk.tls_started()
    assert talk.outgoing() == b"EHLO me.test\r\n"
    assert talk.receive(b"250 mx\r\n") == [Ready()]
    assert talk.extensions == {}


def test_text_sent_before_the_handshake_ends_the_connection() -> None:
    talk = Conversation(ConversationSettings("me.test", tls="ifavailable"))
    talk.receive(b"220 mx\r\n")
    talk.receive(b"250-mx\r\n250 STARTTLS\r\n")
    (event,) = talk.receive(b"220 go\r\n250 injected\r\n")
    assert isinstance(event, Unusable)


@pytest.mark.parametrize(("tls", "usable"), [("ifavailable", True), ("required", False)])
@pytest.mark.parametrize("heard", [b"250 mx\r\n", b"250-mx\r\n250 STARTTLS\r\n454 no\r\n"])
def test_without_tls_mail_goes_only_if_it_may(tls: str, usable: bool, heard: bytes) -> None:
    talk = Conversation(ConversationSettings("me.test", tls=tls))
    talk.receive(b"220 mx\r\n")
    (event,) = talk.receive(heard)
    assert isinstance(event, Ready if usable else Unusable)
    assert talk.usable is usable


def test_a_goodbye_while_idle_is_noticed() -> None:
    talk = Conversation(ConversationSettings("me.test"))
    ready(talk, FULL)
    (event,) = talk.receive(b"421 idle too long\r\n")
    assert isinstance(event, Unusable)
