"""What a benchmark found: paired rounds, rows, the table, the file. Measures nothing itself.

A ratio is taken inside a round, where both sides met the same machine; what is told is the median of the rounds with
the smallest and the largest. Targets stand beside the figures and decide nothing.
"""

from __future__ import annotations

import json
import math
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("aiosmtpd", "aiosmtplib", "greenlet", "lmdb", "luaparser", "lupa")


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison. figure: ours, with its unit; target: the ratio, or the figure itself, to stay below."""

    group: str
    what: str
    figure: float
    unit: str
    against: str = ""
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    rounds: int = 1
    target: float | None = None
    note: str = ""

    @property
    def kept(self) -> bool | None:
        """Whether the target is kept; None without one."""
        if self.target is None:
            return None
        return (self.figure if self.ratio is None else self.ratio) <= self.target


def interleave(sides: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Every side once in each round, in an order that turns."""
    names = list(sides)
    found: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        at = turn % len(names)
        for name in names[at:] + names[:at]:
            found[name].append(sides[name]())
    return found


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float, float]:
    """Median, smallest and largest ratio of the rounds."""
    each = [one / other for one, other in zip(ours, theirs, strict=True)]
    return statistics.median(each), min(each), max(each)


def compared(
    group: str,
    what: str,
    unit: str,
    measured: Mapping[str, Sequence[float]],
    against: str,
    target: float | None = None,
    *,
    ours: str = "ours",
    note: str = "",
) -> Row:
    """The row of two sides of `interleave`."""
    middle, low, high = ratios(measured[ours], measured[against])
    figure = statistics.median(measured[ours])
    return Row(
        group, what, figure, unit, against, middle, low, high, len(measured[ours]), target, note
    )


def geometric_mean(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def mean_row(group: str, rows: Sequence[Row], against: str, target: float | None) -> Row:
    """The geometric mean of the ratios against one comparator."""
    found = [row.ratio for row in rows if row.against == against and row.ratio is not None]
    return Row(
        group, f"geometric mean of {len(found)}", 0.0, "", against, geometric_mean(found),
        min(found), max(found), min(row.rounds for row in rows), target,
    )  # fmt: skip


def table(rows: Sequence[Row]) -> str:
    """The rows as one Markdown table, which reads well on a terminal too."""
    cells: list[tuple[str, ...]] = [
        ("what", "ours", "against", "ratio", "[min to max]", "rounds", "target", "")
    ]
    cells += [_cells(row) for row in rows]
    widths = [max(len(line[at]) for line in cells) for at in range(len(cells[0]))]
    lines = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in cells]
    return "\n".join([lines[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *lines[1:]])


def _cells(row: Row) -> tuple[str, ...]:
    figure = f"{_short(row.figure)} {row.unit}" if row.unit else ""
    if row.ratio is None or row.low is None or row.high is None:
        ratio = spread = ""
    else:
        ratio, spread = f"{row.ratio:.2f}", f"{row.low:.2f} to {row.high:.2f}"
    target = "" if row.target is None else f"<= {row.target:g}"
    said = {None: "", True: "kept", False: "missed"}[row.kept]
    return (
        f"{row.group}: {row.what}", figure, row.against, ratio, spread, str(row.rounds), target,
        " ".join(filter(None, (said, row.note))),
    )  # fmt: skip


def _short(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def machine() -> dict[str, str]:
    """What the figures were taken on, as far as it matters to them."""
    import os

    release = platform.release().partition("-")[0]
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} processors, {platform.system()} {release}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load": f"{os.getloadavg()[0]:.2f} at the start",
        **{name: version(name) for name in LIBRARIES if _installed(name)},
    }


def _installed(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name) is not None


def save(path: Path, about: Mapping[str, str], rows: Sequence[Row]) -> None:
    """The figures as JSON, for those who plot them."""
    content = {"about": dict(about), "rows": [asdict(row) | {"kept": row.kept} for row in rows]}
    path.write_text(json.dumps(content, indent=1) + "\n")
