"""Audit series that outlive the process: whole files, other shapes, damaged files, full disks; and the real server twice."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from moonpost.adapters.series_files import SeriesFiles
from msys.testing.check_ports import check_state
from msys.testing.fakes import FakeClock, FakeLog
from testkit.small_server import reply_to_mail, small_server

KEEP = {"persist": True}


class World:
    """One disk and one clock; `start` is a process that begins."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.log = FakeLog()

    def start(self) -> SeriesFiles:
        return SeriesFiles(self.clock.now, self.folder / "kept", self.folder / "logs", self.log)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_it_is_a_state_port_like_the_others(world: World) -> None:
    asyncio.run(check_state(world.start(), world.clock.advance))


@pytest.mark.row("msys.audit_series.define")
@pytest.mark.parametrize(
    ("kind", "key", "block"),
    [
        ("cidr", "192.0.2.1", "192.0.2.0/24"),
        ("cidr_ipv6", "2001:db8::1", "2001:db8::/64"),
        ("string", "a/b\0ü", "a/b\0ü"),
    ],
)
def test_counts_survive_in_their_windows(world: World, kind: str, key: str, block: str) -> None:
    state = world.start()
    state.series_define("../odd name", kind, 60, 3, KEEP)
    state.series_add("../odd name", key, 2)
    world.clock.advance(60)
    state.series_add("../odd name", key, 5)
    state.close()
    again = world.start()
    again.series_define("../odd name", kind, 60, 3, KEEP)
    assert again.series_count("../odd name", block, 0, 0) == 5
    assert again.series_count("../odd name", block, 0, 2) == 7
    world.clock.advance(120)
    assert again.series_count("../odd name", block, 0, 2) == 5
    assert [path.parent.name for path in world.folder.rglob("*.json")] == ["kept"]


def test_only_what_policy_wants_kept_is_kept(world: World) -> None:
    state = world.start()
    state.series_define("gone", "string", 60, 3, {})
    state.series_add("gone", "k", 1)
    state.close()
    again = world.start()
    again.series_define("gone", "string", 60, 3, KEEP)
    assert again.series_count("gone", "k", 0, 2) == 0


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[1]",
        "null",
        '{"kind": "string"}',
        '{"kind":"string","interval_s":60,"windows":3,"counts":{"k":{"x":1}}}',
    ],
)
def test_a_damaged_file_is_told_and_begins_anew(world: World, content: str) -> None:
    state = world.start()
    path = state.path_of("s")
    path.parent.mkdir()
    path.write_text(content)
    state.series_define("s", "string", 60, 3, KEEP)
    assert state.series_count("s", "k", 0, 2) == 0
    assert "audit series 's'" in world.log.text and "starts empty" in world.log.text


def test_another_shape_starts_empty(world: World) -> None:
    state = world.start()
    state.series_define("s", "string", 60, 3, KEEP)
    state.series_add("s", "k", 1)
    state.close()
    again = world.start()
    again.series_define("s", "string", 30, 3, KEEP)
    assert again.series_count("s", "k", 0, 2) == 0
    assert "another shape" in world.log.text


def test_a_disk_that_fails_is_told_and_counting_goes_on(world: World) -> None:
    (world.folder / "kept").write_text("not a folder")
    state = world.start()
    state.series_define("s", "string", 60, 3, KEEP)
    state.series_add("s", "k", 1)
    asyncio.run(state.save_aside())
    assert state.series_count("s", "k", 0, 0) == 1
    assert "counting goes on" in world.log.text


def test_serialized_series_log_each_count(world: World) -> None:
    state = world.start()
    state.series_define("s", "string", 60, 3, {"serialize": True})
    state.series_add("s", "k", 2)
    state.close()
    (line,) = (world.folder / "logs" / "s.log").read_text().splitlines()
    logged: dict[str, Any] = json.loads(line)
    assert logged == {"time": int(world.clock.now()), "key": "k", "count": 2}


POLICY = """
require("msys.core")
require("msys.audit_series")
require("msys.extended.vctx")
local mod = {}
function mod:init()
  msys.audit_series.define("seen", "string", 86400, 3, { persist = true, serialize = true })
  return true
end
function mod:validate_mailfrom(str, ac, vctx)
  msys.audit_series.add("seen", "all")
  vctx:set_code(550, "seen " .. msys.audit_series.count("seen", { key = "all", endv = 2 }))
  return msys.core.VALIDATE_CONT
end
msys.registerModule("policy", mod)
"""


@pytest.mark.row("msys.audit_series.count")
def test_the_server_counts_on_after_a_restart(tmp_path: Path) -> None:
    with small_server(tmp_path, {"policy": POLICY}) as serving:
        serving.edit(
            "inbound_audit {}", 'inbound_audit { serialize_dir = "var/kept"  log_dir = "var/logs" }'
        )
        serving.start()
        assert reply_to_mail(serving.port, "a@example.test") == (550, "seen 1")
        assert reply_to_mail(serving.port, "a@example.test") == (550, "seen 2")
        serving.stop()
        serving.start()
        assert reply_to_mail(serving.port, "a@example.test") == (550, "seen 3")
        serving.stop()
    assert len((tmp_path / "var" / "logs" / "seen.log").read_text().splitlines()) == 3
