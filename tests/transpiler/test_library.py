"""The compiler's table of the standard library names what the runtime has, under both spellings."""

from __future__ import annotations

import pytest

import msys.lua
from lua2py.facts import library
from msys.lua import environment
from testkit.cases import lua_environment

NAMES = sorted({*library.FUNCTIONS, *library.CONSTANTS} - {"require"})


@pytest.mark.parametrize("name", NAMES)
def test_what_the_compiler_spells_is_there(name: str) -> None:
    lua_environment("thr")
    in_lua = environment().globals
    for part in name.split("."):
        in_lua = in_lua[part]
    if name in library.THROUGH_GLOBALS:
        assert in_lua is not None
        return
    in_python = msys.lua
    for part in library.SPELLING.get(name, name).split("."):
        in_python = getattr(in_python, part)
    assert callable(in_python) == callable(in_lua)
