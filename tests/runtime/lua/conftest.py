"""An environment with the libraries open, and no running policy call, for every test here."""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar

import pytest

from msys import ports
from msys.lua import Environment, enter, open_libs


@pytest.fixture(autouse=True)
def lua(monkeypatch: pytest.MonkeyPatch) -> Iterator[Environment]:
    monkeypatch.setattr(ports, "_call", ContextVar("msys_call"))  # another test may have left one
    env = Environment(std="5.1")
    enter(env)
    open_libs(env)
    yield env
