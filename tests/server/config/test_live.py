"""The configuration in force: reload, console changes, transactions, and what is written back."""

from __future__ import annotations

from pathlib import Path

import pytest

from moonpost.config.commands import Refused
from moonpost.config.diagnostics import ConfigurationError
from moonpost.config.live import LiveConfiguration
from moonpost.config.model import Config, load


@pytest.fixture
def main(tmp_path: Path) -> Path:
    path = tmp_path / "ecelerity.conf"
    path.write_text('local_changes_file = "local.conf"\nretry_interval = 5\nBinding b {}\n')
    return path


@pytest.fixture
def live(main: Path) -> LiveConfiguration:
    return LiveConfiguration(load(str(main)))


def set_words(*words: str) -> list[str]:
    return ["set", *words]


def test_each_change_is_a_generation_that_everyone_sees_first(live: LiveConfiguration) -> None:
    seen: list[tuple[int, int]] = []
    live.on_change.append(lambda old, new: seen.append((old.number, new.number)))
    live.run(set_words("retry_interval", "6"))
    live.run(["get", "retry_interval"])
    live.run(["unset", "retry_interval"])
    assert seen == [(1, 2), (2, 3)]
    assert live.option("retry_interval") == 1200


def test_a_listener_that_objects_keeps_the_old_configuration(live: LiveConfiguration) -> None:
    def object_(old: Config, new: Config) -> None:
        raise Refused("not now")

    live.on_change.append(object_)
    with pytest.raises(Refused):
        live.run(set_words("retry_interval", "6"))
    assert live.option("retry_interval") == 5


def test_reload_drops_console_changes_and_keeps_the_old_one_when_broken(
    live: LiveConfiguration, main: Path
) -> None:
    live.run(set_words("retry_interval", "6"))
    live.adopt(live.prepare())
    assert live.option("retry_interval") == 5
    assert live.current.number == 3
    main.write_text("retry_interval = ?\n")
    with pytest.raises(ConfigurationError):
        live.prepare()
    assert live.option("retry_interval") == 5


def test_scripts_get_value_and_console_text_and_no_exception(live: LiveConfiguration) -> None:
    assert live.command(["get", "retry_interval"]) == ("5", "Retry_Interval = 5")
    assert live.command(["set", "gateway", "grün.test"])[0] == "grün.test".encode().decode(
        "latin-1"
    )
    assert live.command(["get", "blackhole"]) == (
        None,
        "Option 'Blackhole' is not set in scope ''.",
    )
    value, text = live.command(["get", "no_such"])
    assert value is None and "not a valid option name" in text


def test_a_transaction_is_seen_when_committed(live: LiveConfiguration) -> None:
    transaction = live.begin()
    transaction.run(set_words("retry_interval", "7"))
    assert live.option("retry_interval") == 5
    assert transaction.commands == [["set", "retry_interval", "7"]]
    live.commit(transaction)
    assert live.option("retry_interval") == 7


def test_the_first_to_commit_wins(live: LiveConfiguration) -> None:
    first, second = live.begin(), live.begin()
    first.run(set_words("retry_interval", "7"))
    second.run(set_words("retry_interval", "8"))
    live.commit(first)
    with pytest.raises(Refused, match="changed since this transaction began"):
        live.commit(second)
    assert live.option("retry_interval") == 7


def test_from_scratch_begins_with_the_files(live: LiveConfiguration) -> None:
    live.run(set_words("retry_interval", "7"))
    assert live.begin(from_scratch=True).working.option("retry_interval") == 5


def test_written_back_changes_survive_a_reload(live: LiveConfiguration, main: Path) -> None:
    live.run(set_words("retry_interval", "7"))
    live.run(set_words("binding", "b", "domain", "d.test", "suspend_delivery", "true"))
    assert live.write_back() == []
    live.adopt(live.prepare())
    assert live.option("retry_interval") == 7
    assert live.delivery_option("suspend_delivery", "b", "d.test") is True
    live.run(set_words("gateway", "g.test"))
    live.write_back()
    live.adopt(live.prepare())
    assert live.option("retry_interval") == 7, "earlier local changes are kept"
    assert live.option("gateway") == "g.test"


def test_what_a_file_cannot_say_is_told(live: LiveConfiguration) -> None:
    live.run(["unset", "retry_interval"])
    assert live.write_back() == ["cannot be kept in a file: Retry_Interval unset in scope ''"]


def test_the_whole_configuration_can_be_written(live: LiveConfiguration, tmp_path: Path) -> None:
    live.run(set_words("retry_interval", "7"))
    live.write(str(tmp_path / "copy.conf"))
    assert load(str(tmp_path / "copy.conf")).option("retry_interval") == 7
