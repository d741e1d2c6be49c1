"""Where counters, gauges and audit series live: in this process, or in Redis or Valkey as `Shared_State` says.

In this process, series that policy wants kept are saved every `Maintenance_Interval` of inbound_audit, and at the end.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from moonpost.adapters.clock import LoopClock
from moonpost.adapters.series_files import SeriesFiles
from moonpost.adapters.state import state_for
from moonpost.config.model import Config, known
from msys.ports import Log, State


def shared_state(config: Config, clock: LoopClock, log: Log, stack: AsyncExitStack) -> State:
    """The State port; it ends with `stack`."""
    if url := config.option("shared_state"):
        state, close = state_for(url, clock.now)
        stack.push_async_callback(close)
        return state
    audit = config.module("inbound_audit") or {}

    def setting(name: str) -> str:
        return str(audit.get(name) or known(name).default)

    files = SeriesFiles(clock.now, Path(setting("serialize_dir")), Path(setting("log_dir")), log)
    stack.callback(files.close)
    saving = asyncio.ensure_future(_save(files, float(setting("maintenance_interval"))))
    stack.callback(saving.cancel)
    return files


async def _save(files: SeriesFiles, every_s: float) -> None:
    while True:
        await asyncio.sleep(max(every_s, 1.0))
        await files.save_aside()
