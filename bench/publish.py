"""The last figures, as they stand in docs: the table in performance.md and the picture beside it.

    .venv/bin/python bench/publish.py      after `make bench`

Reads bench/results.json and measures nothing. The table goes between the two markers of the page.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from report import Row, table

RESULTS = Path(__file__).parent / "results.json"
PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
PICTURE = PAGE.with_suffix(".svg")
BEGIN, END = "<!-- figures: bench/publish.py -->\n", "<!-- end of figures -->"

# The picture: one bar a ratio on a logarithmic scale, the target as a mark on it.
ROW_PX, LABEL_PX, CHART_PX = 20, 330, 420
LEAST, MOST = 0.05, 10.0
TICKS = (0.1, 0.2, 0.5, 1, 2, 5)
KEPT, MISSED = "#3a7d44", "#b3541e"


def main() -> int:
    if not RESULTS.exists():
        print(f"{RESULTS} does not exist: run `make bench` first", file=sys.stderr)
        return 1
    found = json.loads(RESULTS.read_text())
    if found["about"].get("wrong"):
        print(f"not published, the last run went wrong: {found['about']['wrong']}", file=sys.stderr)
        return 1
    rows = [
        Row(**{key: value for key, value in row.items() if key != "kept"}) for row in found["rows"]
    ]
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}{_section(found['about'], rows)}{END}{after}")
    PICTURE.write_text(picture([row for row in rows if row.target and row.ratio]))
    return 0


def _section(about: dict[str, Any], rows: Sequence[Row]) -> str:
    taken = "; ".join(f"{what} {value}" for what, value in about.items() if value)
    return f"\n{taken}.\n\n{table(rows)}\n\n"


def picture(rows: Sequence[Row]) -> str:
    """The ratios that have a target, as SVG."""
    height = ROW_PX * (len(rows) + 2)
    width = LABEL_PX + CHART_PX + 70
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for tick in TICKS:
        at = _x(tick)
        parts.append(f'<line x1="{at}" x2="{at}" y1="{ROW_PX}" y2="{height}" stroke="#ddd"/>')
        parts.append(f'<text x="{at}" y="14" text-anchor="middle" fill="#555">{tick:g}</text>')
    for number, row in enumerate(rows, start=1):
        parts += _bar(row, ROW_PX * number + 4)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _bar(row: Row, top: int) -> list[str]:
    assert row.ratio is not None and row.target is not None
    end, mark = _x(row.ratio), _x(row.target)
    colour = KEPT if row.kept else MISSED
    label = escape(f"{row.group}: {row.what} / {row.against}")
    return [
        f'<text x="{LABEL_PX - 8}" y="{top + 12}" text-anchor="end">{label}</text>',
        f'<rect x="{LABEL_PX}" y="{top + 2}" width="{end - LABEL_PX:.1f}" height="12" fill="{colour}"/>',
        f'<line x1="{mark}" x2="{mark}" y1="{top}" y2="{top + 16}" stroke="black" stroke-width="2"/>',
        f'<text x="{LABEL_PX + CHART_PX + 15}" y="{top + 12}">{row.ratio:.2f}</text>',
    ]


def _x(ratio: float) -> float:
    share = math.log(min(max(ratio, LEAST), MOST) / LEAST) / math.log(MOST / LEAST)
    return round(LABEL_PX + CHART_PX * share, 1)


if __name__ == "__main__":
    sys.exit(main())
