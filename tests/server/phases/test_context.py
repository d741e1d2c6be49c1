"""What policy finds in the contexts at each moment, and what travels with a copy."""

from __future__ import annotations

from typing import Any

from testkit.smtp_players import PurePlayer
from testkit.smtp_scripts import Script

SAID = [
    "EHLO client.test",
    "MAIL FROM:<ann@client.test> SIZE=9",
    "RCPT TO:<bob@example.test>",
    "RCPT TO:<carol@example.test>",
    "DATA",
    ".",
]


def player(**options: str) -> PurePlayer:
    lines = [("set", f"{name}={value}", 0) for name, value in options.items()]
    return PurePlayer(Script("", "", lines))


def say(play: PurePlayer, *lines: str) -> None:
    for line in lines:
        play.feed(line.encode("latin-1") + b"\r\n")


def start(play: PurePlayer) -> None:
    play.drive(play.machine.connected(play.now))


def test_keys_at_each_moment() -> None:
    seen: dict[str, list[tuple[dict[str, str], dict[str, str]]]] = {}
    play = player(relay_hosts="192.0.2.0/24")

    def look(name: str) -> Any:
        def function(*args: Any) -> int:
            vctx = play.machine.state.vctx
            seen.setdefault(name, []).append((dict(vctx.conn), dict(vctx.mess)))
            return 0

        return function

    moments = [
        "validate_connect",
        "validate_ehlo",
        "validate_mailfrom",
        "validate_rcptto",
        "validate_data",
        "validate_data_spool_each_rcpt",
    ]
    for name in moments:
        play.policy.generation.on(name, look(name))
    play = _restart(play)
    start(play)
    say(play, *SAID)

    conn, mess = seen["validate_connect"][0]
    assert conn == {"pathway": "default", "can_relay": "true"}
    conn, mess = seen["validate_ehlo"][0]
    assert conn["ehlo_string"] == "EHLO client.test"
    assert conn["ehlo_domain"] == "client.test"
    conn, mess = seen["validate_mailfrom"][0]
    assert conn["connection_message_count"] == "1"
    assert mess == {
        "mailfrom_string": "MAIL FROM:<ann@client.test> SIZE=9",
        "mailfrom_localpart": "ann",
        "mailfrom_domain": "client.test",
    }
    conn, mess = seen["validate_rcptto"][1]
    assert (conn["connection_rcpt_count"], conn["message_rcpt_count"]) == ("2", "2")
    assert mess["rcptto_string"] == "RCPT TO:<carol@example.test>"
    assert (mess["rcptto_localpart"], mess["rcptto_domain"]) == ("carol", "example.test")
    copies = [mess["rcptto_localpart"] for _, mess in seen["validate_data_spool_each_rcpt"]]
    assert copies == ["bob", "carol"]
    first, second = play.kept.messages
    assert first.mess["rcptto_string"] == "RCPT TO:<bob@example.test>"
    assert second.mess["mailfrom_domain"] == "client.test"
    assert first.mess is not second.mess


def _restart(play: PurePlayer) -> PurePlayer:
    """The same player on a session that sees what was registered meanwhile."""
    session = play.machine.state
    session.use(play.policy.generation)
    return play


def test_message_keys_are_emptied_before_the_next_mail() -> None:
    play = player()
    start(play)
    say(play, "MAIL FROM:<ann@client.test>")
    play.machine.state.vctx.mess["mine"] = "1"
    say(play, "RSET", "MAIL FROM:<>")
    assert play.machine.state.vctx.mess == {
        "mailfrom_string": "MAIL FROM:<>",
        "mailfrom_localpart": "",
        "mailfrom_domain": "",
    }


def test_configured_context_is_there_from_the_start() -> None:
    play = player()
    assert play.machine.state.vctx.conn["pathway"] == "default"


def test_what_is_kept_does_not_change_with_the_session() -> None:
    play = player()
    start(play)
    say(play, *SAID[:3], "DATA", ".")
    before = dict(play.kept.messages[0].conn)
    say(play, "MAIL FROM:<dora@client.test>", "RCPT TO:<bob@example.test>")
    assert play.kept.messages[0].conn == before
    assert play.kept.messages[0].mess["mailfrom_localpart"] == "ann"


def test_during_rcptto_the_message_is_for_the_recipient_being_added() -> None:
    play = player()
    seen = []

    def look(message: Any, text: Any, accept: Any, vctx: Any) -> int:
        construct = accept.message_construct()
        seen.append(
            (message.rcptto(), str(text), construct.message is message, construct.ctx is vctx)
        )
        return 0

    play.policy.generation.on("validate_rcptto", look)
    play = _restart(play)
    start(play)
    say(play, *SAID)
    assert seen == [
        ("bob@example.test", "RCPT TO:<bob@example.test>\r\n", True, True),
        ("carol@example.test", "RCPT TO:<carol@example.test>\r\n", True, True),
    ]


def test_a_recipient_rewritten_on_its_copy_is_the_one_kept() -> None:
    play = player()

    def rewrite(message: Any, accept: Any, vctx: Any) -> int:
        message.recipient = "archive@example.test"
        return 0

    play.policy.generation.on("validate_data_spool_each_rcpt", rewrite)
    play = _restart(play)
    start(play)
    say(play, *SAID[:3], "DATA", ".")
    (copy,) = play.kept.messages
    assert copy.recipient == "archive@example.test"
    assert copy.mess["rcptto_localpart"] == "bob"


def test_a_hook_can_write_the_trace_header() -> None:
    play = player()

    def write(message: Any, mc: Any, accept: Any, vctx: Any, response: Any) -> int:
        response.set("Received: by policy;\r\n\tMon, 23 Nov 2026 00:00:00 +0000")
        return 1

    play.policy.generation.on("core_get_received_header_text", write)
    start(play)
    say(play, *SAID[:3], "DATA", "Subject: x", "", ".")
    assert play.kept.messages[0].content.startswith(
        b"Received: by policy;\r\n\tMon, 23 Nov 2026 00:00:00 +0000\r\nSubject: x\r\n"
    )


def test_a_trace_header_that_is_none_is_not_used() -> None:
    play = player()

    def write(message: Any, mc: Any, accept: Any, vctx: Any, response: Any) -> int:
        response.set("Received: x\r\nBcc: y\r\n\r\nbody")
        return 1

    play.policy.generation.on("core_get_received_header_text", write)
    start(play)
    say(play, *SAID[:3], "DATA", "Subject: x", "", ".")
    assert play.kept.messages[0].content.startswith(b"Received: from client.test ([192.0.2.7])\r\n")


def test_a_greeting_cannot_write_headers() -> None:
    play = player()
    start(play)
    say(play, "EHLO x)(;\x01\x02")
    assert play.next_line().startswith("220")
    say(play, "EHLO [127.0.0.1](x)", "MAIL FROM:<>", "RCPT TO:<bob@example.test>", "DATA", ".")
    head = play.kept.messages[0].content.split(b"\r\n")[0]
    assert head == b"Received: from [127.0.0.1]?x? ([192.0.2.7])"
