"""Logging in to a receiving host: what is said, by the examples of the RFCs, and what a refusal means."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest

from moonpost.outbound.answers import Fate, Stage
from moonpost.outbound.auth import Credentials, choose, command, respond
from moonpost.outbound.conversation import Conversation
from moonpost.outbound.letters import ConversationSettings, Event, Letter, Ready, Unusable

TIM = Credentials("tim", "tanstaaftanstaaf")


def test_plain_is_as_in_rfc_4616() -> None:
    who = Credentials("test", "test1234")
    assert command(who, "PLAIN") == b"AUTH PLAIN AHRlc3QAdGVzdDEyMzQ="


def test_cram_md5_is_as_in_rfc_2195() -> None:
    challenge = b64encode(b"<1896.697170952@postoffice.reston.mci.net>").decode()
    assert command(TIM, "CRAM-MD5") == b"AUTH CRAM-MD5"
    said = b64decode(respond(TIM, "CRAM-MD5", 0, challenge))
    assert said == b"tim b913a602c7eda7a495b4e6e7334d3890"


def test_login_asks_for_one_after_the_other() -> None:
    assert command(TIM, "LOGIN") == b"AUTH LOGIN"
    assert b64decode(respond(TIM, "LOGIN", 0, "VXNlcm5hbWU6")) == b"tim"
    assert b64decode(respond(TIM, "LOGIN", 1, "UGFzc3dvcmQ6")) == b"tanstaaftanstaaf"
    assert respond(TIM, "LOGIN", 2, "") == b"*"


def test_a_token_goes_as_a_bearer() -> None:
    who = Credentials("someuser@example.com", "ya29.vF9dft4", "XOAUTH2")
    said = command(who, "XOAUTH2").removeprefix(b"AUTH XOAUTH2 ")
    assert b64decode(said) == b"user=someuser@example.com\x01auth=Bearer ya29.vF9dft4\x01\x01"


@pytest.mark.parametrize("challenge", ["not base64!", "\xff"])
def test_a_challenge_that_is_none_ends_the_exchange(challenge: str) -> None:
    assert respond(TIM, "CRAM-MD5", 0, challenge) == b"*"


@pytest.mark.parametrize(
    ("wanted", "offered", "taken"),
    [
        ("", "PLAIN LOGIN CRAM-MD5", "CRAM-MD5"),
        ("", "login plain", "PLAIN"),
        ("", "XOAUTH2 GSSAPI", ""),
        ("LOGIN", "PLAIN LOGIN", "LOGIN"),
        ("LOGIN", "PLAIN", ""),
        ("XOAUTH2", "PLAIN XOAUTH2", "XOAUTH2"),
        ("", "", ""),
    ],
)
def test_the_best_mechanism_that_both_know(wanted: str, offered: str, taken: str) -> None:
    assert choose(Credentials("u", "p", wanted), offered) == taken


def test_a_password_is_not_shown() -> None:
    assert "tanstaaf" not in repr(TIM)


def opened(who: Credentials, offered: str = "PLAIN", tls: str = "no") -> Conversation:
    talk = Conversation(ConversationSettings("me.test", tls=tls, credentials=who))
    talk.receive(b"220 mx.test\r\n")
    talk.outgoing()
    talk.receive(f"250-mx.test\r\n250 AUTH {offered}\r\n".encode())
    return talk


def test_letters_come_after_the_login() -> None:
    talk = opened(TIM, "CRAM-MD5")
    assert talk.outgoing() == b"AUTH CRAM-MD5\r\n"
    assert talk.receive(b"334 " + b64encode(b"<1@x>") + b"\r\n") == []
    assert b64decode(talk.outgoing()).startswith(b"tim ")
    assert talk.receive(b"235 2.7.0 welcome\r\n") == [Ready()]
    assert talk.logged_in and talk.outgoing() == b""


@pytest.mark.parametrize("answer", ["535 5.7.8 wrong", "454 4.7.0 not now", "500 what?", "250 ok"])
def test_a_refused_login_says_nothing_about_the_mail(answer: str) -> None:
    (event,) = opened(TIM).receive(answer.encode() + b"\r\n")
    refused(event, answer)


def test_a_host_without_a_login_gets_no_mail_without_one() -> None:
    talk = Conversation(ConversationSettings("me.test", credentials=TIM))
    talk.receive(b"220 mx.test\r\n")
    (event,) = talk.receive(b"250 mx.test\r\n")
    refused(event, "451 4.7.6 [internal] AUTH")


def test_a_nul_cannot_be_said() -> None:
    talk = Conversation(ConversationSettings("me.test", credentials=Credentials("a\0b", "c")))
    talk.receive(b"220 mx.test\r\n")
    (event,) = talk.receive(b"250-mx.test\r\n250 AUTH PLAIN\r\n")
    refused(event, "451 4.7.6 [internal] AUTH")


def refused(event: Event, begins: str) -> None:
    assert isinstance(event, Unusable)
    assert event.outcome.fate is Fate.DEFERRED and event.outcome.stage is Stage.AFTER_EHLO
    assert event.outcome.text.startswith(begins)


def test_a_host_that_asks_without_end_is_told_to_stop() -> None:
    talk = opened(TIM, "LOGIN")
    for _ in range(3):
        assert talk.receive(b"334 \r\n") == []
    assert talk.outgoing().endswith(b"\r\n*\r\n")
    (event,) = talk.receive(b"501 cancelled\r\n")
    assert isinstance(event, Unusable)


def test_the_login_comes_after_tls() -> None:
    talk = Conversation(ConversationSettings("me.test", tls="required", credentials=TIM))
    talk.receive(b"220 mx\r\n")
    talk.receive(b"250-mx\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n")
    assert b"AUTH" not in talk.outgoing()
    talk.receive(b"220 go\r\n")
    talk.tls_started()
    talk.outgoing()
    talk.receive(b"250-mx\r\n250 AUTH PLAIN\r\n")
    assert talk.outgoing().startswith(b"AUTH PLAIN ")


# XCLIENT: the other thing said before a letter

ANN = {"ADDR": "192.0.2.1", "HELO": "ann's pc", "LOGIN": "[UNAVAILABLE]", "NAME": "x"}
OFFER = b"250-mx.test\r\n250-PIPELINING\r\n250 XCLIENT ADDR HELO LOGIN PROTO\r\n"


def introducing(mode: str, ehlo: bytes = OFFER) -> Conversation:
    talk = Conversation(ConversationSettings("me.test", xclient=mode))
    talk.receive(b"220 mx.test\r\n")
    assert talk.receive(ehlo) == [Ready()]
    talk.outgoing()
    return talk


def letter(**client: str) -> Letter:
    return Letter("a@a.test", ("b@b.test",), b"hi\r\n", client=client)


def test_the_host_is_told_who_sent_a_letter() -> None:
    talk = introducing("required")
    talk.send(letter(**ANN))
    assert talk.outgoing() == b"XCLIENT ADDR=192.0.2.1 HELO=ann's+20pc LOGIN=[UNAVAILABLE]\r\n"
    assert talk.stage is Stage.AFTER_XCLIENT
    talk.receive(b"220 mx.test again\r\n")
    assert talk.outgoing() == b"EHLO me.test\r\n"
    assert talk.receive(OFFER) == []
    assert talk.outgoing().startswith(b"MAIL FROM:<a@a.test>\r\nRCPT TO:")
    talk.receive(b"250 ok\r\n250 ok\r\n354 go\r\n")
    talk.outgoing()
    talk.receive(b"250 kept\r\n")
    talk.send(letter(**ANN))
    assert talk.outgoing().startswith(b"MAIL FROM:"), "nobody needs to be told twice"


def test_after_a_failed_letter_rset_comes_before_xclient() -> None:
    talk = introducing("ifavailable")
    talk.send(letter())
    talk.outgoing()
    talk.receive(b"250 ok\r\n550 no\r\n554 no\r\n")
    talk.send(letter(**ANN))
    assert talk.outgoing() == b"RSET\r\n"
    talk.receive(b"250 ok\r\n")
    assert talk.outgoing().startswith(b"XCLIENT ")


@pytest.mark.parametrize("refusal", [b"550 not you\r\n", b"501 bad\r\n", b"250 hm\r\n"])
def test_a_refused_xclient_matters_where_it_is_required(refusal: bytes) -> None:
    talk = introducing("ifavailable")
    talk.send(letter(**ANN))
    talk.outgoing()
    assert talk.receive(refusal) == []
    assert talk.outgoing().startswith(b"MAIL FROM:")
    talk = introducing("required")
    talk.send(letter(**ANN))
    finished, ready = talk.receive(refusal)
    assert finished.outcomes[0].fate is Fate.DEFERRED  # type: ignore[union-attr]
    assert finished.outcomes[0].stage is Stage.AFTER_XCLIENT  # type: ignore[union-attr]
    assert ready == Ready()


def test_a_host_without_xclient_matters_where_it_is_required() -> None:
    talk = introducing("ifavailable", b"250 mx.test\r\n")
    talk.send(letter(**ANN))
    assert talk.outgoing().startswith(b"MAIL FROM:")
    talk = introducing("required", b"250 mx.test\r\n")
    finished, _ = talk.send(letter(**ANN))
    assert finished.outcomes[0].text.startswith("451 4.7.6 [internal] XCLIENT")  # type: ignore[union-attr]


def test_a_login_is_repeated_after_xclient() -> None:
    talk = Conversation(ConversationSettings("me.test", credentials=TIM, xclient="required"))
    offer = OFFER.replace(b"PIPELINING", b"AUTH PLAIN")
    talk.receive(b"220 mx.test\r\n")
    talk.receive(offer)
    talk.receive(b"235 in\r\n")
    talk.outgoing()
    talk.send(letter(**ANN))
    talk.receive(b"220 again\r\n")
    talk.outgoing()
    assert talk.receive(offer) == []
    assert talk.outgoing().startswith(b"AUTH PLAIN ")
    assert talk.receive(b"235 in\r\n") == []
    assert talk.outgoing().startswith(b"MAIL FROM:")
