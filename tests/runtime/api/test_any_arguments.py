"""Whatever policy passes, a function answers or raises a Lua error that names it: never an error of Python's.

Made from the catalogue: each form is called from compiled Lua with too few arguments, with nil, and with a value of every
other type in each place while the other places hold what fits there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from msys.accept import Accept
from msys.catalog import Row, rows
from msys.http.client import Client
from msys.httpclnt import HttpRequest, HttpSession
from msys.lua import Table, call, open_libs
from msys.lua import explain as explaining
from msys.lua.environment import Environment
from msys.message import Message
from msys.namespace import install, load_all
from msys.testing.policy import policy
from msys.vctx import ValidationContext
from testkit.lua_chunk import results

load_all()

CONTENT = b"From: ann@example.test\r\nSubject: x\r\nContent-Type: text/plain\r\n\r\nbody\r\n"
# Phases tried in this order: the first that the row names, or data.
PHASES = ("data", "set_binding", "connect", "core_final_validation", "init", "rcptto")
CALLOUTS = {
    "data": "validate_data",
    "set_binding": "validate_set_binding",
    "connect": "validate_connect",
    "core_final_validation": "core_final_validation",
    "init": "init",
    "rcptto": "validate_rcptto",
}
# What a phase has not got.
LACKING = {
    "": ("accept", "vctx", "message"),
    "init": ("accept", "vctx", "message"),
    "connect": ("message",),
}
WRONG: tuple[Any, ...] = (
    None,
    -1,
    1.5,
    float("nan"),
    2.0**70,
    "",
    "x",
    "\x00\xff",
    True,
    False,
    "table",
    "function",
)

# What a complaint about an argument looks like; other errors say what is not there, or not now.
NAMELESS = re.compile("expected|bad argument|attempt to")


class World:
    """Objects that stand in the places where they fit."""

    def __init__(self) -> None:
        self.message = Message(content=CONTENT, mailfrom="ann@example.test", rcptto="bob@b.test")
        self.vctx = ValidationContext(conn=self.message.conn, mess=self.message.mess)
        self.accept = Accept()
        self.accept.vctx, self.accept.message = self.vctx, self.message

    def receiver(self, row: Row) -> Any:
        makers: dict[str, Callable[[], Any]] = {
            "msg": lambda: self.message,
            "msgpart": lambda: self.message.mime(False),
            "vctx": lambda: self.vctx,
            "ac": lambda: self.accept,
            "client": Client,
            "sess": lambda: HttpSession(HttpRequest()),
        }
        return makers[row.receiver]() if row.receiver else None

    def fitting(self, parameter: str) -> Any:
        """A value that fits a parameter, told by its name."""
        name = parameter.strip("[]")
        return {
            "msg": self.message,
            "m": self.message,
            "vctx": self.vctx,
            "ctx": self.vctx,
            "closure": lambda *_: None,
            "type": 1,
            "options": Table(),
            "params": Table(),
            "vars": Table(),
            "headers": Table(),
            "parts": Table(),
            "functable": Table(),
            "authtable": Table(),
            "traptable": Table(),
            "interval": 1,
            "delta": 1,
            "number": 1,
            "code": 1,
            "codenum": 550,
            "flags": 1,
            "duration_in_seconds": 1,
        }.get(name, "x")


def text_of(row: Row, places: int) -> str:
    """Lua that calls the form with the first n of its arguments."""
    names = [f"a{number}" for number in range(1, places + 1)]
    target = f"receiver:{row.name.partition(':')[2]}" if row.is_method else row.name
    lines = [
        f"if n == {n} then return {target}({', '.join(names[:n])}) end" for n in range(places + 1)
    ]
    return f"function(receiver, n, {', '.join(names) or '_'})\n" + "\n".join(lines) + "\nend"


CALLED = [row for row in rows() if not row.is_property]


def places_of(row: Row) -> int:
    return len(row.params) + ("..." in row.params[-1:] or "[...]" in row.params[-1:])


@pytest.fixture(scope="module")
def world_of_lua() -> tuple[Environment, dict[str, Any]]:
    """Every form as a compiled Lua function."""
    environment = Environment()
    open_libs(environment)
    install(environment)
    text = "return {\n" + ",\n".join(text_of(row, places_of(row)) for row in CALLED) + "\n}"
    with policy(environment=environment) as here:
        (made,) = results(here, text)
    return environment, {row.key: made[number] for number, row in enumerate(CALLED, 1)}


@pytest.fixture
def internal() -> Iterator[list[BaseException]]:
    """What is logged as an error of our own."""
    found: list[BaseException] = []
    explaining.on_internal_error(found.append)
    yield found
    explaining.on_internal_error(None)


def attempts(row: Row, world: World) -> Iterator[tuple[Any, ...]]:
    """Argument lists: too few, all nil, all fitting, one wrong."""
    fitting = tuple(world.fitting(p) for p in row.params)
    fitting += ("x",) * (places_of(row) - len(fitting))
    for count in range(len(fitting)):
        yield fitting[:count]
        yield (None,) * (count + 1)
    yield fitting
    for place, wrong in product(range(len(fitting)), WRONG):
        value = (
            Table({1: "x", "x": True})
            if wrong == "table"
            else (lambda *_: None)
            if wrong == "function"
            else wrong
        )
        yield (*fitting[:place], value, *fitting[place + 1 :])


@pytest.mark.parametrize("row", CALLED, ids=lambda row: row.key)
def test_any_argument_is_answered_or_refused_by_name(
    row: Row,
    world_of_lua: tuple[Environment, dict[str, Any]],
    internal: list[BaseException],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    environment, functions = world_of_lua
    phase = next((phase for phase in PHASES if phase in row.phases), "data")
    wanted = None if row.results is None else len(row.results)
    short = row.name.replace(":", ".").rpartition(".")[2]
    problems = []
    for arguments in list(attempts(row, World())):
        world = World()
        with policy(
            CALLOUTS[phase],
            phase=phase,
            environment=environment,
            message=world.message,
            vctx=world.vctx,
            accept=world.accept,
        ):
            shown = f"{row.name}{arguments}"
            try:
                values = call(functions[row.key], world.receiver(row), len(arguments), *arguments)
            except Exception as error:
                lua = explaining.explain(error)
                if NAMELESS.search(str(lua.value)) and short not in str(lua.value):
                    problems.append(f"{shown}: {lua.value}")
            else:
                if (
                    wanted is not None
                    and len(values) != wanted
                    and row.receiver not in ("msg", "msgpart")
                ):
                    problems.append(f"{shown} gives {values}")
    assert not internal, (problems[-3:], internal)
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("row", CALLED, ids=lambda row: row.key)
def test_in_any_phase_a_function_answers_or_says_what_it_lacks(
    row: Row,
    world_of_lua: tuple[Environment, dict[str, Any]],
    internal: list[BaseException],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Timers and `init` have no session at all, connect has no message: nothing may be taken for granted."""
    monkeypatch.chdir(tmp_path)
    environment, functions = world_of_lua
    for phase, callout in [*CALLOUTS.items(), ("", "timer")]:
        world = World()
        around: dict[str, Any] = {
            "accept": world.accept,
            "vctx": world.vctx,
            "message": world.message,
        }
        for missing in LACKING.get(phase, ()):
            around[missing] = None
        with policy(callout, phase=phase, environment=environment, **around):
            places = [
                None if p.strip("[]") in ("msg", "m", "vctx", "ctx") else world.fitting(p)
                for p in row.params
            ]
            places += ["x"] * (places_of(row) - len(places))
            try:
                call(functions[row.key], world.receiver(row), len(places), *places)
            except Exception as error:
                assert str(explaining.explain(error).value), phase
        assert not internal, (phase, internal)
