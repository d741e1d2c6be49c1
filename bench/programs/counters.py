"""The counters of counters.lua as a careful person writes them in Python."""

from __future__ import annotations

WINDOW = 60
DOMAINS = [
    "a.example",
    "b.example",
    "c.example",
    "d.example",
    "e.example",
    "f.example",
    "g.example",
]


def add(counts: dict[str, dict[str, int]], domain: str, now: int) -> int:
    row = counts.get(domain)
    if row is None:
        row = counts[domain] = {"total": 0, "since": now}
    if now - row["since"] >= WINDOW:
        row["total"] = 0
        row["since"] = now
    row["total"] += 1
    return row["total"]


def work() -> int:
    counts: dict[str, dict[str, int]] = {}
    most = now = 0
    for i in range(1, 401):
        now += i % 5
        total = add(counts, DOMAINS[i * 3 % len(DOMAINS)], now)
        if total > most:
            most = total
    return most * 1000 + sum(row["total"] for row in counts.values())


RESULT = work
