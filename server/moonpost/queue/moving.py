"""Writing records anew that wait: when they are due now, or belong to another queue."""

from __future__ import annotations

from collections.abc import Sequence

from moonpost.spool.interface import NotInSpool, Spool, Update
from moonpost.spool.record import Record


async def rewrite(spool: Spool, records: Sequence[Record]) -> int:
    """Write them as they are now; how many of them the spool still had. Raises SpoolError."""
    try:
        await spool.commit([Update(record) for record in records])
        return len(records)
    except NotInSpool:
        count = 0
        for record in records:
            try:
                await spool.commit([Update(record)])
                count += 1
            except NotInSpool:
                continue
        return count
