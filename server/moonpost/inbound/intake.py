"""Turns chunks from the socket into command lines, contents and counted chunks.

Pure: bytes in, items out. Content is searched once for its end, whatever the chunk borders; what is unstuffed, measured
or refused is refused here, before anybody copies it. Knows nothing of sessions or policy.

Only CR LF ends a line and only CR LF . CR LF ends content. A bare CR or LF in content is a problem reported at the real
end, so that a message can't be cut in two where another server would see an end (RFC 5321 section 2.3.8).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from moonpost.phases.content import Problem, content_problem, unstuffed

MAX_COMMAND = 12_288 + 512  # RFC 4954 section 4 wants 12288 octets for AUTH; RFC 5321 says 512
DOT_LINE = b"\r\n."  # the end of content, when CR LF follows; a stuffed line otherwise


class Line(NamedTuple):
    """A command line without its end. One character per byte."""

    text: str
    problem: Problem | None = None


class Content(NamedTuple):
    """A whole content, unstuffed, or an empty one with what was wrong with it."""

    data: bytes
    problem: Problem | None = None


class Chunk(NamedTuple):
    """The bytes of one BDAT command."""

    data: bytes


Item = Line | Content | Chunk


class Intake:
    """What came in and was not yet asked for."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._next: Callable[[], Item | None] = self._line
        self._searched = 0  # how far the buffer holds nothing of interest
        self._limit = 0
        self._max_line = 0
        self._mend: Callable[[bytes], bytes] | None = None
        self._left = 0
        self._stuffed = False
        self._dropping = False  # inside a line or content that is too long already

    def feed(self, data: bytes | memoryview) -> None:
        self._buffer += data

    def __len__(self) -> int:
        """Bytes that wait to be read."""
        return len(self._buffer)

    def next(self) -> Item | None:
        """The next whole item, or None until more has come."""
        return self._next()

    def clear(self) -> None:
        """Forget what was not read: TLS begins, or the session ends."""
        self._buffer.clear()
        self._searched = 0
        self._dropping = False

    @property
    def reading_content(self) -> bool:
        """Whether a content or a chunk is expected or under way."""
        return self._next != self._line

    def find(self, separator: bytes) -> int:
        """Where the separator is in what waits; -1: nowhere yet."""
        return self._buffer.find(separator)

    def take(self, size: int) -> bytes:
        """Up to `size` raw bytes, for protocols that are not line based."""
        data = bytes(self._buffer[:size])
        del self._buffer[: len(data)]
        self._searched = 0
        return data

    def expect_content(
        self,
        limit_bytes: int = 0,
        max_line_bytes: int = 0,
        mend: Callable[[bytes], bytes] | None = None,
    ) -> None:
        """What comes next is content up to its end. mend: what to do about lone CR and LF; None: refuse them."""
        self._next = self._content
        self._limit = limit_bytes
        self._max_line = max_line_bytes
        self._mend = mend
        self._searched = 0
        self._dropping = False

    def expect_chunk(self, size: int, *, discard: bool = False) -> None:
        """What comes next are `size` bytes of anything."""
        self._next = self._chunk
        self._left = size
        self._dropping = discard

    def _line(self) -> Line | None:
        buffer = self._buffer
        at = buffer.find(b"\n", self._searched)
        if at < 0:
            if len(buffer) > MAX_COMMAND:
                self._dropping = True
                buffer.clear()
            self._searched = len(buffer)
            return None
        raw = buffer[: at + 1]
        del buffer[: at + 1]
        self._searched = 0
        if self._dropping or at > MAX_COMMAND:
            self._dropping = False
            return Line("", Problem.TOO_LARGE)
        if raw.find(b"\r") != at - 1 or at == 0:
            return Line("", Problem.BARE_NEWLINE)
        return Line(raw[:-2].decode("latin-1"))

    def _content(self) -> Content | None:
        """One search for CR LF dot finds the end and, on the way, whether any line was stuffed."""
        buffer = self._buffer
        if self._searched == 0 and not self._dropping:
            if buffer[:3] == b".\r\n":
                return self._finish(b"", 3, None)
            if len(buffer) < 3:
                return None  # an empty content may come byte by byte
            self._stuffed = buffer[:1] == b"."
        at = buffer.find(DOT_LINE, self._searched)
        while at >= 0:
            after = buffer[at + 3 : at + 5]
            if after == b"\r\n":
                if self._dropping or (self._limit and at + 2 > self._limit):
                    return self._finish(b"", at + 5, Problem.TOO_LARGE)
                return self._finish(bytes(memoryview(buffer)[: at + 2]), at + 5, None)
            if len(after) < 2:
                break  # the end of what is there: this may be it
            self._stuffed = True
            at = buffer.find(DOT_LINE, at + 3)
        self._searched = at if at >= 0 else max(len(buffer) - 2, 1)
        if self._limit and len(buffer) > self._limit + len(DOT_LINE) + 2:
            self._dropping = True
        if self._dropping:
            del buffer[: self._searched]
            self._searched = 0
        return None

    def _finish(self, data: bytes, used: int, problem: Problem | None) -> Content:
        del self._buffer[:used]
        self._searched = 0
        self._dropping = False
        self._next = self._line
        problem = problem or content_problem(data, self._max_line)
        if problem is Problem.BARE_NEWLINE and self._mend is not None:
            # Dots are those of real lines, and go first: a line that is one only now was not stuffed.
            data = self._mend(unstuffed(data))
            problem = content_problem(data, self._max_line)
            return Content(b"" if problem else data, problem)
        if problem is not None:
            return Content(b"", problem)
        return Content(unstuffed(data) if self._stuffed else data)

    def _chunk(self) -> Chunk | None:
        if self._dropping:
            gone = min(self._left, len(self._buffer))
            del self._buffer[:gone]
            self._left -= gone
            if self._left:
                return None
            data = b""
        else:
            if len(self._buffer) < self._left:
                return None
            data = bytes(memoryview(self._buffer)[: self._left])
            del self._buffer[: self._left]
        self._dropping = False
        self._searched = 0
        self._next = self._line
        return Chunk(data)
