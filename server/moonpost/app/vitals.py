"""What `moonpost top` is told about the server: the facts of `observe.vitals`, and the beat of the event loop."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moonpost.observe.vitals import BEAT_S, Facts, Vitals, spread_row
from msys.ports import Log

if TYPE_CHECKING:
    from moonpost.app.server import Server

MOST_QUEUES = 20  # rows; `mailq` on the console has all


def start_vitals(spool: Path, facts: Facts, log: Log, stack: AsyncExitStack) -> None:
    """Answer until `stack` closes. A socket that can't be opened is told and is no reason not to serve mail."""
    vitals = Vitals(spool, facts)
    try:
        vitals.start()
    except OSError as error:
        log.panic("vitals", f"{vitals.path}: {error}; moonpost top can't ask", "warning")
        return
    stack.callback(vitals.stop)
    beating = asyncio.get_running_loop().create_task(_beat(vitals))
    stack.callback(beating.cancel)


def start_vitals_of(server: Server, stack: AsyncExitStack) -> None:
    """Those of the process that owns the queues."""
    totals: Counter[str] = Counter()

    def see(event: str, _facts: Mapping[str, Any]) -> None:
        totals[event] += 1

    server.events.watchers.append(see)
    spool = Path(server.config.option("spoolbase"))
    start_vitals(spool, lambda: facts(server, totals), server.log, stack)


async def _beat(vitals: Vitals) -> None:
    while True:
        vitals.beat()
        await asyncio.sleep(BEAT_S)


def facts(server: Server, totals: Mapping[str, int]) -> Mapping[str, Any]:
    """Called in the thread of the vitals: reads, and changes nothing."""
    queues = sorted([*server.queues.queues.values()], key=lambda one: -one.total)[:MOST_QUEUES]
    held = server.adaptive.state.pairs if server.adaptive is not None else {}
    return {
        "sessions": server.tally.open,
        "generation": server.host.current().number,
        "totals": dict(totals),
        "queues": [
            {
                "binding": queue.name.binding,
                "domain": queue.name.domain,
                "active": len(queue.held),
                "delayed": queue.delayed,
                "connections": server.queues.workers(queue.name),
                "sent": queue.counts.delivered,
                "held": " ".join(held[queue.name].holds) if queue.name in held else "",
            }
            for queue in queues
        ],
        "callouts": [spread_row(callout, spread) for callout, spread in server.timings().items()],
    }
