"""What of a message a DKIM signature covers, in the form it is hashed (RFC 6376 section 3.4). Pure.

Canonicalisation itself is dkimpy's, but for the blanks of a body, where it must agree; this picks fields and hashes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence

from dkim.canonicalization import ALGORITHMS

from msys.message import fields

Header = tuple[bytes, bytes]  # name as written, value with its line end

CANONICAL = ("simple", "relaxed")
SIMPLE_BODY: Callable[[bytes], bytes] = ALGORITHMS[b"simple"].canonicalize_body
B_TAG = re.compile(rb"((?:\A|;)[ \t\r\n]*b[ \t\r\n]*=)[^;]*")

_last_body: tuple[bytes, str, str, int | None, bytes] | None = None


def headers_of(block: bytes) -> list[Header]:
    """The fields of a header block, from top to bottom."""
    found = []
    for field in fields.fields(block):
        name, _, value = block[field.start : field.end].partition(b":")
        found.append((name, value if value.endswith(b"\r\n") else value + b"\r\n"))
    return found


def body_hash(body: bytes, canon: str, digest: str, length: int | None = None) -> bytes:
    """The hash of the canonical body, of its first `length` bytes if one is given.

    Copies of a message share their body, so the last answer is kept.
    """
    global _last_body
    last = _last_body
    if last is not None and last[0] is body and last[1:4] == (canon, digest, length):
        return last[4]
    content = canonical_body(body, canon)
    found = hashlib.new(digest, content if length is None else content[:length]).digest()
    _last_body = (body, canon, digest, length, found)
    return found


def canonical_body(body: bytes, canon: str) -> bytes:
    """The body in canonical form. An empty one is an empty line when simple, nothing when relaxed."""
    if canon == "relaxed":
        body = _compressed(body)
    content = SIMPLE_BODY(body)
    return b"" if canon == "relaxed" and content == b"\r\n" else content


def _compressed(body: bytes) -> bytes:
    """Runs of blanks as one, none at the end of a line: dkimpy's patterns cost as much as the signature itself."""
    if b"\t" in body:
        body = body.replace(b"\t", b" ")
    while b"  " in body:
        body = body.replace(b"  ", b" ")
    return body.replace(b" \r\n", b"\r\n")


def select(headers: Sequence[Header], names: Sequence[bytes]) -> list[Header]:
    """The fields that `names` (lower case, repeated) mean: each name takes the next one from the bottom."""
    present = [name.rstrip().lower() for name, _ in headers]
    taken: dict[bytes, int] = {}
    found = []
    for wanted in names:
        at = taken.get(wanted, len(headers))
        while at > 0:
            at -= 1
            if present[at] == wanted:
                found.append(headers[at])
                break
        taken[wanted] = at
    return found


def signed_data(
    headers: Sequence[Header], names: Sequence[bytes], canon: str, signature: Header
) -> bytes:
    """What is signed: the chosen fields, then the signature's own field with an empty `b=`."""
    name, value = signature
    chosen = [*select(headers, names), (name, B_TAG.sub(rb"\1", value))]
    lines = ALGORITHMS[canon.encode("ascii")].canonicalize_headers(chosen)
    return b"".join(b"%b:%b" % line for line in lines).removesuffix(b"\r\n")
