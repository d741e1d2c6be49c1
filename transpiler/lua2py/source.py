"""One source file: its bytes, its text, and where its lines begin.

Text is Latin-1, one character per byte, so that every offset is a byte offset and no byte is ever refused.
Knows nothing of Lua's grammar, and reads no file: bytes are arguments.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property

from lua2py.tree import Span

# One line end, as Lua's scanner counts: CR LF and LF CR are one, a lone CR or LF is one.
LINE_END = re.compile(r"\r\n|\n\r|\r|\n")


@dataclass(frozen=True)
class SourceFile:
    """A chunk of Lua.

    path: what people are shown, never opened. from_file: a first line that begins with `#` is skipped, as
    Lua does for files and not for strings.
    """

    path: str
    data: bytes = field(repr=False)
    from_file: bool = True

    @classmethod
    def of_text(cls, text: str, path: str = "input.lua", *, from_file: bool = True) -> SourceFile:
        """A source made of a Lua string (one character per byte)."""
        return cls(path, text.encode("latin-1"), from_file)

    @cached_property
    def text(self) -> str:
        return self.data.decode("latin-1")

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @cached_property
    def line_starts(self) -> list[int]:
        """The offset at which each line begins."""
        return [0, *(match.end() for match in LINE_END.finditer(self.text))]

    @cached_property
    def code_start(self) -> int:
        """Where Lua begins: after a `#` line of a file. The line end itself stays, so lines keep their numbers."""
        if not (self.from_file and self.text.startswith("#")):
            return 0
        end = LINE_END.search(self.text)
        return end.start() if end else len(self.text)

    def position(self, offset: int) -> tuple[int, int]:
        """The 1-based line and column of a character."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def span(self, start: int, end: int) -> Span:
        """The span of text[start:end]; its end column is the one after its last character."""
        line, column = self.position(start)
        last = self.line_starts[line] if line < len(self.line_starts) else len(self.text) + 1
        if end < last:
            return Span(start, end, line, column, line, column + end - start)
        return Span(start, end, line, column, *self.position(end))

    def line(self, number: int) -> str:
        """The text of a line, without its end; empty past the last line."""
        if not 1 <= number <= len(self.line_starts):
            return ""
        start = self.line_starts[number - 1]
        end = self.line_starts[number] if number < len(self.line_starts) else len(self.text)
        return self.text[start:end].rstrip("\r\n")

    def excerpt(self, span: Span) -> tuple[str, str]:
        """The line where span begins, made printable, and carets under the part of it that span covers."""
        line = self.line(span.line)
        first = span.column - 1
        last = len(line) if span.end_line > span.line else span.end_column - 1
        columns = _columns(line)
        begin, end = columns[first], columns[last]
        if last > 0 and end == columns[last - 1]:  # it ends within a character
            end = next((column for column in columns[last:] if column > end), end)
        return printable(line), " " * begin + "^" * max(1, end - begin)


def _columns(line: str) -> list[int]:
    """Where the printed character begins to which each byte belongs, and where the last one ends."""
    columns, at = [], 0
    for char in _decoded(line):
        columns += [at] * len(char.encode("utf-8", "surrogateescape"))
        at += len(_shown(char))
    return [*columns, at]


def printable(text: str) -> str:
    """Source text for a terminal: UTF-8 read where it is UTF-8, tabs as four spaces, other bytes escaped."""
    return "".join(map(_shown, _decoded(text)))


def _decoded(text: str) -> str:
    """One character per byte in, one per character of UTF-8 out; what is no UTF-8 stays as the decoder marks it."""
    if text.isascii() or max(text) <= "\xff":
        return text.encode("latin-1").decode("utf-8", "surrogateescape")
    return text


def _shown(char: str) -> str:
    code = ord(char)
    if char.isprintable():
        return char
    if char == "\t":
        return "    "
    is_byte = code < 0x100 or 0xDC80 <= code <= 0xDCFF  # the latter: no UTF-8, kept by the decoder
    return f"\\x{code & 0xFF:02x}" if is_byte else f"\\u{{{code:x}}}"
