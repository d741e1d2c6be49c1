"""Modules written ahead of time serve like compiled scripts, and stale ones are refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from moonpost.testing.perform import perform
from moonpost.testing.stage import Stage
from moonpost.testing.stories import read
from testkit.small_server import moonpost, write_policy

SAMPLES = Path(__file__).parents[2] / "samples"
STORIES = ("allow_list", "broken", "library", "rewrite")


def test_a_server_that_never_compiles_judges_alike_and_refuses_what_is_stale(
    tmp_path: Path,
) -> None:
    with Stage(SAMPLES, tmp_path) as stage:
        done = moonpost("compile", stage.folder)
        assert done.returncode == 0, done.stderr
        for module in stage.folder.rglob("policy.*"):
            module.chmod(0o644)
        stage.start("--compiled")
        for name in STORIES:
            story = stage.folder / name / "session.txt"
            for act in read(story):
                performed = perform(stage, act, story.parent)
                assert performed.wrong == [], f"{name}: {act.title}"
        assert stage.stop() == 0
        script = stage.folder / "rewrite" / "policy.lua"
        write_policy(script, script.read_text(encoding="utf-8") + "-- changed\n")
        with pytest.raises(RuntimeError, match=r"rewrite/policy\.lua: changed since .* compiled"):
            stage.start("--compiled")
        (stage.folder / "sign" / "policy.map.json").unlink()
        with pytest.raises(RuntimeError, match=r"sign/policy\.lua: is not compiled"):
            stage.start("--compiled")
