"""Policy as the console sees it: its generations, the commands that scripts registered, chunks to evaluate.

Implements `moonpost.control.services.Scripts` over the policy host. `print` answers on the console.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from inspect import isawaitable
from typing import Any

from moonpost.control.services import CommandFailed
from moonpost.policy import blame
from moonpost.policy.bridge import Bridge
from moonpost.policy.generation import Generation
from moonpost.policy.host import Host
from msys.lua import Table, Userdata, tostring, values
from msys.lua.bytestr import to_bytes, to_str
from msys.lua.environment import enter
from msys.lua.errors import RuntimeFault
from msys.ports import Call, PolicyLimit, Ports, enter_call


class Arguments(Table):
    """The words of a command, counted from 0. A word that is not there raises: the original would crash."""

    __slots__ = ()

    def __missing__(self, key: Any) -> Any:
        if isinstance(key, int | float) and not isinstance(key, bool):
            raise RuntimeFault(f"the command has no word {key:g}; cc.argc is {len(self)}")
        return None


class ControlCommand(Userdata):
    """The argument of a function that msys.registerControl was given."""

    lua_type = "msys.core:_control_client"
    lua_fields = frozenset(("argc", "argv"))

    def __init__(self, words: Sequence[str]) -> None:
        self.argc = len(words)
        self.argv = Arguments(enumerate(to_str(word.encode("utf-8")) for word in words))


class HostScripts:
    """The current generation, for the console."""

    def __init__(
        self,
        host: Host,
        bridge: Bridge,
        ports: Ports,
        elsewhere: Callable[[], Mapping[int, int]] = dict,
    ) -> None:
        """elsewhere: sessions of each generation in other processes."""
        self._host, self._bridge, self._ports = host, bridge, ports
        self._elsewhere = elsewhere

    def policy_hash(self) -> str:
        """One hash over names and contents of all sources in force."""
        rows = sorted(self._host.current().hashes.items())
        return hashlib.sha256(repr(rows).encode()).hexdigest()

    def generations(self) -> Sequence[Mapping[str, Any]]:
        current = self._host.current().number
        users = Counter(self._elsewhere())
        users.update({each.number: each.users for each in self._host.generations()})
        return [
            {"number": number, "current": "yes" if number == current else "no", "sessions": count}
            for number, count in sorted(users.items(), reverse=True)
        ]

    def has_command(self, word: str) -> bool:
        return word in self._host.current().environment.commands

    async def run_command(self, words: Sequence[str]) -> str:
        generation = self._host.current()
        function = generation.environment.commands[words[0]]
        command = ControlCommand(words)
        return await self._run(generation, words[0], lambda: function(command), results=False)

    async def evaluate(self, chunk: str) -> str:
        generation = self._host.current()
        environment = generation.environment
        text = to_str(chunk.encode("utf-8"))

        def load_and_run() -> Any:
            if environment.compiler is None:
                raise RuntimeFault("there is no compiler here")
            return environment.compiler.load(text, "=console", environment)()

        return await self._run(generation, "scriptlet eval", load_and_run, results=True)

    async def _run(
        self, generation: Generation, what: str, function: Callable[[], Any], *, results: bool
    ) -> str:
        """Run `function` as policy; the lines it printed, and what it returned if `results`."""
        lines: list[str] = []
        call = Call(self._ports, generation.environment, callout="control", output=lines.append)

        def inside() -> None:
            enter(generation.environment)
            enter_call(call)
            try:
                answer = function()
                if results:
                    lines.extend(map(tostring, values(answer)))
            finally:
                while call.at_end:
                    call.at_end.pop()()

        generation.hold()
        try:
            waiting = self._bridge.start(inside)
            if isawaitable(waiting):
                await waiting
        except Exception as error:
            failed = blame.of_exception(error, what, "control")
        except PolicyLimit as limit:
            failed = blame.of_limit(limit, what, "control")
        else:
            return _readable("\n".join(lines))
        finally:
            generation.release()
        self._ports.log.panic("scriptlet", f"console command {what}: {failed.text}")
        raise CommandFailed(_readable("\n".join([*lines, failed.text])))


def _readable(text: str) -> str:
    return to_bytes(text).decode("utf-8", "replace")
