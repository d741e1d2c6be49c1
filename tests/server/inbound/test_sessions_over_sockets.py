"""The same written-down sessions, over a real socket."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from testkit.smtp_players import SocketPlayer
from testkit.smtp_scripts import Script, sessions

FOLDER = Path(__file__).parents[1] / "phases" / "sessions"
# Whose sessions depend on who connects: a loopback client is always 127.0.0.1.
ON_SOCKETS = [
    script for script in sessions(FOLDER) if not any(word == "peer" for word, _, _ in script.lines)
]


@pytest.mark.parametrize("script", ON_SOCKETS, ids=lambda s: f"{s.where} {s.title}")
def test_session_goes_as_written(script: Script) -> None:
    assert asyncio.run(SocketPlayer(script).play()) == []
