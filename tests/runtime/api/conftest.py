"""A running call with fakes around it, for every test of an API function."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest

from msys.testing.policy import Policy, policy


@pytest.fixture
def here() -> Iterator[Policy]:
    """The running call: `here.ports` are fakes, `here.ports.clock.advance` moves time."""
    with policy() as running:
        yield running


@pytest.fixture
def lua51() -> Callable[[str], str]:
    """Runs a program in the real Lua and gives what it printed."""
    if shutil.which("lua5.1") is None:
        pytest.skip("needs the Debian program lua5.1")

    def run(program: str) -> str:
        done = subprocess.run(
            ["lua5.1", "-"], input=program, capture_output=True, text=True, timeout=10
        )
        assert not done.stderr, done.stderr
        return done.stdout

    return run
