"""Our canonical bodies are dkimpy's, for any bytes."""

from __future__ import annotations

import pytest
from dkim.canonicalization import ALGORITHMS
from hypothesis import example, given
from hypothesis import strategies as st

from msys.validate.canonical import CANONICAL, canonical_body

PIECES = st.sampled_from([b" ", b"\t", b"\r\n", b"\r", b"\n", b"a", b".", b"\xff", b"\0", b"   "])


@pytest.mark.parametrize("canon", CANONICAL)
@given(st.lists(PIECES, max_size=30).map(b"".join))
@example(b"")
@example(b"abc \t")
@example(b" \t\r\n \r\n\r\n")
def test_a_body_in_canonical_form_is_dkimpys(canon: str, body: bytes) -> None:
    assert canonical_body(body, canon) == ALGORITHMS[canon.encode()].canonicalize_body(body)
