"""Rows of mappings as aligned text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> str:
    """Rows under headings; columns is key to heading, numbers stand to the right."""
    cells = [[str(row.get(key, "")) for key in columns] for row in rows]
    numeric = [
        all(isinstance(row.get(key), int | float) for row in rows) and bool(rows) for key in columns
    ]
    widths = [
        max([len(heading), *(len(line[at]) for line in cells)])
        for at, heading in enumerate(columns.values())
    ]
    lines = [list(columns.values()), *cells]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in lines
    )
