"""Adaptive delivery of a running server: its stanza, the rules of policy, its log, its state on disk, its timer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from inspect import isawaitable
from pathlib import Path
from typing import Any

from moonpost.adaptive.driver import AdaptiveDelivery, Surroundings
from moonpost.adaptive.figures import Figures
from moonpost.adaptive.receivers import BadRules, read_receivers
from moonpost.adaptive.report import Reporter
from moonpost.adaptive.shaping import managed
from moonpost.adaptive.store import Store
from moonpost.adaptive.sweep import BadSweepRule, SweepRule, rules_for
from moonpost.app.events import EventStream
from moonpost.config.live import LiveConfiguration
from moonpost.config.model import Config
from moonpost.observe.logs import LogFile
from moonpost.policy.bridge import Bridge
from moonpost.policy.host import Host
from moonpost.spool.interface import SpoolError
from moonpost.spool.record import QueueName
from msys.adaptive import DomainRules, rules_of
from msys.constants import P_INTERNAL
from msys.identity import IDS
from msys.lua.environment import enter
from msys.message import Message
from msys.ports import Call, Log, PolicyLimit, Ports, enter_call

STATE = "adaptive.json"  # beside the spool
LOG = "adaptive.log"

Inject = Callable[[Sequence[Message]], Awaitable[None]]


class PolicyRules:
    """The rules that policy registered, over those of a file; and how functions in them are called."""

    def __init__(
        self,
        host: Host,
        bridge: Bridge,
        ports: Ports,
        below: Mapping[str, DomainRules | str],
        complain: Callable[[str], None],
    ) -> None:
        self._host, self._bridge, self._ports, self._below = host, bridge, ports, below
        self._complain = complain
        self._number = -1
        self._rules: Mapping[str, DomainRules] = {}

    def rules(self) -> Mapping[str, DomainRules]:
        """Those of the current generation."""
        generation = self._host.current()
        if generation.number != self._number:
            self._rules = rules_of(generation.environment, self._below)
            self._number = generation.number
        return self._rules

    def evaluate(
        self, function: Any, current: float | None, last: float | None, age_s: float
    ) -> float | None:
        """What a function of `configuration` makes of an option; None when it fails, which is told."""
        environment = self._host.current().environment
        call = Call(self._ports, environment, callout="adaptive", can_wait=False)

        def inside() -> Any:
            enter(environment)
            enter_call(call)
            return function(_number(current), _number(last), int(age_s), 0)

        try:
            answer = self._bridge.start(inside)
        except (Exception, PolicyLimit) as error:
            self._complain(f"a function of the rules failed: {error}; the option stays as it is")
            return None
        if isawaitable(answer):
            answer.close()  # type: ignore[attr-defined]
            self._complain("a function of the rules wants to wait; the option stays as it is")
            return None
        if isinstance(answer, bool) or not isinstance(answer, int | float):
            self._complain("a function of the rules gave no number; the option stays as it is")
            return None
        return float(answer)


def _number(value: float | None) -> float | int | None:
    return int(value) if value is not None and value == int(value) else value


async def start_adaptive(
    stanza: Mapping[str, Any],
    live: LiveConfiguration,
    policy: tuple[Host, Bridge, Ports],
    log: Log,
    events: EventStream,
    inject: Callable[[], Inject],
    stack: AsyncExitStack,
    *,
    hostname: str,
    classify: Callable[[str, str], int],
    files: list[LogFile],
) -> AdaptiveDelivery:
    """Build it, and have it looked after until `stack` closes. OSError when log or rules cannot be opened."""
    host, bridge, ports = policy
    now = ports.clock.now

    def complain(text: str) -> None:
        log.panic("adaptive", text, "warning")

    try:
        wanted = stanza.get("use_receiver_rules", True)
        below = read_receivers(stanza.get("receiver_rules")) if wanted else {}
    except BadRules as bad:
        raise OSError(f"adaptive: {bad}") from None
    rules = PolicyRules(host, bridge, ports, below, complain)
    store = Store(Path(live.current.option("spoolbase")) / STATE, complain)
    file = _open_log(live.current, stanza)
    if file is not None:
        files.append(file)  # opened anew and closed with the others
    tasks: set[asyncio.Task[None]] = set()

    async def deliver(message: Message) -> None:
        try:
            await inject()([message])
        except SpoolError as error:
            complain(f"the alert for <{message.recipient}> could not be kept: {error}")

    def send(receiver: str, sender: str, content: bytes) -> None:
        # The null sender: nobody is told when an alert cannot be delivered, and nothing can go in circles.
        message = Message(
            content=content,
            mailfrom="",
            rcptto=receiver,
            id=IDS.next(),
            recv_method=P_INTERNAL,
            creation_time=int(now()),
        )
        task = asyncio.get_running_loop().create_task(deliver(message))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def sweep_rules(name: QueueName) -> Sequence[SweepRule]:
        try:
            return rules_for(live.current.root, *name)
        except BadSweepRule as bad:
            complain(
                f"sweep rules of {name.binding}::{name.domain}: {bad}; none of them is looked at"
            )
            return ()

    adaptive = AdaptiveDelivery(
        Surroundings(
            option=live.delivery_option,
            rules=rules.rules,
            sweep_rules=sweep_rules,
            classify=classify,
            now=now,
            tell=Reporter(
                live.delivery_option,
                now,
                hostname,
                write=file.write if file is not None else None,
                event=events.write,
                panic=log.panic,
                send=send,
            ),
            complain=complain,
            evaluate=rules.evaluate,
            save=store.save,
            managed=managed(
                stanza.get("adaptive_manage_options") or (),
                stanza.get("adaptive_unmanage_options") or (),
            ),
            bounce_sweep_s=float(stanza["bounce_sweep_interval"]),
        ),
        store.read(),
        Figures(_monitor(stanza.get("fbl_stats_monitor"))),
    )
    stack.push_async_callback(store.close)
    interval_s = float(stanza["suspend_sweep_interval"])
    if interval_s:
        adaptive.tick()  # what ran out while the server was down
        ticking = asyncio.get_running_loop().create_task(_tick(adaptive, interval_s))
        stack.callback(ticking.cancel)
    return adaptive


async def _tick(adaptive: AdaptiveDelivery, interval_s: float) -> None:
    while True:
        await asyncio.sleep(interval_s)
        adaptive.tick()


def _open_log(config: Config, stanza: Mapping[str, Any]) -> LogFile | None:
    """`adaptive.log` in Log_Base, or in a folder beside the main log; None when neither is configured."""
    if not stanza.get("enable_logging", True):
        return None
    named = next((node.get("log_base") for node in config.root.named("adaptive")), None)
    main = (config.module("ec_logger") or {}).get("mainlog")
    if not named and not main:
        return None
    folder = Path(named) if named else Path(str(main)).parent / "adaptive"
    folder.mkdir(parents=True, exist_ok=True)
    return LogFile(folder / LOG)


def _monitor(words: Sequence[str] | None) -> tuple[float, int]:
    """`fbl_stats_monitor = ( seconds windows )`; the default when it is something else."""
    try:
        seconds, windows = words or ()
        return float(seconds), int(windows)
    except ValueError:
        return 14400.0, 6
