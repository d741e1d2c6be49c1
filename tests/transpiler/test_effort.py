"""What compiling costs: steps in proportion to the length of the file, and a collector that comes back."""

from __future__ import annotations

import gc
import sys
from types import FrameType
from typing import Any

import pytest

import lua2py
from lua2py.collector import collector_waits
from lua2py.source import SourceFile

# Each repeats one construct that a pass once looked up by walking everything again.
SHAPES = {
    "modules": """do
  local mod{n} = {{}}
  function mod{n}:validate_data(msg, ac, vctx) return msys.core.VALIDATE_CONT end
  msys.registerModule("m{n}", mod{n})
end
""",
    "blocks": "do local x = f({n}) while x do local x = g(x) print(x) end end\n",
    "comments": "-- before {n}\nprint({n}) -- behind\n",
    "fields": "t.a{n} = {{\n  -- one\n  x = {n}, -- two\n  y = {{ 1, 2 }}, -- three\n}}\n",
    "globals": "function g{n}(a) h{n} = a return g{n}(h{n}) end\n",
    "locals": "do local a, b = {n} if q then b = a end print(a, b) end\n",
    "tail calls": "function t{n}() return t{next}() end\n",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_twice_the_lines_take_twice_the_steps(shape: str) -> None:
    once, twice = (steps(program(shape, count)) for count in (30, 60))
    assert twice < 2.2 * once


def program(shape: str, count: int) -> str:
    return "require('msys.core')\n" + "".join(
        SHAPES[shape].format(n=n, next=n + 1) for n in range(count)
    )


def steps(text: str) -> int:
    """How many lines of the compiler a translation runs; a turn of a comprehension counts as one."""
    count = 0

    def local(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal count
        count += event == "line"
        return local

    def entered(frame: FrameType, event: str, arg: Any) -> Any:
        return local if "lua2py" in frame.f_code.co_filename else None

    before = sys.gettrace()
    sys.settrace(entered)
    try:
        assert lua2py.translate(SourceFile.of_text(text)).ok
    finally:
        sys.settrace(before)
    return count


def test_the_collector_waits_until_the_last_pass_is_done() -> None:
    outer, inner = collector_waits(), collector_waits()
    assert gc.isenabled()
    with outer:
        assert not gc.isenabled()
        with inner:
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_collector_that_was_stopped_stays_stopped() -> None:
    gc.disable()
    try:
        with collector_waits():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
