"""Golden texts of what is wrong with a configuration. `wrong/NAME.conf` says it in `wrong/NAME.txt`."""

from __future__ import annotations

from pathlib import Path

import pytest

from moonpost.config.diagnostics import RULES
from moonpost.config.model import examine

CASES = sorted((Path(__file__).parent / "wrong").glob("*.conf"))


def told(path: Path) -> str:
    _, problems = examine(path.name, text=path.read_text(encoding="utf-8"))
    return "".join(problem.render() + "\n" for problem in problems)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_every_problem_is_told(path: Path) -> None:
    assert told(path) == path.with_suffix(".txt").read_text(encoding="utf-8")


def test_codes_are_explained() -> None:
    for code, rule in RULES.items():
        assert rule.severity in ("error", "warning", "note"), code
        assert rule.title and rule.explain, code
