"""What `moonpost top` is told about the server: the facts of `observe.vitals`, and the beat of the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moonpost.observe.tallies import Tallies
from moonpost.observe.vitals import BEAT_S, Vitals, spread_row

if TYPE_CHECKING:
    from moonpost.app.server import Server

MOST_QUEUES = 20  # rows; `mailq` on the console has all


def start_vitals(server: Server, stack: AsyncExitStack) -> None:
    """Answer until `stack` closes. A socket that can't be opened is told and is no reason not to serve mail."""
    tallies = Tallies()
    vitals = Vitals(Path(server.config.option("spoolbase")), lambda: facts(server, tallies))
    try:
        vitals.start()
    except OSError as error:
        server.log.panic("vitals", f"{vitals.path}: {error}; moonpost top can't ask", "warning")
        return
    server.events.watchers.append(tallies.see)
    stack.callback(vitals.stop)
    beating = asyncio.get_running_loop().create_task(_beat(vitals))
    stack.callback(beating.cancel)


async def _beat(vitals: Vitals) -> None:
    while True:
        vitals.beat()
        await asyncio.sleep(BEAT_S)


def facts(server: Server, tallies: Tallies) -> Mapping[str, Any]:
    """Called in the thread of the vitals: reads, and changes nothing."""
    queues = sorted([*server.queues.queues.values()], key=lambda one: -one.total)[:MOST_QUEUES]
    held = server.adaptive.state.pairs if server.adaptive is not None else {}
    return {
        "sessions": server.tally.open,
        "generation": server.host.current().number,
        "totals": dict(tallies.totals),
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
