"""The queue of sorting.lua as a careful person writes it in Python; a comparator stays a comparator."""

from __future__ import annotations

from functools import cmp_to_key

Row = dict[str, int]


def compare(a: Row, b: Row) -> int:
    if a["priority"] != b["priority"]:
        return b["priority"] - a["priority"]
    return a["number"] - b["number"]


BEFORE = cmp_to_key(compare)


def work() -> int:
    rows: list[Row] = []
    seed = 7
    for i in range(1, 151):
        seed = (seed * 137 + 29) % 1009
        rows.append({"number": i, "priority": seed % 10})
    rows.sort(key=BEFORE)
    for i in range(1, 11):
        rows.insert(0, {"number": 1000 + i, "priority": 99})
    rows.sort(key=BEFORE)
    total = 0
    for place, row in enumerate(rows, start=1):
        total = (total * 31 + row["number"] * place) % 65521
    rows.pop(0)
    return total * 1000 + len(rows)


RESULT = work
