"""Handlers of `counter`, `threads` and `inbound_audit`: what the server has counted."""

from __future__ import annotations

import time

from moonpost.control.context import Session, later, need, usage, whole
from moonpost.control.services import CommandFailed
from msys.ports import PortError

_KINDS = (
    ("Connections", "connections"),
    ("Receptions", "receptions"),
    ("Rejections", "rejections"),
)


async def counter_list(session: Session, words: list[str]) -> str:
    state = need(session.services.state, "the counters")
    rows = await later(state.counter_list())
    lines = ["VALUE  RESET_TIME           SEMANTICS  COUNTER"]
    for value, reset_at, semantics, name in rows:
        when = time.strftime("%Y-%m-%d@%H:%M:%S", time.localtime(reset_at))
        lines.append(f"{value:<5}  {when}  {semantics:<9}  {name}")
    lines.append(f"{len(rows)} counters listed.")
    return "\n".join(lines)


async def counter_add(session: Session, words: list[str]) -> str:
    if len(words) != 2:
        raise usage("counter add NAME DELTA")
    state = need(session.services.state, "the counters")
    delta = whole(words[1], "DELTA")
    if session.dry_run:
        return f"{words[0]} would be {await later(state.counter_read(words[0])) + delta}"
    return str(await later(state.counter_add(words[0], delta)))


async def counter_increment(session: Session, words: list[str]) -> str:
    if len(words) != 1:
        raise usage("counter increment NAME")
    return await counter_add(session, [words[0], "1"])


async def counter_reset(session: Session, words: list[str]) -> str:
    if len(words) != 1:
        raise usage("counter reset NAME")
    if session.dry_run:
        return f"{words[0]} would be reset"
    await later(need(session.services.state, "the counters").counter_reset(words[0]))
    return f"{words[0]} reset"


async def counter_unlink(session: Session, words: list[str]) -> str:
    if len(words) != 1:
        raise usage("counter unlink NAME")
    if session.dry_run:
        return f"{words[0]} would be removed"
    await later(need(session.services.state, "the counters").counter_unlink(words[0]))
    return f"{words[0]} removed"


async def threads_stats(session: Session, words: list[str]) -> str:
    pools = need(session.services.pools, "the thread pools")
    blocks = []
    for name in pools.names():
        figures = pools.stats(name)
        shown = (f"\t{key.replace('_', ' ')}: {value:g}" for key, value in figures.items())
        blocks.append("\n".join([f"{name} thread pool:", *shown]))
    return "\n".join(blocks)


async def audit_show_ip(session: Session, words: list[str]) -> str:
    """`inbound_audit show ip IP[/mask]`: every window of every monitor, the newest first."""
    if len(words) != 1:
        raise usage("inbound_audit show ip IP[/MASK]")
    sessions = need(session.services.sessions, "the audit")
    audit = session.configuration.current.module("inbound_audit")
    monitors = audit["monitors"] if audit else []
    if not monitors:
        raise CommandFailed("inbound_audit has no monitors configured")
    lines = []
    for monitor in monitors:
        interval, _, windows = monitor.partition(",")
        for heading, kind in _KINDS:
            # The window numbers run from 0 to N inclusive, one more than there are windows.
            for window in range(whole(windows, "a monitor's window count") + 1):
                try:
                    count = await later(sessions.monitor(kind, monitor, words[0], window, window))
                except PortError as error:
                    raise CommandFailed(str(error)) from None
                lines.append(f"{heading} {interval}/{window}: {count:g}")
    return "\n".join(lines)
