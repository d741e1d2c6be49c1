"""The text work of strings.lua as a careful person writes it in Python."""

from __future__ import annotations

import re

WORDS = {"name": "Ann", "city": "Rome", "day": "Monday", "gift": "book"}
TEMPLATE = (
    "Dear  ${name},   on ${day}  we send a ${gift} to ${city}.   It costs  ${price} and  more. "
)
BLANKS = re.compile(r"[ \t-\r]+")
FIELD = re.compile(r"\$\{([A-Za-z0-9]+)\}")
NAME = re.compile(r"([A-Z][a-z]+)")
WORD = re.compile(r"[A-Za-z]+")


def fill(found: re.Match[str]) -> str:
    return WORDS.get(found[1], found[0])


def shout(found: re.Match[str]) -> str:
    return f"<{found[1].upper()}>"


def work() -> str:
    lines = []
    for i in range(1, 21):
        line = BLANKS.sub(" ", TEMPLATE)
        line = FIELD.sub(fill, line)
        line = NAME.sub(shout, line)
        lines.append(f"{i:03d} {'line' + str(i):<8} {line}")
    text = "\n".join(lines)
    out = ""
    for word in WORD.findall(text):
        if len(word) > 4:
            out += word[:3] + "."
    return f"{len(text)}:{len(out)}:{text[:60]}"


RESULT = work
