"""A header block as its bytes: finding fields, taking them out, putting them in.

A block is what stands before the body, the blank line included when there is one. Edits splice: bytes of fields
that are not named stay as they are. Knows nothing of encodings: values are raw bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

CRLF = b"\r\n"

# A name of printable characters without the colon (RFC 5322 section 2.2, spaces before the colon tolerated), then all
# lines up to a line end that no space or tab follows.
FIELD = re.compile(
    rb"([!-9;-~]+)[ \t]*:([^\r]*(?:\r(?!\n)[^\r]*|\r\n[ \t][^\r]*)*)(?:\r\n|\Z)", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Field:
    """One header field: where it is in the block, and what it says."""

    name: bytes  # in lower case
    start: int
    end: int  # after its line end
    value: bytes  # as it stands, folds included, without the last line end


def header_end(source: bytes, start: int = 0, end: int | None = None) -> int:
    """Where the body begins: after the blank line, or at the first line that is no field."""
    limit = len(source) if end is None else end
    at = start
    while match := FIELD.match(source, at, limit):
        at = match.end()
    return at + 2 if source.startswith(CRLF, at, limit) else at


def fields(block: bytes) -> list[Field]:
    """The fields of a block, in order."""
    found = []
    at = 0
    while match := FIELD.match(block, at):
        found.append(Field(match.group(1).lower(), at, match.end(), match.group(2)))
        at = match.end()
    return found


def separated(block: bytes) -> tuple[bytes, bytes]:
    """The lines of the fields, each ended, and the blank line (made if there was none)."""
    if block == CRLF or block.endswith(b"\r\n\r\n"):
        return block[:-2], CRLF
    return (block if not block or block.endswith(CRLF) else block + CRLF), CRLF


def without(block: bytes, name: bytes) -> bytes:
    """The block with every field called `name` taken out; the same object when there is none."""
    wanted = name.lower()
    doomed = [field for field in fields(block) if field.name == wanted]
    if not doomed:
        return block
    pieces = []
    at = 0
    for field in doomed:
        pieces.append(block[at : field.start])
        at = field.end
    pieces.append(block[at:])
    return b"".join(pieces)


def with_first(block: bytes, lines: bytes) -> bytes:
    """The block with `lines` (whole fields) before everything else."""
    kept, blank = separated(block)
    return lines + kept + blank


def with_last(block: bytes, lines: bytes) -> bytes:
    """The block with `lines` (whole fields) after all other fields."""
    kept, blank = separated(block)
    return kept + lines + blank


def unfolded(value: bytes) -> bytes:
    """A value on one line: folds opened (the space stays), white space around it gone."""
    if b"\r\n" in value:
        value = value.replace(b"\r\n ", b" ").replace(b"\r\n\t", b"\t")
    return value.strip(b" \t\r\n")
