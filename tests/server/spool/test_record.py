"""How records are written down, now and in every earlier version."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonpost.spool.record import (
    BadRecord,
    QueueName,
    Record,
    decode,
    encode,
    keys_of,
    queue_prefix,
    read_waiting_key,
    waiting_key,
)

FULL = Record(
    id="20/00-25593-945A87F3", sender="a@a.test", recipient="b\xc3\xa9@b.test", domain="b.test",
    created_at=1064868656.25, next_attempt_at=1064868756.5, binding="bulk", binding_group="all",
    body="20/00-25593-945A87F3", head=b"X-Own: \xff\r\n", size=4711, batch_id="b", conn_id="c",
    priority=1, attempts=3, protocol="esmtp", peer="192.0.2.1:4711", listener="192.0.2.2:25",
    user="ann", utf8=True, eight_bit=True, code=450, note="450 4.2.0 later", warned=1,
    parameters={"RET": "HDRS"}, conn={"k": "\xff"}, mess={"x": "1"},
)  # fmt: skip
SAMPLES = Path(__file__).parent / "records"


def test_every_version_ever_written_is_read() -> None:
    samples = sorted(SAMPLES.iterdir())
    assert [sample.name for sample in samples] == ["M1"]
    for sample in samples:
        assert decode(sample.read_bytes()) == FULL


def test_the_current_version_has_a_sample() -> None:
    assert (SAMPLES / "M1").read_bytes() == encode(FULL), (
        "the layout changed: give it a new version and keep the sample of the old one"
    )


@pytest.mark.parametrize("length", [0, 1, 2, 5, 6, 40, 70, len(encode(FULL)) - 1])
def test_a_torn_record_is_refused(length: int) -> None:
    with pytest.raises(BadRecord):
        decode(encode(FULL)[:length])


def test_fields_of_a_later_version_are_not_dropped_silently() -> None:
    with pytest.raises(BadRecord):
        decode(encode(FULL).replace(b'"sender"', b'"zender"'))


def test_the_keys_are_read_without_the_rest() -> None:
    assert keys_of(encode(FULL)) == (waiting_key(FULL), FULL.body.encode())


NAME = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@given(NAME, NAME, st.integers(0, 1), st.floats(0, 1e11), NAME.filter(bool))
def test_a_waiting_key_is_read_back(
    binding: str, domain: str, priority: int, due: float, id: str
) -> None:
    record = Record(id, "", "", domain, 0.0, due, binding=binding, priority=priority)
    key = waiting_key(record)
    found = read_waiting_key(key)
    assert found[:2] == (QueueName(binding, domain), priority) and found.id == id
    assert found.due_at == int(due * 1000) / 1000
    assert key.startswith(queue_prefix(record.queue)) and len(key) <= 511
    assert decode(encode(record)) == record


@given(st.binary())
def test_rubbish_is_no_key_and_no_record(data: bytes) -> None:
    for read in (read_waiting_key, decode):
        with suppress(BadRecord):
            read(data)


def test_keys_sort_as_mail_should_be_tried() -> None:
    def key(priority: int, due: float) -> bytes:
        return waiting_key(Record("1", "", "", "b.test", 0.0, due, priority=priority))

    keys = [key(1, 500), key(1, 600), key(0, 100), key(0, 255.9), key(0, 256), key(0, 1e9)]
    assert sorted(keys) == keys
