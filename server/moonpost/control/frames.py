"""The protocol of the console: one line of words up, one framed reply down.

    C: config get retry_interval
    S: ok 22
    S: Retry_Interval = 1200

The reply is a status, the number of octets, a line end, then exactly that many octets of UTF-8. It is
our own; the original console's bytes were never published.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Final

OK, FAILED = "ok", "failed"
STATUSES: Final = (OK, FAILED)
MAX_REQUEST: Final = 64 * 1024  # octets: chosen, the longest useful command is a list of addresses
MAX_HEADER: Final = 64  # octets of a reply's first line


class BadFrame(ValueError):
    """Octets that are no reply of this protocol."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command came to; `end` closes the session."""

    status: str
    text: str
    end: bool = False

    @property
    def ok(self) -> bool:
        return self.status == OK


def encode(reply: Reply) -> bytes:
    body = reply.text.encode("utf-8", "surrogateescape")
    return f"{reply.status} {len(body)}\n".encode() + body


def decode_header(line: bytes) -> tuple[str, int]:
    """Status and length from the first line of a reply."""
    words = line.decode("ascii", "replace").split()
    if len(words) != 2 or words[0] not in STATUSES or not words[1].isdigit():
        raise BadFrame(f"not a reply of a moonpost console: {line[:40]!r}")
    return words[0], int(words[1])


def split_words(line: str) -> list[str]:
    """Words of a command: blanks part them, double quotes group. ValueError for an open quote."""
    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split = True
    lexer.quotes = '"'
    lexer.commenters = ""
    return list(lexer)


def join_words(words: list[str]) -> str:
    """A line that `split_words` turns back into the words."""
    return " ".join(map(_protected, words))


def _protected(word: str) -> str:
    if word and not any(mark in word for mark in ' \t\n"\\'):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
