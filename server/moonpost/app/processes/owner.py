"""What the owner of the queues does for its acceptors: takes up their mail, answers their questions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from moonpost.app.processes.link import Staged
from moonpost.app.processes.worker import Owner
from moonpost.app.starting import CannotStart
from moonpost.config.commands import Refused
from moonpost.config.diagnostics import ConfigurationError
from moonpost.config.model import Config
from moonpost.policy.generation import Generation
from moonpost.policy.loader import Prepared
from moonpost.queue.manager import RESIDENT_SIZE
from moonpost.spool.record import QueueName
from msys.ports import PortError, State

if TYPE_CHECKING:
    from moonpost.app.server import Server


def owner_of(server: Server) -> Owner:
    """The server as its acceptors know it."""
    queues = server.queues

    def kept(messages: Sequence[tuple[str, QueueName]]) -> None:
        read = server.spool.just_kept([id for id, _ in messages], RESIDENT_SIZE)
        queues.arrived((queue, *found) for (_, queue), found in zip(messages, read, strict=True))

    async def died() -> None:
        server.spool.tidy()
        await queues.rescan()

    def changed(words: Sequence[str]) -> None:
        try:
            server.live.run(words)
        except (Refused, ConfigurationError) as error:
            server.log.panic(
                "workers", f"config {' '.join(words)}, by policy of an acceptor: {error}"
            )

    def answer(what: str, arguments: Sequence[Any]) -> Any:
        asked: dict[str, Callable[..., Any]] = {
            "domain": queues.domain_record,
            "failure_rate": queues.failure_rate,
        }
        return asked[what](*arguments)

    def happened(events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        for event, facts in events:
            for watch in server.events.watchers:
                watch(event, facts)

    return Owner(
        kept=kept,
        died=died,
        changed=changed,
        delay=queues.delay_domain,
        answer=answer,
        heard=server.shared_book.heard,
        happened=happened,
        traced=server.tracers.of_sessions,
        log=server.log,
    )


def staged(generation: Generation, config: Config) -> Staged:
    """A generation as acceptors are handed it. Its warnings have been told."""
    prepared = generation.environment.compiler
    assert isinstance(prepared, Prepared)
    compiled = replace(prepared.compiled, warnings=[])
    # What the configuration remembers of answers is for this process alone.
    return Staged(generation.number, replace(config, _answers={}), compiled, prepared.stanzas)


async def reachable(state: State) -> None:
    """CannotStart when the state that several processes are to share is not there."""
    try:
        value = state.counter_read("moonpost/start")
        if isawaitable(value):
            await value
    except PortError as error:
        raise CannotStart(
            f"Shared_State, without which several workers would each count limits alone, cannot be used: {error}"
        ) from None
