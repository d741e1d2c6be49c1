"""What compiled policy costs: six programs, and the callouts of the samples.

    .venv/bin/python bench/callouts.py [--rounds 9] [--only callout]

Each program runs compiled by us, written by hand in Python, under `lua5.1`, and under lupa with the API in Python; all
four must come to the same answer before anything is timed. The API is a stand-in of a few lines in every language, so
that the language is measured and not the mail. Figures are processor time.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from host import CASES
from report import Row, compared, interleave, mean_row, table
from sides import PROGRAMS, Callouts, Lua, Lupa, Side, compiled, handwritten

NAMES = ("callout", "headers", "counters", "recursion", "sorting", "strings")
TARGETS = {  # what the callout alone, and all six in the geometric mean, are to stay below
    "handwritten": (1.2, 1.4),
    "lua5.1": (1.1, 1.6),
    "lupa": (0.15, None),
}
SAMPLES = Path(__file__).parent.parent / "samples"
NOT_STOCK_LUA = {"dialect": "operators of Momentum", "broken": "fails on purpose"}
TURN_S = 0.05  # of processor time per side and round: 500 times what reading the clock costs


class Differs(Exception):
    """Two sides came to different answers: there is nothing to compare."""


def programs(rounds: int, only: Sequence[str] = NAMES) -> list[Row]:
    """The six programs against everyone, and the means."""
    rows: list[Row] = []
    for name in only:
        path = PROGRAMS / f"{name}.lua"
        ours, wanted = compiled(path)
        others: list[Side] = [handwritten(path.with_suffix(".py"))]
        if shutil.which("lua5.1"):
            others.append(Lua(path, wanted))
        others.append(Lupa(path, wanted))
        measured = times([ours, *others], wanted, rounds, name)
        for other in others:
            target = TARGETS[other.name][0] if name == "callout" else None
            rows.append(
                compared("program", name, "us", measured, other.name, target, ours=ours.name)
            )
    for against, (_, target) in TARGETS.items():
        if target and len(only) > 1 and any(row.against == against for row in rows):
            rows.append(mean_row("program", rows, against, target))
    return rows


def samples(rounds: int) -> list[Row]:
    """Every callout of the samples against lua5.1, a sample at a time."""
    rows: list[Row] = []
    for path in sorted(SAMPLES.glob("*/policy.lua")):
        name = path.parent.name
        if name in NOT_STOCK_LUA or list(path.parent.glob("*/*.lua")):  # or spread over files
            continue
        ours, wanted = compiled(path, stub=True)
        measured = times([ours, Lua(path, wanted)], wanted, rounds, name)
        rows.append(compared("sample", name, "us", measured, "lua5.1", ours=ours.name))
    return [*rows, mean_row("sample", rows, "lua5.1", TARGETS["lua5.1"][1])]


def times(
    sides: Sequence[Side], wanted: Callouts, rounds: int, name: str
) -> dict[str, list[float]]:
    """Microseconds per call of every side in every round. Raises Differs."""
    expected = sides[0].answer()
    for side in sides[1:]:
        found = side.answer()
        if found != expected:
            raise Differs(
                f"{name}: {sides[0].name} and {side.name} differ\n{expected}\n--\n{found}"
            )
    count = max(1, int(20 * TURN_S / max(sides[0].time_s(20), 1e-6)))
    calls = count * (len(CASES) * len(wanted) if wanted else 1)
    timed: dict[str, Callable[[], float]] = {
        side.name: partial(_per_call_us, side, count, calls) for side in sides
    }
    return interleave(timed, rounds)


def _per_call_us(side: Side, count: int, calls: int) -> float:
    return side.time_s(count) * 1e6 / calls


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", choices=NAMES, nargs="+", default=NAMES)
    parser.add_argument("--samples", action="store_true")
    given = parser.parse_args()
    print(table(samples(given.rounds) if given.samples else programs(given.rounds, given.only)))


if __name__ == "__main__":
    main()
