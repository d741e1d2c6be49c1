"""An environment with the libraries open, for every test here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from msys.lua import Environment, enter, open_libs


@pytest.fixture(autouse=True)
def lua() -> Iterator[Environment]:
    env = Environment(std="5.1")
    enter(env)
    open_libs(env)
    yield env
