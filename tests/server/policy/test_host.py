"""Loading, reloading and failing to reload: what becomes current, what stays, what is told."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from moonpost.policy.bridge import Bridge
from moonpost.policy.host import Host, HostSettings
from moonpost.policy.interface import Outcome, PolicyState
from moonpost.policy.limits import Limits
from moonpost.policy.loader import Loader, LoaderSettings, LoadFailed, ScriptStanza
from msys.accept import Accept
from msys.lua import linemap
from msys.testing.fakes import FakePorts, fake_ports
from msys.vctx import ValidationContext

HEAD = 'require("msys.core")\nlocal mod = {}\n'
ANSWER = HEAD + (
    "function mod:validate_connect(ac, vctx)\n"
    '  vctx:set(msys.core.VCTX_CONN, "said", "%s")\n'
    "  return msys.core.VALIDATE_CONT\n"
    "end\n"
    'msys.registerModule("policy", mod)\n'
)


def write(folder: Path, text: str, name: str = "policy.lua") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="latin-1")
    path.chmod(0o644)
    return path


@asynccontextmanager
async def running(
    folder: Path, *scripts: str, settings: HostSettings | None = None, limits: Limits | None = None
) -> AsyncIterator[tuple[Host, FakePorts]]:
    ports = fake_ports()
    loader = Loader(LoaderSettings((folder,), folder / "cache"))
    host = Host(ports, Bridge(limits), loader, settings)
    try:
        await host.start([ScriptStanza(name, name) for name in scripts or ("policy",)])
        yield host, ports
    finally:
        await host.stop()
        await loader.close()


async def connect(
    host: Host, state: PolicyState | None = None
) -> tuple[Outcome, ValidationContext]:
    vctx = ValidationContext()
    accept = Accept()
    accept.vctx = vctx
    state = state or PolicyState()
    state.accept, state.vctx = accept, vctx
    answer = host.current().run("validate_connect", state, (accept, vctx))
    return (answer if isinstance(answer, Outcome) else await answer), vctx


def play(scenario: Callable[[], Any]) -> None:
    asyncio.run(scenario())


def panic_lines(ports: Any) -> str:
    return "\n".join(str(line) for line in ports.log.lines)


def test_a_reload_replaces_what_runs(tmp_path: Path) -> None:
    async def scenario() -> None:
        write(tmp_path, ANSWER % "one")
        async with running(tmp_path) as (host, _):
            assert (await connect(host))[1].conn == {"said": "one"}
            write(tmp_path, ANSWER % "two")
            assert (await host.reload()).changed
            assert (await connect(host))[1].conn == {"said": "two"}

    play(scenario)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("local x = = 1\n", "policy.lua:1:11"),
        (
            HEAD + "local x = nil\nprint(x.y)\n",
            "policy.lua:4: attempt to index local 'x' (a nil value)",
        ),
        (
            HEAD + "function mod:init() return false end\nmsys.registerModule('p', mod)\n",
            "p: init failed: it returned false",
        ),
        (
            HEAD + "function mod:init() error('no table') end\nmsys.registerModule('p', mod)\n",
            "no table",
        ),
    ],
)
def test_what_is_broken_is_told_and_the_old_generation_stays(
    tmp_path: Path, broken: str, reason: str
) -> None:
    async def scenario() -> None:
        write(tmp_path, ANSWER % "old")
        async with running(tmp_path) as (host, _ports):
            number = host.current().number
            write(tmp_path, broken)
            outcome = await host.reload()
            assert not outcome.changed
            assert any(reason in problem for problem in outcome.problems), outcome.problems
            assert host.current().number == number
            assert (await connect(host))[1].conn == {"said": "old"}

    play(scenario)


def test_a_server_does_not_start_without_its_policy(tmp_path: Path) -> None:
    async def scenario() -> None:
        with pytest.raises(LoadFailed, match="errno=2 No such file or directory"):
            async with running(tmp_path):
                pass

    play(scenario)


def test_an_edited_file_becomes_active_by_its_age_once_it_is_quiet(tmp_path: Path) -> None:
    async def scenario() -> None:
        write(tmp_path, ANSWER % "old")
        async with running(tmp_path, settings=HostSettings(script_ttl_s=0.05)) as (host, _):
            path = write(tmp_path, ANSWER % "new")
            past = time.time() - 60  # as if nobody had touched it for a minute
            os.utime(path, (past, past))
            async with asyncio.timeout(20):
                while (await connect(host))[1].conn != {"said": "new"}:
                    await asyncio.sleep(0.02)

    play(scenario)


def test_a_file_that_is_still_being_written_is_left_alone(tmp_path: Path) -> None:
    async def scenario() -> None:
        write(tmp_path, ANSWER % "old")
        async with running(tmp_path, settings=HostSettings(script_ttl_s=0.05)) as (host, _):
            for _ in range(10):
                write(tmp_path, ANSWER % "new")
                await asyncio.sleep(0.05)
                assert (await connect(host))[1].conn == {"said": "old"}

    play(scenario)


def test_an_old_generation_runs_deinit_when_its_last_user_has_gone(tmp_path: Path) -> None:
    text = HEAD + (
        "function mod:init() return true end\n"
        "function mod:deinit() print('gone') return true end\n"
        "msys.registerModule('policy', mod)\n"
    )

    async def scenario() -> None:
        write(tmp_path, text)
        async with running(tmp_path) as (host, ports):
            old = host.current()
            old.hold()
            write(tmp_path, text + "-- changed\n")
            await host.reload()
            await asyncio.sleep(0.01)
            assert "gone" not in panic_lines(ports)
            assert [g.number for g in host.generations()] == [2, 1]
            old.release()
            await asyncio.sleep(0.01)
            assert "gone" in panic_lines(ports)
            assert [g.number for g in host.generations()] == [2]

    play(scenario)


def test_global_data_lives_on_and_global_functions_do_not(tmp_path: Path) -> None:
    text = HEAD + (
        "seen = (seen or 0) + 1\n"
        "kept = kept or { list = { 1, 2, 3 } }\n"
        "if helper then print('an old function lives') end\n"
        "function helper() end\n"
        "function mod:validate_connect(ac, vctx)\n"
        "  vctx:set(msys.core.VCTX_CONN, 'said', seen .. ' ' .. #_G.kept.list)\n"
        "  return msys.core.VALIDATE_CONT\n"
        "end\n"
        "msys.registerModule('policy', mod)\n"
    )

    async def scenario() -> None:
        write(tmp_path, text)
        async with running(tmp_path) as (host, ports):
            await host.reload()
            await host.reload()
            assert (await connect(host))[1].conn == {"said": "3 3"}
            assert "an old function lives" not in panic_lines(ports)

    play(scenario)


def test_self_belongs_to_the_session_and_falls_back_on_the_module(tmp_path: Path) -> None:
    text = HEAD + (
        "function mod.twice(x) return 2 * x end\n"
        "function mod:validate_connect(ac, vctx)\n"
        "  self.count = (self.count or 0) + 1\n"
        "  vctx:set(msys.core.VCTX_CONN, 'said', self.twice(self.count))\n"
        "  return msys.core.VALIDATE_CONT\n"
        "end\n"
        "msys.registerModule('policy', mod)\n"
    )

    async def scenario() -> None:
        write(tmp_path, text)
        async with running(tmp_path) as (host, _):
            one, other = PolicyState(), PolicyState()
            assert (await connect(host, one))[1].conn == {"said": "2"}
            assert (await connect(host, one))[1].conn == {"said": "4"}
            assert (await connect(host, other))[1].conn == {"said": "2"}

    play(scenario)


def test_modules_run_in_order_until_one_says_done(tmp_path: Path) -> None:
    def script(name: str, verdict: str) -> str:
        return HEAD + (
            "function mod:validate_connect(ac, vctx)\n"
            f"  vctx:set(msys.core.VCTX_CONN, '{name}', 'ran')\n"
            f"  return msys.core.VALIDATE_{verdict}\n"
            "end\n"
            f"msys.registerModule('{name}', mod)\n"
        )

    async def scenario() -> None:
        write(tmp_path, script("first", "CONT"), "first.lua")
        write(tmp_path, script("second", "DONE"), "second.lua")
        write(tmp_path, script("third", "CONT"), "third.lua")
        async with running(tmp_path, "first", "second", "third") as (host, _):
            outcome, vctx = await connect(host)
            assert (outcome.ran, vctx.conn) == (2, {"first": "ran", "second": "ran"})

    play(scenario)


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        (
            "local x = nil\n  return x.y",
            "error",
            "policy.lua:5: attempt to index local 'x' (a nil value)",
        ),
        ("error({ code = 1 })", "error", "(error object is a table value)"),
        ("local x = 1", "missing_return", "policy:validate_connect must return one of"),
        ("return 'yes'", "missing_return", "not yes"),
        ("while true do end", "limit", "policy.lua:4: policy computed for longer than 0.3 s"),
        (
            "pcall(function() while true do pcall(function() while true do end end) end end)",
            "limit",
            "longer than",
        ),
        (
            "string.rep('a', 30):find(string.rep('a?', 30) .. string.rep('a', 30))",
            "limit",
            "longer than",
        ),
    ],
)
def test_a_module_that_fails_says_why_and_the_next_session_runs(
    tmp_path: Path, body: str, kind: str, text: str
) -> None:
    source = HEAD + (
        "function mod:validate_connect(ac, vctx)\n"
        f"  {body}\n"
        "end\n"
        "msys.registerModule('policy', mod)\n"
    )

    async def scenario() -> None:
        write(tmp_path, source)
        async with running(tmp_path, limits=Limits(cpu_s=0.3)) as (host, _):
            for _ in range(2):
                outcome, _vctx = await connect(host)
                assert outcome.error is not None
                assert (outcome.error.kind, outcome.error.module) == (kind, "policy")
                assert text in outcome.error.text

    play(scenario)


def test_a_missing_return_may_mean_go_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        write(
            tmp_path,
            HEAD + "function mod:validate_connect() end\nmsys.registerModule('policy', mod)\n",
        )
        async with running(tmp_path, settings=HostSettings(missing_return="cont")) as (host, _):
            outcome, _ = await connect(host)
            assert outcome.error is None

    play(scenario)


@pytest.mark.parametrize("name", ["../policy", "a/../policy", "pol\0icy"])
def test_a_source_cannot_leave_its_folders(tmp_path: Path, name: str) -> None:
    async def scenario() -> None:
        write(tmp_path, ANSWER % "x")
        with pytest.raises(LoadFailed, match="not allowed"):
            async with running(tmp_path, name):
                pass

    play(scenario)


def test_a_link_out_of_the_folder_and_a_file_that_others_can_write_are_refused(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        inside, outside = tmp_path / "in", tmp_path / "out"
        secret = write(outside, ANSWER % "x", "policy.lua")
        inside.mkdir()
        (inside / "policy.lua").symlink_to(secret)
        with pytest.raises(LoadFailed, match="leads out of"):
            async with running(inside):
                pass
        (inside / "policy.lua").unlink()
        write(inside, ANSWER % "x").chmod(0o666)
        with pytest.raises(LoadFailed, match="mode 0666 lets others change it"):
            async with running(inside):
                pass

    play(scenario)


def test_reloads_leave_nothing_behind(tmp_path: Path) -> None:
    async def scenario() -> None:
        write(tmp_path, ANSWER % "x")
        async with running(tmp_path) as (host, _):

            async def reload_often(times: int) -> int:
                for number in range(times):
                    write(tmp_path, ANSWER % f"x{number}")
                    assert (await host.reload()).changed
                    await connect(host)
                    await asyncio.sleep(0)
                gc.collect()
                return len(gc.get_objects()) + len(linemap._maps)

            before = await reload_often(10)
            after = await reload_often(30)
            assert after - before < 200, "objects that old generations left behind"

    play(scenario)
