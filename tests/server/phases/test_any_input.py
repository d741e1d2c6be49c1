"""Whatever a peer says: well-formed replies, the same for any chunk borders, and nothing kept without a 250."""

from __future__ import annotations

import re
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from testkit.smtp_players import PurePlayer
from testkit.smtp_scripts import Script

WORDS = st.sampled_from(
    [
        b"EHLO client.test\r\n",
        b"HELO x\r\n",
        b"MAIL FROM:<ann@client.test>\r\n",
        b"MAIL FROM:<>\r\n",
        b"RCPT TO:<bob@example.test>\r\n",
        b"RCPT TO:<carol@example.test>\r\n",
        b"RCPT TO:<x@elsewhere.test>\r\n",
        b"DATA\r\n",
        b".\r\n",
        b"\r\n.\r\n",
        b"..x\r\n",
        b"BDAT 3\r\n",
        b"BDAT 0 LAST\r\n",
        b"abc",
        b"RSET\r\n",
        b"NOOP\r\n",
        b"\r\n",
        b"\n",
        b"QUIT\r\n",
        b"STARTTLS\r\n",
        b"XCLIENT ADDR=1.2.3.4\r\n",
        b"\x00\xff\r\n",
        b"AUTH PLAIN\r\n",
        b"VRFY x\r\n",
    ]
)
POLICY = [
    ("policy", "validate_rcptto #carol@example.test 550 5.7.1 no", 0),
    ("policy", "validate_dealloc cont", 0),
]
REPLIES = re.compile(rb"(?:(?:\d{3}-[^\r\n]*\r\n)*\d{3} [^\r\n]*\r\n)*")


def play(chunks: list[bytes]) -> PurePlayer:
    player = PurePlayer(Script("", "", [("set", "max_bad_commands=6", 0), *POLICY]))
    player.drive(player.machine.connected(player.now))
    for chunk in chunks:
        player.feed(chunk)
    return player


def without_ids(replies: bytes) -> bytes:
    return re.sub(rb"OK [0-9A-F/-]+", b"OK id", replies)


@given(st.lists(WORDS, max_size=25), st.lists(st.integers(0, 400), max_size=10))
@settings(max_examples=400, deadline=None)
def test_any_conversation(words: list[bytes], borders: list[int]) -> None:
    data = b"".join(words)
    whole = play([data])
    cuts = sorted({border % (len(data) + 1) for border in borders} | {0, len(data)})
    pieces = play([data[a:b] for a, b in pairwise(cuts)])

    replies = bytes(whole.replies)
    assert REPLIES.fullmatch(replies)
    assert without_ids(replies) == without_ids(bytes(pieces.replies))
    assert [m.recipient for m in whole.kept.messages] == [m.recipient for m in pieces.kept.messages]
    assert replies.count(b"250 2.0.0 OK ") == len(whole.kept.receptions)
    for message in whole.kept.messages:
        assert message.recipient == "bob@example.test"
        assert message.content.endswith(b"\r\n")

    whole.drive(whole.machine.ended(whole.now))
    assert whole.policy.generation.users == 0
    asked = "validate_rcptto" in whole.policy.generation.ran
    assert whole.policy.generation.ran.count("validate_dealloc") == int(asked)
