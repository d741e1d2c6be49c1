"""What `*_match` and `*_replace` answer, whatever bytes they look at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from msys.lua import Table
from msys.message import text
from msys.message.node import Node
from msys.pcre_engine import BadPattern, prepare, search_bytes, substitute_bytes
from msys.running import panic

MatchResult: TypeAlias = tuple[Table | bool, str | None, int | None]


def match(subject: bytes, pattern: str) -> MatchResult:
    """The table of the first match, or false; for a bad pattern false, the error and its offset."""
    try:
        found = search_bytes(subject, pattern)
    except BadPattern as error:
        return False, error.text, error.offset
    return (False, None, None) if found is None else (found, None, None)


def no_match(pattern: str) -> MatchResult:
    """The answer where there is nothing to search: a bad pattern is still told."""
    try:
        prepare(b"", pattern)
    except BadPattern as error:
        return False, error.text, error.offset
    return False, None, None


def match_any(subjects: Iterable[bytes], pattern: str) -> MatchResult:
    """The first match in the first subject that has one."""
    answer = no_match(pattern)
    if answer[1] is not None:
        return answer
    for subject in subjects:
        answer = match(subject, pattern)
        if answer[0] is not False:
            return answer
    return answer


def replaced(subject: bytes, pattern: str, replacement: str) -> bytes | None:
    """The subject with every match replaced; None when nothing changes. A bad pattern is logged."""
    try:
        result, _ = substitute_bytes(subject, pattern, replacement)
    except BadPattern as error:
        _log(error, pattern)
        return None
    return None if result == subject else result


def replaced_any(leaves: list[Node], pattern: str, replacement: str) -> bool:
    """Replace in the text of each leaf; whether any changed. A bad pattern is logged."""
    try:
        changed = [text.replace_text(leaf, pattern, replacement) for leaf in leaves]
        return True in changed
    except BadPattern as error:
        _log(error, pattern)
        return False


def _log(error: BadPattern, pattern: str) -> None:
    panic(f"pattern {pattern!r} is not valid at {error.offset}: {error.text}; nothing was replaced")
