"""The pages people read: blocks, links, and the commands and paths they name.

A comment before a fenced block says how a test looks at it:

    <!-- excerpt: samples/tarpit/policy.lua -->   its lines stand in that file, one after the other
    <!-- file: greet/policy.lua -->                a reader writes this file
    <!-- run -->                                   `$ command` lines and what they print; `…` stands for any text
    <!-- terminal -->                              one command that goes on running, and its first lines
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path for pattern in ("*.md", "docs/**/*.md", "samples/**/*.md") for path in ROOT.glob(pattern)
)
_FENCE = re.compile(
    r"(?:<!-- (?P<kind>[a-z]+)(?:: (?P<what>[^>]*?))? -->\n+)?^```(?P<language>[\w-]*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.*?)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block and the comment before it."""

    page: Path
    line: int
    language: str
    text: str
    kind: str
    what: str


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page,
            text.count("\n", 0, found.start("text")) + 1,
            found["language"],
            found["text"],
            found["kind"] or "",
            found["what"] or "",
        )
        for found in _FENCE.finditer(text)
    ]


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> Iterator[str]:
    for found in _LINK.finditer(prose(page)):
        yield found["target"]


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    seen: dict[str, int] = {}
    found = set()
    for heading in _HEADING.findall(prose(page)):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        count = seen.get(slug, 0)
        seen[slug] = count + 1
        found.add(f"{slug}-{count}" if count else slug)
    return found


def code_spans(page: Path) -> Iterator[str]:
    """Text between backticks, and every line of a fenced block."""
    yield from re.findall(r"`([^`\n]+)`", prose(page))
    for block in blocks(page):
        yield from block.text.splitlines()
