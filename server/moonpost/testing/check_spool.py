"""The suite every spool passes.

`CHECKS` are coroutine functions; each takes a function that opens a fresh spool and raises AssertionError when a
promise of `moonpost.spool.interface` is broken. A test is then three lines: parametrize over CHECKS, run, done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from moonpost.spool.interface import NotInSpool, Put, Remove, Spool, SpoolError, Update
from moonpost.spool.record import QueueName, Record

Make = Callable[[], Spool]
Check = Callable[[Make], Awaitable[None]]
CHECKS: list[Check] = []


def check(function: Check) -> Check:
    CHECKS.append(function)
    return function


def record(
    id: str,
    *,
    domain: str = "b.test",
    due: float = 100.0,
    priority: int = 0,
    binding: str = "default",
) -> Record:
    """A record with the fields a test cares about."""
    return Record(
        id=id, sender="a@a.test", recipient=f"{id}@{domain}", domain=domain, created_at=50.0,
        next_attempt_at=due, binding=binding, priority=priority, mess={"k": "v"},
    )  # fmt: skip


async def ids(spool: Spool, queue: QueueName, now: float = 1e9, limit: int = 100) -> list[str]:
    return [found.id for found in (await spool.due(queue, now, limit)).records]


B = QueueName("default", "b.test")


@check
async def what_is_put_comes_back_whole(make: Make) -> None:
    spool = make()
    original = record("1")
    await spool.commit([Put(original, b"bytes\r\n\x00\xff")])
    assert original.body and original.size == 9
    assert await spool.get("1") == original
    assert await spool.get_body(original) == b"bytes\r\n\x00\xff"
    assert spool.count() == 1
    assert await spool.get("2") is None
    assert await spool.check() == []
    await spool.close()


@check
async def recipients_share_a_body_until_the_last_is_removed(make: Make) -> None:
    spool = make()
    content = b"one" * 50
    records = [record(str(n)) for n in range(3)]
    await spool.commit([Put(one, content) for one in records])
    assert len({one.body for one in records}) == 1
    for one in records:
        assert await spool.get_body(one) == content
        await spool.commit([Remove(one.id)])
        assert await spool.check() == []
    try:
        await spool.get_body(records[0])
        raise AssertionError("the body outlived its last record")
    except NotInSpool:
        pass
    assert spool.count() == 0
    await spool.close()


@check
async def a_recipient_may_have_a_header_of_its_own(make: Make) -> None:
    spool = make()
    body = b"\r\nshared"
    plain, other = record("1"), record("2")
    plain.head, other.head = b"A: 1\r\n", b"B: \xff\r\n"
    await spool.commit([Put(plain, body), Put(other, body)])
    assert plain.body == other.body and plain.size == 6 + 8
    kept = await spool.get("2")
    assert kept == other and await spool.get_body(kept) == b"B: \xff\r\n\r\nshared"
    await spool.close()


@check
async def different_contents_are_kept_apart(make: Make) -> None:
    spool = make()
    first, second = record("1"), record("2")
    await spool.commit([Put(first, b"first"), Put(second, b"second")])
    assert await spool.get_body(first) == b"first"
    assert await spool.get_body(second) == b"second"
    await spool.close()


@check
async def due_gives_priority_first_then_the_longest_due(make: Make) -> None:
    spool = make()
    await spool.commit(
        [
            Put(record("late", due=300), b"x"),
            Put(record("early", due=100), b"x"),
            Put(record("urgent", due=200, priority=1), b"x"),
            Put(record("not yet", due=900), b"x"),
        ]
    )
    assert await ids(spool, B, now=500) == ["urgent", "early", "late"]
    due = await spool.due(B, 500, 2)
    assert [one.id for one in due.records] == ["urgent", "early"]
    assert due.next_due_at == 300
    due = await spool.due(B, 500, 10)
    assert due.next_due_at == 900
    due = await spool.due(B, 500, 10, skip={"early", "urgent"})
    assert [one.id for one in due.records] == ["late"]
    assert await spool.due(QueueName("default", "none.test"), 500, 10) == ([], None)
    await spool.close()


@check
async def queues_are_apart_and_scan_counts_them(make: Make) -> None:
    spool = make()
    changes = [Put(record(f"b{n}", due=100 + n), b"x") for n in range(3)]
    changes.append(Put(record("c", domain="c.test", due=7), b"x"))
    changes.append(Put(record("d", binding="other", due=8, priority=1), b"x"))
    await spool.commit(changes)
    found = {summary.queue: summary[1:] for summary in await spool.scan()}
    assert found == {
        B: (3, 100), QueueName("default", "c.test"): (1, 7), QueueName("other", "b.test"): (1, 8)
    }  # fmt: skip
    assert await ids(spool, QueueName("default", "c.test")) == ["c"]
    await spool.close()


@check
async def a_queue_is_walked_in_pages(make: Make) -> None:
    spool = make()
    await spool.commit([Put(record(f"{n:02}", due=100 + n % 3), b"x") for n in range(10)])
    await spool.commit([Put(record("z", domain="b.testing"), b"x")])
    seen: list[str] = []
    after: bytes | None = None
    while True:
        page = await spool.page(B, after, 4)
        seen += [one.id for one in page.records]
        for one in page.records:  # what is moved forward on the way is not seen again
            one.next_attempt_at = 5.0
        await spool.commit([Update(one) for one in page.records])
        after = page.after
        if after is None:
            break
    assert seen == sorted(seen, key=lambda id: (int(id) % 3, id)) and len(seen) == 10
    assert await spool.page(QueueName("no", "body"), None, 4) == ([], None)
    await spool.close()


@check
async def update_moves_a_record_in_time_and_between_queues(make: Make) -> None:
    spool = make()
    one = record("1", due=100)
    await spool.commit([Put(one, b"x")])
    one.next_attempt_at, one.attempts, one.note = 700.0, 1, "451 later"
    await spool.commit([Update(one)])
    assert await ids(spool, B, now=500) == []
    assert await ids(spool, B, now=700) == ["1"]
    assert (await spool.get("1")) == one
    one.binding = "other"
    await spool.commit([Update(one)])
    assert await ids(spool, B) == []
    assert await ids(spool, QueueName("other", "b.test")) == ["1"]
    assert await spool.get_body(one) == b"x"
    assert await spool.check() == []
    await spool.close()


@check
async def update_does_not_bring_back_what_is_gone(make: Make) -> None:
    spool = make()
    one = record("1")
    await spool.commit([Put(one, b"x")])
    await spool.commit([Remove("1")])
    await spool.commit([Remove("1")])
    await _refused(spool, [Update(one)], NotInSpool)
    assert spool.count() == 0
    await spool.close()


@check
async def a_commit_is_all_or_nothing(make: Make) -> None:
    spool = make()
    await spool.commit([Put(record("1"), b"x")])
    await _refused(spool, [Put(record("2"), b"y"), Update(record("gone"))], NotInSpool)
    await _refused(spool, [Remove("1"), Put(record("3"), b"y"), Put(record("3"), b"z")], SpoolError)
    assert [await spool.get(id) is not None for id in "123"] == [True, False, False]
    assert await spool.check() == []
    await spool.close()


@check
async def an_id_is_used_once(make: Make) -> None:
    spool = make()
    await spool.commit([Put(record("1"), b"first")])
    await _refused(spool, [Put(record("1"), b"second")], SpoolError)
    kept = await spool.get("1")
    assert kept is not None and await spool.get_body(kept) == b"first"
    await spool.close()


@check
async def one_bad_request_spoils_no_other(make: Make) -> None:
    spool = make()
    answers = await asyncio.gather(
        *(spool.commit([Put(record(str(n)), b"x")]) for n in range(5)),
        spool.commit([Update(record("gone"))]),
        *(spool.commit([Put(record(str(n)), b"x")]) for n in range(5, 10)),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers].count(type(None)) == 10
    assert isinstance(answers[5], NotInSpool)
    assert spool.count() == 10
    await spool.close()


@check
async def names_that_cannot_be_keys_are_refused(make: Make) -> None:
    spool = make()
    for bad in (record("1", domain="d" * 300), record("1", domain="a\0b"), record("")):
        await _refused(spool, [Put(bad, b"x")], SpoolError)
    await _refused(spool, [Put(record("1", binding="b" * 101), b"x")], SpoolError)
    assert spool.count() == 0
    await spool.close()


async def _refused(
    spool: Spool, changes: list[Put | Update | Remove], error: type[Exception]
) -> None:
    try:
        await spool.commit(changes)
    except error:
        return
    raise AssertionError(f"{changes!r} was not refused with {error.__name__}")
