"""Random programs in which few names mean many things: locals hide each other in blocks, loops and functions.

What a name means, which Python name it gets, and when a function may run in a loop are what they are about. Programs
end: loops count to two, functions call themselves with less.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from testkit.programs import PRELUDE

NAMES = ("a", "b", "x")


def scope_program(seed: int) -> str:
    return _Maker(random.Random(seed)).program()


class _Maker:
    """One program. The arguments of a call of `f` count down, so that it ends."""

    def __init__(self, source: random.Random) -> None:
        self.random = source
        self.lines: list[str] = []
        self.count = 0
        self.parameters: list[str] | None = None  # of the function we are in

    def program(self) -> str:
        self.say(0, 'local a, b, x = 1, "t"')
        for _ in range(3):
            self.function()
            call = self.random.choice(
                ("show(pcall(f, 3, 1, 2, 3)) show(f(2))", "show((f(4, 'p')))")
            )
            self.say(0, call)
            self.block(3, 0)
        return PRELUDE + "\n".join(self.lines) + "\n"

    def say(self, depth: int, text: str) -> None:
        self.lines.append("  " * depth + text)

    def name(self) -> str:
        return self.random.choice(NAMES)

    def value(self) -> str:
        name = self.name()
        forms = ("1", "2", '"s"', name, name, f"(tonumber({name}) or 0) + 1", f"{name} or 5")
        return self.random.choice(forms)

    def function(self) -> None:
        self.parameters = self.random.sample(NAMES, self.random.randint(0, 3))
        opening = self.random.choice(("local function f", "local f; function f", "function f"))
        self.say(0, f"{opening}({', '.join(['n', *self.parameters])})")
        self.block(3, 1)
        if self.random.random() < 0.7:
            self.say(1, f"if n > 0 then return {self.again()} end")
        if self.random.random() < 0.7:
            self.say(1, "return a, b, x, n")
        self.say(0, "end")
        self.parameters = None

    def again(self) -> str:
        count = self.random.randint(0, len(self.parameters or ()) + 1)
        return f"f({', '.join(['n - 1', *(self.value() for _ in range(count))])})"

    def block(self, room: int, depth: int) -> None:
        """A few statements; room: how much deeper blocks may go."""
        for _ in range(self.random.randint(1, 4)):
            self.count += 1
            make, *_ = self.random.choices(*zip(*STATEMENTS.items(), strict=True))
            if room or make not in DEEPER:
                make(self, room - 1, depth)

    def declare(self, _room: int, depth: int) -> None:
        self.say(depth, f"local {self.name()} = {self.value()}")

    def declare_bare(self, _room: int, depth: int) -> None:
        self.say(depth, f"local {self.name()}")

    def assign(self, _room: int, depth: int) -> None:
        self.say(depth, f"{self.name()} = {self.value()}")

    def show(self, _room: int, depth: int) -> None:
        self.say(depth, f"show({self.name()}, {self.value()})")

    def closure(self, _room: int, depth: int) -> None:
        name, inside = f"g{self.count}", f"{self.name()} = {self.value()} show({self.name()})"
        self.say(depth, f"local function {name}() {inside} end {name}()")

    def leave(self, _room: int, depth: int) -> None:
        if self.parameters is not None:
            self.say(depth, f"if n > 0 and {self.name()} then return {self.again()} end")

    def do(self, room: int, depth: int) -> None:
        self.within("do", room, depth)

    def branch(self, room: int, depth: int) -> None:
        self.say(depth, f"if {self.name()} then")
        self.block(room, depth + 1)
        self.within("else", room, depth)

    def while_(self, room: int, depth: int) -> None:
        turns = f"w{self.count}"
        self.say(depth, f"local {turns} = 0")
        self.within(f"while {turns} < 2 do {turns} = {turns} + 1", room, depth)

    def for_(self, room: int, depth: int) -> None:
        self.within(f"for {self.name()} = 1, 2 do", room, depth)

    def within(self, opening: str, room: int, depth: int) -> None:
        self.say(depth, opening)
        self.block(room, depth + 1)
        self.say(depth, "end")


# Each statement, and how often it is made.
STATEMENTS: dict[Callable[[_Maker, int, int], None], int] = {
    _Maker.declare: 30,
    _Maker.declare_bare: 6,
    _Maker.assign: 14,
    _Maker.show: 12,
    _Maker.closure: 4,
    _Maker.leave: 5,
    _Maker.do: 8,
    _Maker.branch: 8,
    _Maker.while_: 7,
    _Maker.for_: 6,
}
DEEPER = {_Maker.do, _Maker.branch, _Maker.while_, _Maker.for_}
