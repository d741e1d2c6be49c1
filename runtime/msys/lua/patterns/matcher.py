"""A backtracking matcher for the patterns that `re` can't say: `%b`, and patterns with mistakes.

Finds a mistake where Lua finds it: when matching gets there, not before.
"""

from __future__ import annotations

from msys.lua.errors import RuntimeFault
from msys.lua.patterns.classes import class_end, members
from msys.lua.patterns.translate import MAX_CAPTURES

_OPEN, _POSITION = -1, -2
UNFINISHED = -1  # no capture of a position is negative


class Matcher:
    """One pattern (without its anchor) over one text."""

    def __init__(self, pattern: str, text: str) -> None:
        self.pattern = pattern
        self.text = text
        self.captures: list[tuple[int, int]] = []  # start, and length or _OPEN or _POSITION

    def match_at(self, start: int) -> int | None:
        """The end of a match that begins at `start`, or None."""
        self.captures = []
        return self._match(start, 0)

    def _match(self, s: int, p: int) -> int | None:
        pattern, text = self.pattern, self.text
        size = len(pattern)
        while True:
            if p >= size:
                return s
            here = pattern[p]
            following = pattern[p + 1 : p + 2]
            if here == "(":
                if following == ")":
                    return self._start_capture(s, p + 2, _POSITION)
                return self._start_capture(s, p + 1, _OPEN)
            if here == ")":
                return self._end_capture(s, p + 1)
            if here == "$" and p + 1 == size:
                return s if s == len(text) else None
            if here == "%" and following == "b":
                end = self._balance(s, p + 2)
                if end is None:
                    return None
                s, p = end, p + 4
                continue
            if here == "%" and following == "f":
                if pattern[p + 2 : p + 3] != "[":
                    raise RuntimeFault("missing '[' after '%f' in pattern")
                after = class_end(pattern, p + 2)
                codes = members(pattern[p + 2 : after])
                before = ord(text[s - 1]) if s else 0
                now = ord(text[s]) if s < len(text) else 0
                if before in codes or now not in codes:
                    return None
                p = after
                continue
            if here == "%" and "0" <= following <= "9":
                end = self._back_reference(s, int(following))
                if end is None:
                    return None
                s, p = end, p + 2
                continue
            after = class_end(pattern, p)
            codes = members(pattern[p:after])
            suffix = pattern[after : after + 1]
            if suffix == "*":
                return self._longest(s, codes, after + 1)
            if suffix == "-":
                return self._shortest(s, codes, after + 1)
            hit = s < len(text) and ord(text[s]) in codes
            if suffix == "+":
                return self._longest(s + 1, codes, after + 1) if hit else None
            if suffix == "?":
                if hit:
                    end = self._match(s + 1, after + 1)
                    if end is not None:
                        return end
                p = after + 1
                continue
            if not hit:
                return None
            s, p = s + 1, after

    def _longest(self, s: int, codes: frozenset[int], p: int) -> int | None:
        text, end = self.text, s
        while end < len(text) and ord(text[end]) in codes:
            end += 1
        while end >= s:
            found = self._match(end, p)
            if found is not None:
                return found
            end -= 1
        return None

    def _shortest(self, s: int, codes: frozenset[int], p: int) -> int | None:
        while True:
            found = self._match(s, p)
            if found is not None:
                return found
            if s >= len(self.text) or ord(self.text[s]) not in codes:
                return None
            s += 1

    def _start_capture(self, s: int, p: int, length: int) -> int | None:
        if len(self.captures) >= MAX_CAPTURES:
            raise RuntimeFault("too many captures")
        self.captures.append((s, length))
        level = len(self.captures)
        found = self._match(s, p)
        if found is None:
            del self.captures[level - 1 :]
        return found

    def _end_capture(self, s: int, p: int) -> int | None:
        for level in range(len(self.captures) - 1, -1, -1):
            start, length = self.captures[level]
            if length == _OPEN:
                self.captures[level] = (start, s - start)
                found = self._match(s, p)
                if found is None:
                    self.captures[level] = (start, _OPEN)
                return found
        raise RuntimeFault("invalid pattern capture")

    def _balance(self, s: int, p: int) -> int | None:
        if p + 1 >= len(self.pattern):
            raise RuntimeFault("unbalanced pattern")
        text = self.text
        opening, closing = self.pattern[p], self.pattern[p + 1]
        if text[s : s + 1] != opening:
            return None
        depth = 1
        for place in range(s + 1, len(text)):
            here = text[place]
            if here == closing:
                depth -= 1
                if not depth:
                    return place + 1
            elif here == opening:
                depth += 1
        return None

    def _back_reference(self, s: int, number: int) -> int | None:
        if not 1 <= number <= len(self.captures) or self.captures[number - 1][1] == _OPEN:
            raise RuntimeFault("invalid capture index")
        start, length = self.captures[number - 1]
        if length == _POSITION or not self.text.startswith(self.text[start : start + length], s):
            return None
        return s + length

    def values(self) -> tuple[str | int, ...]:
        """The captures of the match just made; UNFINISHED for those still open, an error only when used."""
        return tuple(
            UNFINISHED
            if length == _OPEN
            else start + 1
            if length == _POSITION
            else self.text[start : start + length]
            for start, length in self.captures
        )


def finished(captures: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """`captures`, when they may all be used."""
    if UNFINISHED in captures:
        raise RuntimeFault("unfinished capture")
    return captures
