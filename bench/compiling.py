"""How fast policy is compiled, and loaded when it was compiled before.

The same thousand lines each time, put together from the samples: translated cold by us, parsed and nothing else by
luaparser, and taken from the cache through the loader that the server uses.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from callouts import NOT_STOCK_LUA, SAMPLES
from luaparser import ast
from report import Row, compared, interleave

import lua2py
from lua2py.source import SourceFile
from moonpost.policy.deep import with_deep_stack
from moonpost.policy.loader import Loader, LoaderSettings, ScriptStanza
from msys.lua import open_libs
from msys.lua.environment import Environment, enter

LINES = 1000
PARSE_TARGET = 2.5  # times luaparser's own parse
NAME = "thousand"


def thousand_lines() -> str:
    """The samples one after the other, again and again, each in a block of its own."""
    texts = [
        path.read_text()
        for path in sorted(SAMPLES.glob("*/policy.lua"))
        if path.parent.name not in NOT_STOCK_LUA and not list(path.parent.glob("*/*.lua"))
    ]
    lines: list[str] = []
    while len(lines) < LINES:
        for text in texts:
            lines += ["do", *text.splitlines(), "end"]
    return "\n".join(lines) + "\n"


def compiling(rounds: int) -> list[Row]:
    text = thousand_lines()
    lines = text.count("\n")
    source = SourceFile(f"{NAME}.lua", text.encode())
    found = interleave(
        {
            "ours": lambda: _seconds(lambda: lua2py.translate(source)),
            "luaparser, parse only": lambda: _seconds(lambda: ast.parse(text)),
        },
        rounds,
    )
    speed = {side: [lines / seconds for seconds in each] for side, each in found.items()}
    note = f"{median(speed['ours']):,.0f} lines/s"
    return [
        compared(
            "compiler", f"{lines} lines, cold", "s", found, "luaparser, parse only", PARSE_TARGET,
            note=note,
        ),
        asyncio.run(_from_cache(text, rounds)),
    ]  # fmt: skip


async def _from_cache(text: str, rounds: int) -> Row:
    """Find, check, load and execute a file that was compiled before, as a restart does."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / f"{NAME}.lua").write_text(text)
        loader = Loader(LoaderSettings((root,), root / "cache"))
        stanzas = [ScriptStanza(NAME, NAME)]

        async def load() -> float:
            environment = Environment()
            enter(environment)
            open_libs(environment)
            began = time.process_time()
            prepared = await loader.prepare(stanzas)
            for script in prepared.scripts:
                script.run(environment)
            took = time.process_time() - began
            if not environment.registrations:
                raise SystemExit("the loaded file registered nothing")
            return took * 1000

        try:
            await load()
            found = [await load() for _ in range(rounds)]
        finally:
            await loader.close()
    note = f"{min(found):.1f} to {max(found):.1f} ms"
    lines = text.count("\n")
    return Row(
        "compiler", f"{lines} lines from the cache", median(found), "ms", rounds=rounds, note=note
    )


def _seconds(work: Callable[[], Any]) -> float:
    def timed() -> float:
        began = time.process_time()
        work()
        return time.process_time() - began

    return with_deep_stack(timed)


if __name__ == "__main__":
    from report import table

    print(table(compiling(3)))
