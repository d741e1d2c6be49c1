"""`make bench`: the ratios that docs/performance.md names, printed; nothing fails for being slow.

Runs the programs of bench/programs compiled, written by hand, and under lua5.1; then accepting against aiosmtpd's null
handler and handing over against aiosmtplib, both in paired rounds. Fails only when results differ.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from sides import PROGRAMS, Lua, compiled, handwritten  # noqa: E402

ROUNDS = 7
WANTED_S = 0.2  # of processor time in one sample


def turns(side: object) -> int:
    """How many turns make one sample long enough."""
    count = 1
    while (spent := side.time_s(count)) < WANTED_S / 4:  # type: ignore[attr-defined]
        count *= 4
    return max(1, int(count * WANTED_S / max(spent, 1e-6)))


def compare(name: str) -> bool:
    """One program: medians of paired ratios. False when the sides disagree."""
    path = PROGRAMS / f"{name}.lua"
    ours, wanted = compiled(path)
    hand = handwritten(PROGRAMS / f"{name}.py")
    others = {"by hand": hand}
    if shutil.which("lua5.1"):
        others["lua5.1"] = Lua(path, wanted)
    answer = ours.answer()
    if any(other.answer() != answer for other in others.values()):
        print(f"{name}: the sides give different results")
        return False
    count = turns(ours)
    cells = [f"{name:<12}"]
    for label, other in others.items():
        ratios = []
        for _ in range(ROUNDS):
            mine = ours.time_s(count)
            ratios.append(mine / max(other.time_s(count), 1e-9))
        low, high = min(ratios), max(ratios)
        cells.append(f"{statistics.median(ratios):6.2f} of {label} [{low:.2f}-{high:.2f}]")
    print("  ".join(cells), flush=True)
    return True


def main() -> int:
    print("Compiled Lua, processor time as a ratio")
    names = sorted(path.stem for path in PROGRAMS.glob("*.py"))
    results = [compare(name) for name in names]
    good = all(results)
    for title, script, args in (
        (
            "Accepting, processor time against aiosmtpd's null handler",
            "accept.py",
            ["--rounds", "3"],
        ),
        ("Handing over, processor time against aiosmtplib", "deliver.py", ["--rounds", "3"]),
    ):
        print(f"\n{title}", flush=True)
        good &= (
            subprocess.run([sys.executable, str(HERE / script), *args], check=False).returncode == 0
        )
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
