"""The policy host: builds generations, swaps them whole, and frees the old ones.

A reload prepares a complete new generation beside the running one: compile, run every script, run every `init`. Only
when all of it succeeded does the new one become current; otherwise the old one goes on and the caller is told why.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any, Protocol

from moonpost.policy import blame
from moonpost.policy.bridge import Bridge
from moonpost.policy.carry import carry_over
from moonpost.policy.generation import Generation, unusable
from moonpost.policy.interface import PolicyState
from moonpost.policy.loader import LoadFailed, Prepared, ScriptStanza
from moonpost.policy.runner import Runner
from msys import namespace
from msys.lua import open_libs, tostring
from msys.lua.environment import Environment, Registration, enter
from msys.lua.linemap import forget_map
from msys.ports import Call, PolicyLimit, Ports, enter_call

QUIET_S = 2.0  # decided: files still being written are left alone until they have not changed for this long


@dataclass(slots=True)
class Reloaded:
    """What a reload came to."""

    changed: bool
    number: int  # of the generation that is current now
    scripts: int = 0
    problems: list[str] = field(default_factory=list)  # why the old generation stays
    warnings: list[str] = field(default_factory=list)
    policy_refused: bool = False  # the problems are those of policy, not of the configuration


@dataclass(slots=True)
class HostSettings:
    """script_ttl_s: age at which sources are compared with what runs; missing_return: `error` or `cont`.

    leads: timers that scripts make while they load run here, sources are watched here, and warnings are told here. Of
    the processes of one server, one leads.
    """

    script_ttl_s: float = 300.0
    missing_return: str = "error"
    leads: bool = True


Agree = Callable[["Generation"], Awaitable[list[str]]]


class Loads(Protocol):
    """What the host asks of a Loader."""

    async def prepare(self, stanzas: Sequence[ScriptStanza]) -> Prepared: ...
    def changed(self, hashes: dict[str, str]) -> bool: ...
    def quiet_for(self, hashes: dict[str, str], seconds: float) -> bool: ...


class Host:
    """Owns the current generation. runner: Runner, or what also watches it run; a script without a stanza name has
    the names it registers.
    """

    def __init__(
        self,
        ports: Ports,
        bridge: Bridge,
        loader: Loads,
        settings: HostSettings | None = None,
        *,
        runner: Callable[..., Runner] = Runner,
    ) -> None:
        self._ports = ports
        self._runner = runner
        self._bridge = bridge
        self._loader = loader
        self._settings = settings or HostSettings()
        self._stanzas: Sequence[ScriptStanza] = ()
        self._modules: Sequence[Registration] = ()
        self._current: Generation | None = None
        self._old: list[Generation] = []
        self._number = 0
        self._one_at_a_time = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self.on_swap: list[Callable[[Generation], None]] = []
        # with the number of the generation that stays, and why
        self.on_refusal: list[Callable[[int, list[str]], None]] = []
        # asked before a generation becomes current; what it answers keeps the old one
        self.agree: Agree | None = None

    # --- for sessions ------------------------------------------------------------------------------------

    def current(self) -> Generation:
        """The generation that new transactions use."""
        assert self._current is not None, "start() comes first"
        return self._current

    def generations(self) -> list[Generation]:
        """The current one first, then old ones that sessions still use."""
        return [self.current(), *self._old]

    # --- life --------------------------------------------------------------------------------------------

    async def start(
        self,
        stanzas: Sequence[ScriptStanza],
        modules: Sequence[Registration] = (),
        *,
        number: int = 1,
    ) -> Reloaded:
        """Build and adopt the first generation. Raises LoadFailed: a server never starts without its policy.

        modules: what judges mail without a script; they run first.
        """
        self._stanzas, self._modules = stanzas, modules
        self._number = number - 1
        generation, warnings = await self._build(stanzas, modules)
        self._swap(generation)
        if self._settings.leads:
            self._spawn(self._watch())
        return self._report(True, warnings)

    async def stage(
        self, stanzas: Sequence[ScriptStanza], modules: Sequence[Registration], number: int
    ) -> Generation:
        """Build a generation that another process leads to; `adopt` or `abandon` it. Raises LoadFailed."""
        self._number = number - 1
        generation, _ = await self._build(stanzas, modules)
        return generation

    def adopt(self, generation: Generation) -> None:
        """Make a staged generation the current one."""
        self._swap(generation)

    async def abandon(self, generation: Generation) -> None:
        """Let go of a generation that never became current."""
        await self._retire(generation)

    async def reload(
        self,
        stanzas: Sequence[ScriptStanza] | None = None,
        modules: Sequence[Registration] | None = None,
        *,
        only_if_changed: bool = False,
        agree: Agree | None = None,
    ) -> Reloaded:
        """Build a new generation and adopt it whole, or say why the old one stays.

        agree: asked in place of `self.agree`.
        """
        async with self._one_at_a_time:
            if only_if_changed and not await self._sources_changed():
                return self._report(False, [])
            wanted = self._stanzas if stanzas is None else stanzas
            judging = self._modules if modules is None else modules
            try:
                generation, warnings = await self._build(wanted, judging)
                ask = agree or self.agree
                if ask is not None and (problems := await ask(generation)):
                    await self.abandon(generation)
                    raise LoadFailed(problems)
            except LoadFailed as failed:
                for line in failed.problems:
                    self._ports.log.panic("scriptlet", line)
                self._ports.log.panic(
                    "scriptlet",
                    f"reload refused; generation {self.current().number} stays in force",
                )
                for tell in self.on_refusal:
                    tell(self.current().number, failed.problems)
                return Reloaded(
                    False, self.current().number, problems=failed.problems, policy_refused=True
                )
            self._stanzas, self._modules = wanted, judging
            self._swap(generation)
            return self._report(True, warnings)

    async def stop(self) -> None:
        """Run `deinit` everywhere and end the watch."""
        for task in tuple(self._tasks):
            task.cancel()
        for generation in self.generations() if self._current else []:
            await self._retire(generation)

    # --- building ----------------------------------------------------------------------------------------

    async def _build(
        self, stanzas: Sequence[ScriptStanza], modules: Sequence[Registration]
    ) -> tuple[Generation, list[str]]:
        prepared = await self._loader.prepare(stanzas)
        environment = Environment(compiler=prepared)
        open_libs(environment)
        namespace.install(environment)
        environment.registrations += modules
        if self._current is not None:
            carry_over(self._current.environment.globals, environment.globals)
        warnings = list(prepared.warnings)
        await self._in_policy(
            environment, "", lambda: self._run_scripts(prepared, environment, warnings)
        )
        self._number += 1
        runner = self._runner(
            environment, self._ports, missing_return=self._settings.missing_return
        )
        generation = Generation(
            self._number, environment, self._bridge, runner, self._went_idle, prepared.hashes
        )
        for name in unusable(environment):
            warnings.append(f"no usable methods found for module {name} in registerModule call")
        await self._initialise(generation, warnings)
        for text in warnings if self._settings.leads else ():
            self._ports.log.panic("scriptlet", text, "warning")
        return generation, warnings

    def _run_scripts(
        self, prepared: Prepared, environment: Environment, warnings: list[str]
    ) -> None:
        for script in prepared.scripts:
            before = len(environment.registrations)
            environment.script = script.path
            script.run(environment)
            names = [r.name for r in environment.registrations[before:]]
            if names and script.stanza and script.stanza not in names:
                registered = ", ".join(names)
                warnings.append(
                    f'script "{script.stanza}" registers module {registered}: '
                    "the names differ; it runs all the same"
                )

    async def _in_policy(
        self, environment: Environment, callout: str, function: Callable[[], Any]
    ) -> Any:
        """Run `function` as policy; what it raises becomes LoadFailed."""

        def enter_and_run() -> Any:
            enter(environment)
            call = Call(self._ports, environment, callout=callout, phase="init", can_wait=True)
            enter_call(call)
            return function()

        try:
            answer = self._bridge.start(enter_and_run)
            return await answer if isawaitable(answer) else answer
        except Exception as error:
            problem = blame.of_exception(error, "", callout)
        except PolicyLimit as limit:
            problem = blame.of_limit(limit, "", callout)
        raise LoadFailed([problem.text])

    async def _initialise(self, generation: Generation, warnings: list[str]) -> None:
        state = PolicyState()
        for callout in ("init", "rsrc_setup"):
            answer = generation.run(callout, state, ())
            outcome = await answer if isinstance(answer, Awaitable) else answer
            if outcome.error is not None:
                raise LoadFailed(
                    [f"{outcome.error.module}: {callout} failed: {outcome.error.text}"]
                )
            for result in outcome.results if callout == "init" else ():
                if result is not True:
                    warnings.append(f"init returned {tostring(result)}; true is expected")

    # --- swapping ----------------------------------------------------------------------------------------

    def _swap(self, generation: Generation) -> None:
        old, self._current = self._current, generation
        for adopt in self.on_swap:
            adopt(generation)
        for timer in generation.environment.timers if self._settings.leads else ():
            timer.arm()
        if old is not None:
            for timer in old.environment.timers:
                timer.disarm()
            self._old.append(old)
            if old.users == 0:
                self._went_idle(old)

    def _went_idle(self, generation: Generation) -> None:
        if generation is not self._current and generation in self._old:
            self._old.remove(generation)
            self._spawn(self._retire(generation))

    async def _retire(self, generation: Generation) -> None:
        answer = generation.run("deinit", PolicyState(), ())
        outcome = await answer if isinstance(answer, Awaitable) else answer
        if outcome.error is not None:
            self._ports.log.panic(
                "scriptlet", f"{outcome.error.module}: deinit: {outcome.error.text}"
            )
        alive = [each.environment for each in self.generations()]
        for filename in filenames(generation.environment).difference(*map(filenames, alive)):
            forget_map(filename)

    # --- noticing changes --------------------------------------------------------------------------------

    async def _sources_changed(self) -> bool:
        return await asyncio.to_thread(self._loader.changed, self.current().hashes)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(max(self._settings.script_ttl_s, 0.1))
            with contextlib.suppress(OSError):
                if await self._sources_changed():
                    while not await asyncio.to_thread(
                        self._loader.quiet_for, self.current().hashes, QUIET_S
                    ):
                        await asyncio.sleep(0.2)
                    await self.reload(only_if_changed=True)

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _report(self, changed: bool, warnings: list[str]) -> Reloaded:
        return Reloaded(changed, self.current().number, len(self._stanzas), warnings=warnings)


def filenames(environment: Environment) -> set[str]:
    """The code files that a generation executed."""
    prepared = environment.compiler
    return prepared.filenames if isinstance(prepared, Prepared) else set()
