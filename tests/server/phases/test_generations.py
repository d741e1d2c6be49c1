"""A transaction belongs to one generation of policy; a session moves on between two."""

from __future__ import annotations

from testkit.fake_policy import FakeGeneration
from testkit.smtp_players import PurePlayer
from testkit.smtp_scripts import Script


def player(*options: str) -> PurePlayer:
    play = PurePlayer(Script("", "", [("set", text, 0) for text in options]))
    play.drive(play.machine.connected(play.now))
    play.next_line()
    return play


def swap(play: PurePlayer) -> tuple[FakeGeneration, FakeGeneration]:
    """A new generation becomes current, which words every acceptance of a recipient."""
    old, new = play.policy.generation, FakeGeneration(2)
    new.on("validate_rcptto", lambda msg, text, accept, vctx: vctx.set_code(250, "new"))
    play.policy.generation = new
    return old, new


def say(play: PurePlayer, line: str) -> str:
    play.feed(line.encode() + b"\r\n")
    return play.next_line()


def test_a_transaction_stays_on_its_generation() -> None:
    play = player()
    say(play, "MAIL FROM:<ann@client.test>")
    old, new = swap(play)
    assert say(play, "RCPT TO:<bob@example.test>") == "250 2.1.5 recipient ok"
    say(play, "DATA")
    assert say(play, ".").startswith("250 2.0.0")
    assert (old.users, new.users) == (1, 0)
    say(play, "MAIL FROM:<ann@client.test>")
    assert (old.users, new.users) == (0, 1)
    assert say(play, "RCPT TO:<bob@example.test>") == "250 new"
    play.drive(play.machine.ended(play.now))
    assert new.users == 0


def test_context_and_greeting_go_along() -> None:
    play = player()
    say(play, "HELO client.test")
    play.machine.state.vctx.conn["mine"] = "1"
    swap(play)
    say(play, "MAIL FROM:<ann@client.test>")
    assert play.machine.state.vctx.conn["mine"] == "1"
    assert play.machine.state.helo == "client.test"


def test_a_reconfig_message_ends_the_session_instead() -> None:
    play = player("reconfig_message=4.3.2 Reconfiguration in progress")
    say(play, "MAIL FROM:<ann@client.test>")
    swap(play)
    assert say(play, "RCPT TO:<bob@example.test>") == "250 2.1.5 recipient ok"
    assert say(play, "RSET") == "421 4.3.2 Reconfiguration in progress"
    assert play.closed

    play = player("reconfig_message=4.3.2 Reconfiguration in progress")
    swap(play)
    assert say(play, "MAIL FROM:<ann@client.test>") == "421 4.3.2 Reconfiguration in progress"
    assert play.closed
