"""Policy and everything it can reach, as every process of the server has it: bridge, ports, host.

The process that owns the queues loads the scripts and runs their timers; an acceptor is handed what the owner loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moonpost.adapters.clock import LoopClock
from moonpost.adapters.http import HttpClient
from moonpost.adapters.pools import LoopPools
from moonpost.adapters.sessions import SessionBook
from moonpost.app import ports as real
from moonpost.app.engines import message_store, scanners
from moonpost.app.events import EventStream
from moonpost.app.log import ServerLog
from moonpost.app.outbox import NotYet
from moonpost.app.processes.link import Staged
from moonpost.app.state import shared_state
from moonpost.app.traps import traps
from moonpost.config.live import LiveConfiguration
from moonpost.config.model import Config
from moonpost.policy.bridge import Bridge
from moonpost.policy.host import Host, HostSettings, Loads
from moonpost.policy.limits import Limits
from moonpost.policy.loader import Handed, Loader, LoaderSettings, ScriptStanza
from moonpost.policy.runner import Runner
from msys.ports import Ports
from msys.validate.automatic import registrations


@dataclass(frozen=True, slots=True)
class Running:
    """Policy in force, and what it shares with the rest of the server."""

    bridge: Bridge
    ports: Ports
    host: Host
    book: SessionBook
    loads: Loads


@dataclass(frozen=True, slots=True)
class How:
    """What differs between processes and for debuggers. limits None: those of the configuration.

    book: counts the sessions of other processes as well. staged: what another process leads to; None: we lead.
    """

    view: str = "py"
    compiled: bool = False
    limits: Limits | None = None
    runner: Callable[..., Runner] = Runner
    book: SessionBook | None = None
    staged: Staged | None = None


async def start_policy(
    live: LiveConfiguration,
    clock: LoopClock,
    log: ServerLog,
    events: EventStream,
    stack: AsyncExitStack,
    how: How,
) -> Running:
    """Load the scripts and run their `init`. Raises LoadFailed. What is started here ends with `stack`."""
    config = live.current
    bridge = Bridge(
        how.limits
        or Limits(config.option("callout_cpu_limit"), config.option("callout_time_limit"))
    )
    book = how.book or SessionBook(monitors(config), now=clock.now)
    ports = open_ports(live, clock, log, stack, bridge, book)
    settings = loader_settings(config, how)
    if how.staged is not None:
        loads: Loads = Handed(settings, how.staged.compiled)
        host = Host(ports, bridge, loads, host_settings(config, leads=False), runner=how.runner)
        host.on_swap.append(events.know)
        number = how.staged.number
    else:
        loads = loader = Loader(settings)
        stack.push_async_callback(loader.close)
        host = Host(ports, bridge, loads, host_settings(config), runner=how.runner)
        host.on_swap.append(events.loaded)
        host.on_refusal.append(events.load_refused)
        number = 1
    await host.start(stanzas(config), registrations(config.judging), number=number)
    stack.push_async_callback(host.stop)
    return Running(bridge, ports, host, book, loads)


def open_ports(
    live: LiveConfiguration,
    clock: LoopClock,
    log: ServerLog,
    stack: AsyncExitStack,
    bridge: Bridge,
    book: SessionBook,
) -> Ports:
    """The ports, all real but the outbox, which comes with the queues."""
    config = live.current
    http = HttpClient()
    stack.push_async_callback(http.close)
    databases = real.databases(config, clock)
    stack.push_async_callback(databases.close)
    mstore, close_mstore = message_store(config, http, clock.now)
    stack.callback(close_mstore)
    pools = LoopPools(
        bridge.start,
        clock,
        log,
        {name: pool.concurrency for name, pool in config.thread_pools().items()},
    )
    stack.push_async_callback(pools.close)
    return Ports(
        clock=clock,
        dns=real.resolver(config, clock),
        http=http,
        files=real.files(config, http),
        database=databases,
        log=log,
        outbox=NotYet(),
        state=shared_state(config, clock, log, stack),
        configuration=live,
        pools=pools,
        sessions=book,
        scanners=scanners(lambda: live.current, http),
        mstore=mstore,
        snmp=traps(config),
    )


def loader_settings(config: Config, how: How) -> LoaderSettings:
    """Where scripts are looked for, and where what was compiled is kept."""
    spool = Path(config.option("spoolbase"))
    return LoaderSettings(
        roots=tuple(Path(folder) for folder in config.script_folders),
        cache=Path(config.option("policy_cache") or spool / "policy"),
        view=how.view,
        allow_writable=config.option("allow_writable_policy"),
        compiled=how.compiled,
    )


def host_settings(config: Config, *, leads: bool = True) -> HostSettings:
    scriptlet = config.module("scriptlet") or {}
    return HostSettings(
        script_ttl_s=float(scriptlet.get("script_ttl", 300)),
        missing_return=config.option("missing_return"),
        leads=leads,
    )


def stanzas(config: Config) -> list[ScriptStanza]:
    """The scripts to load, in order."""
    return [ScriptStanza(script.name, script.source) for script in config.scripts()]


def monitors(config: Config) -> list[str]:
    """What inbound_audit is to count."""
    audit: Any = config.module("inbound_audit") or {}
    return list(audit.get("monitors") or ())
