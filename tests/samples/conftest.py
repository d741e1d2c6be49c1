"""One server with every sample, for all stories."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from moonpost.testing.stage import Stage

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(SAMPLES, tmp_path_factory.mktemp("stage")) as made:
        made.start()
        yield made
        assert made.stop() == 0, made.errors.read_text(encoding="utf-8")
