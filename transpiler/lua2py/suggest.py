"""The name that was probably meant. Pure text; knows no list of names itself."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

CLOSE = 0.8  # difflib ratio: one slip in five letters; below, suggestions become guesses


def nearest(name: str, candidates: Iterable[str]) -> str:
    """The candidate most like name, or empty when none is close. Another case alone is always close."""
    pool = sorted(set(candidates) - {name})
    folded = {candidate.lower(): candidate for candidate in pool}
    if name.lower() in folded:
        return folded[name.lower()]
    close = get_close_matches(name, pool, n=1, cutoff=CLOSE)
    return close[0] if close else ""
