"""A piece of Lua policy inside a running call: compiled as the server compiles it, with fakes around it."""

from __future__ import annotations

from typing import Any

from moonpost.policy.loader import load_text
from msys import namespace
from msys.lua import call, open_libs
from msys.testing.policy import Policy


def results(here: Policy, text: str) -> tuple[Any, ...]:
    """What the chunk `text` returns when it is run in this call. Callers see `msg`, `vctx` and `accept`."""
    env = here.environment
    here.enter()
    if env.loaded["msys"] is None:
        open_libs(env)
        namespace.install(env)
    env.globals["msg"], env.globals["vctx"] = here.call.message, here.call.vctx
    env.globals["accept"] = here.call.accept
    return tuple(call(load_text(text, "chunk.lua", "thr")))
