"""The state of adaptive delivery on disk: whole or the one before, and told when it can't be read."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from moonpost.adaptive import store as module
from moonpost.adaptive.state import SUSPENSION, Hold, State
from moonpost.adaptive.store import Store, read_state
from moonpost.spool.record import QueueName

Q = QueueName("default", "b.test")


def state(until: float) -> State:
    made = State(born={"default": 1.0})
    made.pair(Q).holds[SUSPENSION] = Hold(until, 1.0, "421 no")
    return made


def save(path: Path, *states: State) -> list[str]:
    complaints: list[str] = []

    async def main() -> None:
        kept = Store(path, complaints.append)
        for one in states:
            kept.save(one)
        await kept.close()

    asyncio.run(main())
    return complaints


def test_the_last_of_many_changes_is_what_stays(tmp_path: Path) -> None:
    path = tmp_path / "adaptive.json"
    assert save(path, *(state(n) for n in range(50))) == []
    assert read_state(path, pytest.fail).pairs[Q].holds[SUSPENSION].until == 49
    assert [file.name for file in tmp_path.iterdir()] == ["adaptive.json"]


def test_without_a_file_nothing_is_held(tmp_path: Path) -> None:
    assert read_state(tmp_path / "none.json", pytest.fail) == State()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"version": 9}', '{"version": 1, "born": {}, "pairs": [1]}']
)
def test_a_file_that_cannot_be_read_is_told_and_set_aside(tmp_path: Path, text: str) -> None:
    path = tmp_path / "adaptive.json"
    path.write_text(text)
    complaints: list[str] = []
    assert read_state(path, complaints.append) == State()
    (told,) = complaints
    assert "adaptive.json" in told and "kept as adaptive.unreadable" in told
    assert (tmp_path / "adaptive.unreadable").read_text() == text and not path.exists()


def test_a_write_that_fails_is_told_and_leaves_the_old_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "adaptive.json"
    save(path, state(5))

    def full(_path: Path, _text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_state", full)
    (told,) = save(path, state(6))
    assert "No space left on device" in told and "a restart would not know them" in told
    assert json.loads(path.read_text())["pairs"][0]["holds"]["suspension"]["until"] == 5
