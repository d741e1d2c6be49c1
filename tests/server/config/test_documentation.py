"""What docs/configuration.md shows is true."""

from __future__ import annotations

import re
from pathlib import Path

from moonpost.config.model import examine
from moonpost.config.render import PAGE

TEXT = (PAGE.parents[1] / "configuration.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_the_first_file_has_nothing_wrong(tmp_path: Path) -> None:
    config, problems = examine(str(tmp_path / "ecelerity.conf"), text=BLOCKS[0])
    assert not problems
    assert [script.name for script in config.scripts()] == ["greet"]


def test_the_mistake_is_told_as_shown() -> None:
    _, problems = examine("ecelerity.conf", text="\n\nretry_intervall = 600\n")
    assert problems[0].render() + "\n" == BLOCKS[1]


def test_the_sample_configuration_has_nothing_wrong() -> None:
    sample = PAGE.parents[2] / "samples" / "ecelerity.conf"
    _, problems = examine(str(sample))
    assert not problems
