"""Random programs, run here and by lua5.1: who prints something else, and the shortest such program.

One lua5.1 process runs a whole batch, each program in globals of its own. By hand:

    PYTHONPATH=tests python -m testkit.compare deep 0 2000     the seeds 0 to 1999 of one kind
    PYTHONPATH=tests python -m testkit.compare deep 17         one seed, shortened as far as it goes
"""

from __future__ import annotations

import itertools
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import CodeType, FrameType
from typing import Any

from lua2py import SourceFile, load_module, translate
from lua2py.parse import lua_message
from lua2py.pipeline import Analysis, analyse, siblings_of
from msys.lua.explain import explain
from msys.lua.linemap import LineMap, register_map
from testkit.cases import captured, lua_environment
from testkit.deep_programs import EXTRA, deep_program
from testkit.oracle import lua_string, run_lua
from testkit.programs import PRELUDE, program
from testkit.scope_programs import scope_program

KINDS: dict[str, Callable[[int], str]] = {
    "plain": program,
    "deep": deep_program,
    "scopes": scope_program,
}
WHOLE = (
    5  # one program of so many has the prelude in its own file, so that the compiler sees all calls
)
LIMIT_S = 20  # chosen: programs take milliseconds
END = "\x01end"  # the line between programs
SHARED = PRELUDE + EXTRA
ADDRESS = re.compile(r"(table: |function: |thread: )0x[0-9a-f]+", re.IGNORECASE)

_DRIVER = r"""
local function run(prelude, text)
  local own = {}
  for name, value in pairs(_G) do own[name] = value end
  own._G = own
  setfenv(assert(loadstring(prelude, "=prelude.lua")), own)()
  local chunk, wrong = loadstring(text, "=case.lua")
  if not chunk then return print("lua: " .. wrong) end
  local ok, wrong = pcall(setfenv(chunk, own))
  if not ok then print("lua: " .. tostring(wrong)) end
end
"""


@dataclass(frozen=True)
class Difference:
    """A program that prints something else here."""

    name: str
    text: str
    ours: str
    theirs: str

    def __str__(self) -> str:
        for here, there in itertools.zip_longest(self.ours.splitlines(), self.theirs.splitlines()):
            if here != there:
                return f"{self.name}\n  ours:   {here}\n  lua5.1: {there}"
        return self.name


class TooLong(BaseException):
    """A program did not end; no `pcall` of it sees this."""


# --- running


def theirs(texts: Sequence[str]) -> list[str]:
    """What lua5.1 prints for each program."""
    calls = [f'run(prelude, {lua_string(text)}) print("{END}")' for text in texts]
    program = "\n".join([_DRIVER, f"local prelude = {lua_string(SHARED)}", *calls])
    return _steady(run_lua(program, limit_s=LIMIT_S).decode("latin-1")).split(END + "\n")[:-1]


def ours(text: str) -> str:
    """What a program prints here."""
    environment = lua_environment("5.1")
    prelude, code, line_map = _prelude()
    own = analyse(SourceFile("case.lua", text.encode("latin-1")), std="5.1")
    translation = translate(own, siblings=siblings_of(own, [prelude]))
    if not translation.ok:
        return f"lua: {lua_message(translation.diagnostics[0], '=case.lua')}\n"
    with captured() as printed, limited():
        _execute(code, line_map)
        try:
            _execute(*load_module(translation, filename="case.py"))
        except Exception as error:
            environment.globals["print"](f"lua: {explain(error).value}")
        sys.stdout.flush()
        return _steady(printed())


@cache
def _prelude() -> tuple[Analysis, CodeType, Mapping[str, Any]]:
    analysis = analyse(SourceFile("prelude.lua", SHARED.encode("latin-1")), std="5.1")
    translation = translate(analysis, shared=frozenset("*"))
    return analysis, *load_module(translation, filename="prelude.py")


def _execute(code: CodeType, line_map: Mapping[str, Any]) -> None:
    register_map(code.co_filename, LineMap.from_json(line_map))
    exec(code, {"__name__": "program", "ARGS": ()})


@contextmanager
def limited() -> Iterator[None]:
    """Stop a program that does not end."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


# --- comparing


def text_of(kind: str, seed: int) -> str:
    """The program of a seed, as bytes are shown here."""
    text = KINDS[kind](seed)
    if seed % WHOLE:
        text = text.removeprefix(PRELUDE).removeprefix(EXTRA)
    return text.encode("utf-8").decode("latin-1")


def differences(kind: str, seeds: Sequence[int]) -> list[Difference]:
    """The programs of these seeds that print something else here."""
    return compared([f"{kind} {seed}" for seed in seeds], [text_of(kind, seed) for seed in seeds])


def compared(names: Sequence[str], texts: Sequence[str]) -> list[Difference]:
    """Of these programs, those that print something else here."""
    expected = theirs(texts)
    assert len(expected) == len(texts), f"lua5.1 ended in {names[len(expected)]}"
    found = []
    for name, text, there in zip(names, texts, expected, strict=True):
        try:
            here = ours(text)
        except TooLong:
            here = f"no end within {LIMIT_S} s\n"
        if here != there:
            found.append(Difference(name, text, here, there))
    return found


def _steady(printed: str) -> str:
    """Without addresses, which no two runs share."""
    return ADDRESS.sub(r"\1ADDRESS", printed)


def shortened(difference: Difference) -> Difference:
    """The same difference by fewer lines: whatever can go without the difference going is gone.

    A shorter program counts when it compiles as much as the long one.
    """
    compiles = _compiles(difference.text)
    lines = difference.text.splitlines()
    best, size = difference, len(lines) // 2
    while size:
        at = 0
        while at < len(lines):
            shorter = lines[:at] + lines[at + size :]
            text = "\n".join(shorter) + "\n"
            found = _differs(difference.name, text) if _compiles(text) == compiles else None
            if found:
                best, lines = found, shorter
            else:
                at += size
        size //= 2
    return best


def _compiles(text: str) -> bool:
    return analyse(SourceFile("case.lua", text.encode("latin-1")), std="5.1").ok


def _differs(name: str, text: str) -> Difference | None:
    try:
        return next(iter(compared([name], [text])), None)
    except subprocess.TimeoutExpired:
        return None  # without a line that ended it


def main(kind: str, first: int, count: int = 1) -> None:
    """Print what differs; of a single seed the whole story."""
    for at in range(first, first + count, 200):
        for found in differences(kind, range(at, min(at + 200, first + count))):
            print(found, flush=True)
            if count == 1:
                short = shortened(found)
                print(f"--- program\n{short.text}--- ours\n{short.ours}--- lua5.1\n{short.theirs}")
    print(f"{kind}: {count} programs from {first}")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:4]))
