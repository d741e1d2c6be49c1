"""Debugged programs are processes of their own, with one compile cache for all of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

POLICY = """\
require("msys.core") require("msys.extended.vctx")
local mod = {}

local function double(n)
  local twice = n * 2 -- line 5
  return twice
end

-- A comment has no code.
function mod:init()
  return true -- line 11
end

function mod:validate_connect(ac, vctx)
  local total = 0 -- line 15
  for number = 1, 3 do
    total = total + double(number) -- line 17
  end
  local found, err = msys.dnsLookup("a.example.test", "A") -- line 19, suspends
  vctx:set(msys.core.VCTX_CONN, "total", total)
  return msys.core.VALIDATE_CONT -- line 21
end

function mod:validate_ehlo(str, ac, vctx)
  local total = vctx:get(msys.core.VCTX_CONN, "total") -- line 25
  return msys.core.VALIDATE_CONT
end

msys.registerModule("mine", mod)
"""

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("debug") / "mine"
    found.mkdir()
    (found / "policy.lua").write_text(POLICY, encoding="utf-8")
    return found


@pytest.fixture(scope="module")
def start(folder: Path) -> Iterator[Start]:
    """`moonpost debug` with these arguments; killed at the end when it still runs."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder.parent / "cache")}
    started: list[subprocess.Popen[bytes]] = []

    def begin(*arguments: str | Path) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-m", "moonpost", "debug", *map(str, arguments)]
        process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
