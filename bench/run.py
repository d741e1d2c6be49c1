"""`make bench`: every comparison, one table, and the figures in bench/results.json.

    .venv/bin/python bench/run.py [--quick] [--only program accept peers …]

Nothing fails for being slow. The exit code is 1 when two sides came to different results, or a message was lost: then
the figures beside it mean nothing, and are left out; or when a side did not run.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import accept
import callouts
import deliver
import lookups
import peers
import signing
from churn import churning
from compiling import compiling
from machinery import machinery
from report import Row, machine, save, table
from waiting import waiting

RESULTS = Path(__file__).parent / "results.json"
WRONG = (
    callouts.Differs,
    accept.Lost,
    deliver.Lost,
    peers.DidNotStart,
    lookups.Differs,
    signing.NotVerified,
)
Measure = Callable[[], list[Row]]
NEEDS = {  # Debian programs
    "sample": "lua5.1",
    "accept": "smtp-source",
    "deliver": "smtp-sink",
    "lookup": "nsd",
    "peers": "smtp-sink",
    "churn": "smtp-sink",
    "waiting": "smtp-sink",
}


def measures(quick: bool) -> dict[str, Measure]:
    """What is measured: seconds with `quick`, minutes without."""
    if quick:
        return {
            "program": partial(callouts.programs, 3),
            "sample": partial(callouts.samples, 3),
            "machinery": partial(machinery, 5),
            "compiler": partial(compiling, 3),
            "accept": partial(accept.accepting, 2, 1000),
            "deliver": partial(deliver.delivering, 2, 1000),
            "lookup": partial(lookups.looking, 5),
            "signing": partial(signing.signing, 3),
            "peers": partial(peers.against_peers, 1, share=0.5),
            "churn": partial(churning, 12_000),
            "waiting": partial(waiting, 50_000, 2),
        }
    return {
        "program": partial(callouts.programs, 9),
        "sample": partial(callouts.samples, 9),
        "machinery": partial(machinery, 15),
        "compiler": partial(compiling, 7),
        "accept": partial(accept.accepting, 5, 2000),
        "deliver": partial(deliver.delivering, 5, 4000),
        "lookup": partial(lookups.looking, 15),
        "signing": partial(signing.signing, 9),
        "peers": partial(peers.against_peers, 5),
        "churn": churning,
        "waiting": waiting,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds: a few minutes")
    parser.add_argument("--only", nargs="+", choices=list(measures(True)))
    given = parser.parse_args()
    about, began = machine(), time.monotonic()
    rows: list[Row] = []
    wrong: list[str] = []
    for name, measure in measures(given.quick).items():
        if given.only and name not in given.only:
            continue
        if name in NEEDS and not shutil.which(NEEDS[name]):
            print(f"{name}: left out, {NEEDS[name]} is not installed", file=sys.stderr)
            continue
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        try:
            rows += measure()
        except (*WRONG, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", "") or ""
            wrong.append(f"{name}: {error}\n{said}".strip())
    print(*(f"{what}: {value}" for what, value in about.items()), sep="\n")
    print(f"\n{table(rows)}\n\n{time.monotonic() - began:.0f} s")
    print(*wrong, sep="\n", file=sys.stderr)
    save(RESULTS, about | {"wrong": "; ".join(wrong)}, rows)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
