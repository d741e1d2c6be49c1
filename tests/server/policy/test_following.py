"""A host that is handed its generations by another process: the same policy under the same number, and no timers."""

from __future__ import annotations

import asyncio
import pickle
from pathlib import Path

from moonpost.policy.bridge import Bridge
from moonpost.policy.host import Host, HostSettings
from moonpost.policy.interface import Outcome, PolicyState
from moonpost.policy.loader import Handed, Loader, LoaderSettings, ScriptStanza
from msys.accept import Accept
from msys.testing.fakes import FakePorts, fake_ports
from msys.vctx import ValidationContext

STANZAS = [ScriptStanza("policy", "policy")]
POLICY = """require("msys.core")
require("msys.timer")
local mod = {}
function mod:validate_connect(ac, vctx)
  vctx:set(msys.core.VCTX_CONN, "said", "WORD")
  return msys.core.VALIDATE_CONT
end
msys.timer.every(60, function() end)
msys.registerModule("policy", mod)
"""


def write(folder: Path, word: str) -> None:
    path = folder / "policy.lua"
    path.write_text(POLICY.replace("WORD", word))
    path.chmod(0o644)


async def said(host: Host) -> str:
    vctx, accept = ValidationContext(), Accept()
    accept.vctx = vctx
    answer = host.current().run(
        "validate_connect", PolicyState(accept=accept, vctx=vctx), (accept, vctx)
    )
    outcome = answer if isinstance(answer, Outcome) else await answer
    assert outcome.error is None
    return str(vctx.conn["said"])


def timers_run(ports: FakePorts) -> bool:
    ports.clock.advance(60)
    ran = bool(ports.pools.spawned)
    ports.pools.spawned.clear()
    return ran


def test_a_follower_has_what_the_leader_loaded(tmp_path: Path) -> None:
    async def main() -> None:
        settings = LoaderSettings((tmp_path,), tmp_path / "cache")
        loader = Loader(settings)
        write(tmp_path, "first")
        first = pickle.loads(pickle.dumps((await loader.prepare(STANZAS)).compiled))
        write(tmp_path, "second")
        second = pickle.loads(pickle.dumps((await loader.prepare(STANZAS)).compiled))
        await loader.close()
        (tmp_path / "policy.lua").unlink()  # a follower reads no sources

        ports = fake_ports()
        handed = Handed(settings, first)
        host = Host(ports, Bridge(), handed, HostSettings(leads=False))
        await host.start(STANZAS, number=7)
        assert host.current().number == 7 and await said(host) == "first"

        handed.compiled = second
        staged = await host.stage(STANZAS, (), 9)
        assert await said(host) == "first"
        await host.abandon(staged)
        assert await said(host) == "first"
        staged = await host.stage(STANZAS, (), 9)
        host.adopt(staged)
        assert host.current().number == 9 and await said(host) == "second"
        assert not timers_run(ports)
        await host.stop()

    asyncio.run(main())


def test_who_leads_asks_before_it_adopts_and_runs_the_timers(tmp_path: Path) -> None:
    async def main() -> None:
        ports = fake_ports()
        loader = Loader(LoaderSettings((tmp_path,), tmp_path / "cache"))
        host = Host(ports, Bridge(), loader)
        write(tmp_path, "first")
        await host.start(STANZAS)
        asked: list[int] = []

        async def refuse(generation: object) -> list[str]:
            asked.append(host.current().number)
            return ["acceptor 2: no"]

        host.agree = refuse  # type: ignore[assignment]
        write(tmp_path, "second")
        outcome = await host.reload()
        assert outcome.problems == ["acceptor 2: no"] and outcome.policy_refused
        assert asked == [1] and await said(host) == "first"
        host.agree = None
        assert (await host.reload()).problems == [] and await said(host) == "second"
        assert timers_run(ports)
        await host.stop()
        await loader.close()

    asyncio.run(main())
