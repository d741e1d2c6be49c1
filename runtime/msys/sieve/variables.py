"""Variables of RFC 5229: `${name}` in strings, numbered ones of the last match, and the modifiers of `set`. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msys.sieve.matching import LOWER

REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*|[0-9]{1,9})\}")
UPPER = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LONGEST = 1 << 20  # bytes of a value; chosen: a script that doubles a variable ends somewhere


class Variables:
    """The variables of one run."""

    def __init__(self) -> None:
        self._named: dict[str, str] = {}
        self.matched: tuple[str, ...] = ()

    def interpolated(self, text: str) -> str:
        """`text` with the values of what it refers to; unknown variables are empty."""
        return REFERENCE.sub(self._value, text)[:LONGEST] if "${" in text else text

    def _value(self, found: re.Match[str]) -> str:
        name = found[1]
        if name[0].isdigit():
            at = int(name)
            return self.matched[at] if at < len(self.matched) else ""
        return self._named.get(name.lower(), "")

    def put(self, name: str, value: str, tags: Mapping[str, str]) -> None:
        """`set`: the modifiers work in the order of their precedence."""
        match tags.get("case"):
            case "lower":
                value = value.translate(LOWER)
            case "upper":
                value = value.translate(UPPER)
        match tags.get("first-case"):
            case "lowerfirst":
                value = value[:1].translate(LOWER) + value[1:]
            case "upperfirst":
                value = value[:1].translate(UPPER) + value[1:]
        if "quotewildcard" in tags:
            value = re.sub(r"([*?\\])", r"\\\1", value)
        if "length" in tags:
            value = str(len(value.encode("latin-1").decode("utf-8", "replace")))
        self._named[name.lower()] = value[:LONGEST]
