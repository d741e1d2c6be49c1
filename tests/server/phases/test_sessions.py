"""Every written-down session, against the pure machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from testkit.smtp_players import PurePlayer
from testkit.smtp_scripts import Script, sessions

FOLDER = Path(__file__).parent / "sessions"


@pytest.mark.parametrize("script", sessions(FOLDER), ids=lambda s: f"{s.where} {s.title}")
def test_session_goes_as_written(script: Script) -> None:
    assert PurePlayer(script).play() == []
