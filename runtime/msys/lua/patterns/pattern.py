"""Pattern: one Lua pattern, ready to use; constant patterns are hoisted to module level as `Pattern("...")`.

Results follow Lua, with two shapes: fixed ones for unpacking (`find`, `match`), where no match is as many nils, and
exact ones for argument lists (`find_values`, `match_values`), where no match is one nil. What is searched is a string;
of anything else `find` and `match` say what Lua's functions say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from operator import itemgetter
from typing import Any

from msys.lua.arguments import string_arg
from msys.lua.patterns.matcher import Matcher, finished
from msys.lua.patterns.replace import by_match, replacement_arg, replacer
from msys.lua.patterns.translate import Translated, Untranslatable, translate

_MAGIC = frozenset("^$*+?.([%-")
# What a turn of `gmatch` gives: the whole match, the one capture, all captures as a tuple.
_TAKEN: tuple[Callable[[re.Match[str]], Any], ...] = (itemgetter(0), itemgetter(1), re.Match.groups)
Hit = tuple[int, int, tuple[str | int, ...]]  # start, end (0-based), captures


class Pattern:
    """A Lua pattern."""

    __slots__ = (
        "_anchored",
        "_body",
        "_plain",
        "_positions",
        "_replace",
        "_search",
        "_translated",
        "capture",
        "captures",
        "match",
        "matches",
        "text",
    )

    capture: Callable[..., str | None]
    """The first value of `match`, when it is not a position."""
    matches: Callable[..., bool]
    """Whether it is found: for tests only."""
    match: Callable[..., Any]
    """The captures, or the whole match: bare when it is one value; as many nils when it is not found."""

    def __init__(self, text: str) -> None:
        self.text = text
        body = text.partition("\0")[0]  # C's end of the pattern
        self._plain = not _MAGIC.intersection(body)
        self._anchored = body.startswith("^")
        self._body = body[1:] if self._anchored else body
        self._translated = _translated(self._body)
        self._positions = False
        self.captures = 0
        self._search: Callable[..., Any] | None = None
        self._replace: Callable[..., Any] | None = None  # where Python replaces as Lua does
        if self._translated is not None:
            regex = self._translated.regex
            self.captures = regex.groups
            self._positions = any(self._translated.positions)
            self._search = regex.match if self._anchored else regex.search
            if not (self._translated.can_be_empty or self._anchored or self._positions):
                self._replace = regex.sub
        self.match = self._match
        self.capture = self._capture
        self.matches = self._matches
        if self._search is not None and not self._plain:
            self.matches = _testing(self._search)
        if self._search is not None and not self._positions:
            self.capture = self.match = _taking(self._search, min(self.captures, 1))
            if self.captures > 1:
                self.match = _taking_all(self._search, self.captures)

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"

    # --- searching ---------------------------------------------------------------------------------------

    def hit(self, text: str, start: int) -> Hit | None:
        """The first match at or after `start` (0-based)."""
        if self._search is not None:
            found = self._search(text, start)
            return None if found is None else (found.start(), found.end(), self._values(found))
        matcher = Matcher(self._body, text)
        for place in range(start, len(text) + 1):
            end = matcher.match_at(place)
            if end is not None:
                return place, end, matcher.values()
            if self._anchored:
                break
        return None

    def _values(self, found: Any) -> tuple[str | int, ...]:
        if not self._positions or self._translated is None:
            return found.groups()  # type: ignore[no-any-return]
        return tuple(
            found.start(number) + 1 if position else found.group(number)
            for number, position in enumerate(self._translated.positions, 1)
        )

    def _matches(self, text: str, init: int = 1) -> bool:
        """`matches` of a pattern that Python's `re` can't do alone, or need not."""
        return self.span(text, init)[0] is not None

    def start(self, text: str, init: int = 1) -> int | None:
        """The first result of `find`."""
        return self.span(text, init)[0]

    def span(self, text: str, init: int = 1) -> tuple[int, int] | tuple[None, None]:
        """The first two results of `find`."""
        if text.__class__ is not str:
            text = string_arg(text, 1, "find")
        start = 0 if init == 1 else begin(text, init)
        if self._plain:
            place = text.find(self.text, start)
            return (None, None) if place < 0 else (place + 1, place + len(self.text))
        if self._search is not None:
            found = self._search(text, start)
            return (None, None) if found is None else (found.start() + 1, found.end())
        hit = self.hit(text, start)
        return (None, None) if hit is None else (hit[0] + 1, hit[1])

    def find(self, text: str, init: int = 1) -> tuple[Any, ...]:
        """Start, end and captures; as many nils when it is not found."""
        found = self.find_values(text, init)
        return (None,) * (2 + self.captures) if found is None else found

    def find_values(self, text: str, init: int = 1) -> tuple[Any, ...] | None:
        """What `string.find` returns."""
        if text.__class__ is not str:
            text = string_arg(text, 1, "find")
        start = 0 if init == 1 else begin(text, init)
        if self._plain:
            place = text.find(self.text, start)
            return None if place < 0 else (place + 1, place + len(self.text))
        if self._search is not None:
            found = self._search(text, start)
            if found is None:
                return None
            first, last = found.span()
            return (first + 1, last, *self._values(found)) if self.captures else (first + 1, last)
        hit = self.hit(text, start)
        return None if hit is None else (hit[0] + 1, hit[1], *finished(hit[2]))

    def _match(self, text: str, init: int = 1) -> Any:
        """`match` of a pattern that Python's `re` can't do alone."""
        result = self.match_values(text, init)
        return (None,) * self.captures if result is None and self.captures > 1 else result

    def _capture(self, text: str, init: int = 1) -> str | None:
        """`capture` of a pattern that Python's `re` can't do alone."""
        result = self.match_values(text, init)
        return result[0] if result.__class__ is tuple else result  # type: ignore[no-any-return]

    def match_values(self, text: str, init: int = 1) -> Any:
        """What `string.match` returns: one nil when it is not found."""
        if text.__class__ is not str:
            text = string_arg(text, 1, "match")
        start = 0 if init == 1 else begin(text, init)
        if self._search is not None and not self._positions:
            found = self._search(text, start)
            if found is None:
                return None
            return found.group(self.captures) if self.captures <= 1 else found.groups()
        hit = self.hit(text, start)
        if hit is None:
            return None
        captures = finished(hit[2])
        if not captures:
            return text[hit[0] : hit[1]]
        return captures[0] if len(captures) == 1 else captures

    # --- all matches -------------------------------------------------------------------------------------

    def hits(self, text: str) -> Iterator[Hit]:
        """Matches from left to right. An empty match may follow right where another ended, as in Lua."""
        translated = self._translated
        if translated is not None and not translated.can_be_empty and not self._anchored:
            for found in translated.regex.finditer(text):
                yield found.start(), found.end(), self._values(found)
            return
        start = 0
        while start <= len(text):
            hit = self.hit(text, start)
            if hit is None:
                return
            yield hit
            if self._anchored:
                return
            start = hit[1] + (hit[1] == hit[0])

    def gmatch(self, text: str) -> Iterator[Any]:
        """`for captures in gmatch`: bare values for one capture or none, tuples for more."""
        source = _unanchored(self.text) if self._anchored else self
        translated = source._translated
        if translated is not None and not translated.can_be_empty and not source._positions:
            return map(_TAKEN[min(source.captures, 2)], translated.regex.finditer(text))
        return source._taken(text)

    def _taken(self, text: str) -> Iterator[Any]:
        for start, end, captures in self.hits(text):
            if not captures:
                yield text[start:end]
            else:
                yield captures[0] if len(finished(captures)) == 1 else captures

    def gsub(self, text: str, replacement: Any, limit: int | None = None) -> tuple[str, int]:
        """The text with matches replaced, and how many there were."""
        if replacement.__class__ is not str:
            replacement = replacement_arg(replacement)
        translated = self._translated
        simple = translated is not None and not translated.can_be_empty and not self._anchored
        if simple and translated is not None and not self._positions:
            if limit is not None and limit <= 0:
                return text, 0
            if replacement.__class__ is str and "%" not in replacement:
                quoted = replacement.replace("\\", r"\\") if "\\" in replacement else replacement
                return translated.regex.subn(quoted, text, limit or 0)
            return translated.regex.subn(by_match(replacement, self.captures), text, limit or 0)
        replace = replacer(replacement)
        pieces: list[str] = []
        done = count = 0
        if limit is None or limit > 0:
            for start, end, captures in self.hits(text):
                count += 1
                pieces.append(text[done:start])
                pieces.append(replace(text[start:end], captures))
                done = end
                if count == limit:
                    break
        pieces.append(text[done:])
        return "".join(pieces), count

    def sub(self, text: str, replacement: Any, limit: int | None = None) -> str:
        """The first result of `gsub`."""
        if self._replace is not None and limit is None:
            if replacement.__class__ is not str:
                replace = by_match(replacement_arg(replacement), self.captures)
                return self._replace(replace, text)  # type: ignore[no-any-return]
            if "%" not in replacement and "\\" not in replacement:
                return self._replace(replacement, text)  # type: ignore[no-any-return]
        return self.gsub(text, replacement, limit)[0]


# The searches of patterns that Python's `re` does alone are functions of their own, because policy lives on them.


def _testing(search: Callable[..., Any]) -> Callable[..., bool]:
    """Whether a string has a match."""

    def test(text: str, init: int = 1) -> bool:
        return (search(text) if init == 1 else search(text, begin(text, init))) is not None

    return test


def _taking(search: Callable[..., Any], number: int) -> Callable[..., str | None]:
    """`match` for one value, the capture of that number; 0 is the whole match."""

    def take(text: str, init: int = 1) -> str | None:
        if text.__class__ is not str:
            text = string_arg(text, 1, "match")
        found = search(text) if init == 1 else search(text, begin(text, init))
        return None if found is None else found[number]

    return take


def _taking_all(search: Callable[..., Any], captures: int) -> Callable[..., tuple[str | None, ...]]:
    """`match` for all captures."""
    nothing = (None,) * captures

    def take_all(text: str, init: int = 1) -> tuple[str | None, ...]:
        if text.__class__ is not str:
            text = string_arg(text, 1, "match")
        found = search(text) if init == 1 else search(text, begin(text, init))
        return nothing if found is None else found.groups()

    return take_all


def begin(text: str, init: int) -> int:
    """`find`'s third argument as a 0-based place inside the text."""
    if init < 0:
        return max(len(text) + init, 0)
    return min(init - 1, len(text)) if init else 0


@lru_cache(maxsize=1024)
def pattern(text: str) -> Pattern:
    """The Pattern of a text that is not known before."""
    return Pattern(text)


@lru_cache(maxsize=256)
def _unanchored(text: str) -> Pattern:
    """`gmatch` knows no anchor: a leading `^` is a character like any other."""
    return Pattern("%" + text)


def _translated(body: str) -> Translated | None:
    try:
        return translate(body)
    except Untranslatable:
        return None
