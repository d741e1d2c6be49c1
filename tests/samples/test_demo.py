"""`make demo` is the first thing people run: it ends well, and prints what it measured."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINES = (
    r"\d+ scripts, \d+ Lua lines -> typed Python, server ready after \d+\.\d s",
    r"REPLY +DECIDED BY +RESULT",
    r"550 +dnsbl/policy\.lua:\d+ +a listed client is told why, and hears nothing else",
    r"421 +broken/policy\.lua:10 +a mistake in policy: .*",
    r"RELOAD +20 open sessions, 0 failed, new verdict after \d+ ms",
    r"KILL -9 +\d+ acknowledged, \d+ delivered, 0 lost, \d+ duplicates?",
    r"NEXT +\.venv/bin/moonpost debug samples/dnsbl",
)


def test_the_demo_ends_well_and_says_what_it_measured() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "demo" / "run.py"],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for line in LINES:
        assert re.search(f"^{line}$", done.stdout, re.MULTILINE), f"{line}\n{done.stdout}"
    assert done.stderr == ""
