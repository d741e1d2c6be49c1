"""What the simulated client does: who it is, whom it writes to, and what."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from moonpost.testing.stories import Act, StoryError, compose, read

SENDER, RECIPIENT = "ann@example.test", "bob@example.test"

# Sent when nothing else was given.
MESSAGE = b"""\
From: Ann <ann@example.test>\r
To: Bob <bob@example.test>\r
Subject: a message made by moonpost sim\r
Date: Mon, 2 Feb 2026 10:00:00 +0000\r
Message-ID: <sim-1@example.test>\r
\r
Hello Bob,\r
\r
nothing in this message should worry anybody.\r
"""


@dataclass(slots=True)
class Letter:
    """One session with one message. content: CRLF lines, no dot stuffing."""

    client: str = "127.0.0.1"
    greeting: str = "client.example.test"
    sender: str = SENDER
    recipients: list[str] = field(default_factory=lambda: [RECIPIENT])
    content: bytes = MESSAGE


def with_crlf(content: bytes) -> bytes:
    """A message file as a client sends it: every line ends with CR LF, the last one too."""
    text = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return text if not text or text.endswith(b"\r\n") else text + b"\r\n"


def of_act(act: Act, folder: Path) -> Letter:
    """The session that an act of a story plays; one without a message sends ours if it gets that far."""
    content = with_crlf(compose(act, folder)) if act.message else MESSAGE
    return Letter(act.client, act.greeting, act.sender, list(act.recipients), content)


class NoLetter(Exception):
    """A story that cannot be read, or has no such act."""


def of_story(story: Path, number: int) -> Letter:
    """The session of one act of a story, counted from 1. Raises NoLetter."""
    try:
        acts = read(story)
        if not 1 <= number <= len(acts):
            raise NoLetter(f"--act {number}: {story} has acts 1 to {len(acts)}")
        return of_act(acts[number - 1], story.parent)
    except StoryError as error:
        raise NoLetter(str(error)) from None
