"""Performs one act of a story over real SMTP, and says what was different from the story."""

from __future__ import annotations

import smtplib
import time
from dataclasses import dataclass, field
from pathlib import Path

from moonpost.testing.stories import Act, compose


@dataclass(slots=True)
class Played:
    """The replies of one session by moment, and how long it took."""

    replies: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    seconds: float = 0.0

    def note(self, moment: str, code: int, text: bytes | str) -> bool:
        words = text.decode("latin-1") if isinstance(text, bytes) else text
        self.replies.setdefault(moment, []).append((code, words))
        return code < 400

    @property
    def last(self) -> tuple[int, str]:
        """The reply that ended the session."""
        return list(self.replies.values())[-1][-1]


def play(act: Act, folder: Path, host: str, port: int) -> Played:
    """One session, as far as the server lets it go."""
    played = Played()
    began = time.monotonic()
    client = smtplib.SMTP(timeout=30, source_address=(act.client, 0))
    try:
        if played.note("connect", *client.connect(host, port)) and played.note(
            "ehlo", *client.ehlo(act.greeting)
        ):
            _transaction(client, act, folder, played)
        client.quit()
    except (smtplib.SMTPServerDisconnected, ConnectionError):
        pass  # the server closed after its reply; what it said is noted
    finally:
        client.close()
    played.seconds = time.monotonic() - began
    return played


def _transaction(client: smtplib.SMTP, act: Act, folder: Path, played: Played) -> None:
    if not played.note("mail", *client.mail(act.sender)):
        return
    accepted = [played.note("rcpt", *client.rcpt(address)) for address in act.recipients]
    if any(accepted) and act.message:
        played.note("data", *client.data(compose(act, folder)))


def differences(act: Act, played: Played) -> list[str]:
    """What the replies should have been, and were not."""
    found = []
    for expect in act.expects:
        replies = played.replies.get(expect.moment)
        if not replies:
            found.append(
                f"expected {expect.code} at {expect.moment}, which was never reached: {played.last}"
            )
        elif not any(code == expect.code and expect.pattern.match(text) for code, text in replies):
            found.append(
                f"expected {expect.code} {expect.pattern.pattern} at {expect.moment}, got {replies}"
            )
    if played.seconds < act.takes_at_least_s:
        found.append(f"took {played.seconds:.2f} s, expected at least {act.takes_at_least_s:g} s")
    return found
