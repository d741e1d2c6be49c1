"""Hands everything in a spool to another server, message by message, with envelopes and ages.

The spool must be ours alone: no server may run on it. A message leaves the spool when the other server has taken it,
not before; one that is refused, for now or for good, stays, and is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from moonpost.outbound.answers import Fate, Outcome, Stage
from moonpost.outbound.connection import Connection, ConnectionFailed
from moonpost.outbound.letters import Letter
from moonpost.spool.interface import NotInSpool, Remove, Spool, SpoolError
from moonpost.spool.record import Record

AGE = "XAGE"  # our extension of MAIL FROM: seconds since the message was accepted
PAGE = 200
MOST_RECIPIENTS = 100  # RFC 5321 section 4.5.3.1.8: a server takes at least so many

Open = Callable[[], Awaitable[Connection]]
Kept = Callable[[Record, str], None]  # told of each message that stays, and why


class NoAges(Exception):
    """The other server would begin to count from zero: mail would expire later than was promised to its senders."""


@dataclass(slots=True)
class Drained:
    """How it went."""

    handed: int = 0
    kept: int = 0
    problems: list[str] = field(default_factory=list)  # connections that could not be opened


async def drain(
    spool: Spool,
    open_connection: Open,
    now: Callable[[], float],
    kept: Kept,
    *,
    connections: int = 4,
    ages: bool = True,
) -> Drained:
    """Hand over every message. ages: NoAges when the other server does not take them. SpoolError when ours fails."""
    result = Drained()
    batches = _batches(spool)
    taking = asyncio.Lock()  # the walk through the spool is one
    returned: list[Sequence[Record]] = []
    ended = False  # no further letter is begun; those under way are finished: their answers count

    async def take() -> Sequence[Record] | None:
        async with taking:
            if ended:
                return None
            return returned.pop() if returned else await anext(batches, None)

    async def carry() -> None:
        nonlocal ended
        connection: Connection | None = None
        try:
            while (batch := await take()) is not None:
                if connection is None or not connection.usable:
                    try:
                        connection = await _connect(open_connection, ages)
                    except ConnectionFailed as failed:
                        # Others may have a connection, and no room for ours.
                        result.problems.append(failed.outcome.text)
                        returned.append(batch)
                        return
                await _hand_over(spool, connection, batch, now(), kept, result)
        except BaseException:
            ended = True
            raise
        finally:
            if connection is not None:
                connection.close()

    carriers = [asyncio.ensure_future(carry()) for _ in range(connections)]
    try:
        for outcome in await asyncio.gather(*carriers, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
    finally:
        for carrier in carriers:
            carrier.cancel()
        await batches.aclose()
    return result


async def _connect(open_connection: Open, ages: bool) -> Connection:
    connection = await open_connection()
    if ages and not connection.offers(AGE):
        connection.close()
        raise NoAges
    return connection


async def _batches(spool: Spool) -> AsyncGenerator[Sequence[Record], None]:
    """Records that one letter can carry: the same bytes, sender, parameters and age."""
    for summary in await spool.scan():
        after: bytes | None = None
        while True:
            records, after = await spool.page(summary.queue, after, PAGE)
            for _, group in groupby(records, key=_letter_key):
                batch = list(group)
                for at in range(0, len(batch), MOST_RECIPIENTS):
                    yield batch[at : at + MOST_RECIPIENTS]
            if after is None:
                break


def _letter_key(record: Record) -> tuple[object, ...]:
    told = tuple(record.parameters.get(name) for name in ("RET", "ENVID"))
    return (
        record.body or record.id,
        record.head,
        record.sender,
        record.utf8,
        record.created_at,
        told,
    )


async def _hand_over(
    spool: Spool,
    connection: Connection,
    batch: Sequence[Record],
    now: float,
    kept: Kept,
    result: Drained,
) -> None:
    first = batch[0]
    try:
        content = await spool.get_body(first)
    except NotInSpool as error:
        outcomes = tuple(_damaged(str(error)) for _ in batch)
    else:
        age_s = max(0, int(now - first.created_at))
        letter = Letter(
            first.sender,
            tuple(record.recipient for record in batch),
            content,
            first.utf8,
            {**first.parameters, AGE: str(age_s)},
            tuple(record.parameters for record in batch),
        )
        outcomes = tuple(await connection.send(letter))
    taken = [
        r for r, outcome in zip(batch, outcomes, strict=True) if outcome.fate is Fate.DELIVERED
    ]
    if taken:
        try:
            await spool.commit([Remove(record.id) for record in taken])
        except SpoolError as error:
            ids = " ".join(record.id for record in taken)
            raise SpoolError(f"{error}; the other server has these already: {ids}") from error
    result.handed += len(taken)
    for record, outcome in zip(batch, outcomes, strict=True):
        if outcome.fate is not Fate.DELIVERED:
            result.kept += 1
            kept(record, outcome.text)


def _damaged(text: str) -> Outcome:
    return Outcome(Fate.DEFERRED, 451, f"451 [internal] {text}", Stage.NOT_CONNECTED)
