"""The name that was probably meant. Pure text; knows no list of names itself.

Slips are counted, not likeness measured: `ec_message_copy` is much like `ec_message_new` and never a slip for it.
"""

from __future__ import annotations

from collections.abc import Iterable

LONG = 8  # letters from which two slips are allowed; in shorter names two make another word


def nearest(name: str, candidates: Iterable[str]) -> str:
    """The candidate that name is a slip for, or empty. Another case alone is always close."""
    pool = sorted(set(candidates) - {name})
    folded = {candidate.lower(): candidate for candidate in pool}
    if name.lower() in folded:
        return folded[name.lower()]
    allowed = 2 if len(name) >= LONG else 1
    close = [one for one in pool if abs(len(one) - len(name)) <= allowed and len(one) > 2 * allowed]
    counted = [(slips(name, one), one) for one in close]
    return min((one for one in counted if one[0] <= allowed), default=(0, ""))[1]


def slips(one: str, other: str) -> int:
    """How many letters to add, drop, change or swap with the next to make one name of the other."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        earlier, before, row = before, row, [i]
        for j, wanted in enumerate(other, 1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                best = min(best, earlier[j - 2] + 1)
            row.append(best)
    return row[-1]
