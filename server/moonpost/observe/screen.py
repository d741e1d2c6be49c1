"""What `moonpost top` shows, from two looks at each process. Pure: snapshots in, lines out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from moonpost.observe.formats import text as printable
from moonpost.observe.vitals import STUCK_S

Snapshot = Mapping[str, Any]
RATES: Final = ("received", "delivered", "deferred", "failed", "reject")
MOST_ROWS: Final = 10


def screen(now: Sequence[Snapshot], before: Mapping[int, Snapshot]) -> Iterator[str]:
    """The lines. before: the last look at each process, by its pid; without one there are no rates."""
    for snapshot in now:
        yield from _process(snapshot, before.get(int(snapshot["pid"])))
    queues = [row for snapshot in now for row in snapshot.get("queues", ())]
    if queues:
        yield ""
        yield f"{'QUEUE':<44} {'ACTIVE':>8} {'DELAYED':>8} {'CONN':>5} {'SENT':>9}"
        for row in sorted(queues, key=lambda one: -(one["active"] + one["delayed"]))[:MOST_ROWS]:
            name = _cut(f"{row['binding']}::{row['domain']}", 44)
            held = f"  {row['held']}" if row.get("held") else ""
            yield (
                f"{name:<44} {row['active']:>8} {row['delayed']:>8} {row['connections']:>5} "
                f"{row['sent']:>9}{held}"
            )
    callouts = [row for snapshot in now for row in snapshot.get("callouts", ())]
    if callouts:
        yield ""
        yield f"{'CALLOUT':<44} {'COUNT':>8} {'MEAN ms':>9} {'MAX ms':>9}"
        for row in sorted(callouts, key=lambda one: -float(one["total_ms"]))[:MOST_ROWS]:
            mean = row["total_ms"] / max(1, row["count"])
            name = _cut(row["callout"], 44)
            yield f"{name:<44} {row['count']:>8} {mean:>9.2f} {row['longest_ms']:>9.2f}"


def _process(snapshot: Snapshot, before: Snapshot | None) -> Iterator[str]:
    cpu = ""
    rates = ""
    if before is not None and snapshot["at"] > before["at"]:
        seconds = snapshot["at"] - before["at"]
        cpu = f", CPU {100 * (snapshot['cpu_s'] - before['cpu_s']) / seconds:.0f} %"
        rates = ", ".join(
            f"{name} {_rate(snapshot, before, name, seconds):.1f}/s" for name in RATES
        )
    yield (
        f"{snapshot.get('role', 'process')} {snapshot['pid']}: {snapshot['memory_kib'] / 1024:.0f} MiB{cpu}, "
        f"{snapshot.get('sessions', 0)} sessions, generation {snapshot.get('generation', '?')}"
    )
    late_s = float(snapshot["late_s"])
    if late_s > STUCK_S:
        where = " < ".join(map(printable, snapshot.get("stuck_in", ()))) or "unknown"
        yield f"  STUCK for {late_s:.1f} s in {where}"
    if "totals" in snapshot:  # the figures of an acceptor are among the owner's
        yield f"  {rates}" if rates else f"  {_totals(snapshot)}"


def _rate(snapshot: Snapshot, before: Snapshot, name: str, seconds: float) -> float:
    new, old = snapshot.get("totals", {}), before.get("totals", {})
    return float(max(0, new.get(name, 0) - old.get(name, 0)) / seconds)


def _totals(snapshot: Snapshot) -> str:
    totals = snapshot.get("totals", {})
    return ", ".join(f"{name} {totals.get(name, 0)}" for name in RATES) + " since the start"


def _cut(text: str, width: int) -> str:
    text = printable(text)
    return text if len(text) <= width else text[: width - 1] + "…"
