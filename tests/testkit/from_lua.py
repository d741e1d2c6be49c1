"""Proof that a test calls functions of the catalogue from compiled Lua: a pytest plugin.

A test marked `@pytest.mark.from_lua("msg:header")` fails when no compiled module called that function while it ran, in
this process. Calls are seen with a profile function, so that the functions themselves stay as they are. A function that
another function of the runtime calls does not count; the helpers of `msys.lua` between a module and the function do.
Rows that share a name share a function, and are proved together.

With FROM_LUA_LIST in the environment, the names that the collected tests are marked with go into that file.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

import msys.lua
from msys.catalog.binding import BOUND
from msys.lua.linemap import registered_maps
from msys.namespace import load_all

MARK = "from_lua"
LIST = os.environ.get("FROM_LUA_LIST", "")
HELPERS = str(Path(msys.lua.__file__).parent)


@cache
def _codes() -> dict[CodeType, str]:
    load_all()
    return {function.__code__: name for name, function in BOUND.items()}


def _is_from_lua(frame: FrameType | None) -> bool:
    """Whether the first caller that is no helper of the language is a compiled module.

    A `__call__` is one too: `vctx.disconnect` is a field to read and a method to call.
    """
    while frame is not None and (
        frame.f_code.co_filename.startswith(HELPERS) or frame.f_code.co_name == "__call__"
    ):
        frame = frame.f_back
    return frame is not None and frame.f_code.co_filename in registered_maps()


@contextmanager
def watching() -> Iterator[set[str]]:
    """The names of the functions that compiled modules call inside the block, in every thread started there."""
    codes, called = _codes(), set[str]()

    def see(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            name = codes.get(frame.f_code)
            if name is not None and name not in called and _is_from_lua(frame.f_back):
                called.add(name)

    before, before_threads = sys.getprofile(), threading.getprofile()
    threading.setprofile(see)
    sys.setprofile(see)
    try:
        yield called
    finally:
        sys.setprofile(before)
        threading.setprofile(before_threads)


def wanted(item: pytest.Item) -> set[str]:
    """The rows that a test says it calls from Lua."""
    return {name for mark in item.iter_markers(MARK) for name in mark.args}


def pytest_collection_finish(session: pytest.Session) -> None:
    if LIST:
        names = sorted({name for item in session.items for name in wanted(item)})
        Path(LIST).write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    names = wanted(item)
    if not names:
        return (yield)
    with watching() as called:
        yield
    if missing := sorted(names - called):
        pytest.fail(f"compiled Lua never called {', '.join(missing)} in this test", pytrace=False)
    return None
