"""SMTP sessions written down: who says what, which callouts run, what is kept.

A file holds sessions separated by blank lines; the first line of each is a comment that says what it shows.

    set: NAME=VALUE          an option of the session (before the first C or S)
    peer: IP                 who connects
    policy: CALLOUT ACTION   from here on the callout does this (several lines: several modules)
    C: text                  the client sends a line
    C+: text                 the same, and the next line goes in the same write
    raw: text                the client sends exactly this, with Python's escapes
    S: 250 text              the server's next reply line; `...` stands for anything
    hook: a b                these callouts ran since the last `hook:`, in this order; `-` for none
    kept: a@x b@y            these copies were put into the spool; `-` for none
    bounced: a@x             for these a bounce was made
    noted: 550 text          the reject log got this
    after: 2                 so many seconds were waited
    closed                   the server hung up

ACTION is what the function does: `CODE text` sets a code, `disconnect CODE text`, `tarpit SECONDS`, `discard REASON`,
`fail TEXT` raises, `cont`, `done`, `answer N`, `bind NAME`, `add ADDRESS`, `remove ADDRESS`, `say TEXT` writes the
command anew. A number sign and a recipient before it limits it to that recipient: `#b@x 550 no`.
"""

from __future__ import annotations

import ast
import fnmatch
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msys.catalog import callouts
from testkit.fake_policy import FakeGeneration

WORDS = frozenset(
    ("set", "peer", "policy", "C", "C+", "raw", "S", "hook", "kept", "bounced", "noted", "after")
)


@dataclass(slots=True)
class Script:
    """One session."""

    title: str
    where: str
    lines: list[tuple[str, str, int]] = field(default_factory=list)  # word, text, line number


def read(path: Path) -> list[Script]:
    """The sessions of a file."""
    scripts: list[Script] = []
    current: Script | None = None
    for number, line in enumerate(path.read_text("latin-1").splitlines(), start=1):
        if not line.strip():
            current = None
        elif line.startswith("#") and current is None:
            current = Script(line.lstrip("# "), f"{path.name}:{number}")
            scripts.append(current)
        else:
            assert current is not None, f"{path}:{number}: a session begins with a comment"
            word, _, text = line.partition(":")
            assert word in WORDS or line == "closed", f"{path}:{number}: {line}"
            current.lines.append((word, text.removeprefix(" "), number))
    return scripts


def sessions(folder: Path) -> list[Script]:
    """All sessions of a folder."""
    return [script for path in sorted(folder.glob("*.txt")) for script in read(path)]


def options_of(script: Script, kinds: dict[str, Any]) -> dict[str, Any]:
    """The `set:` lines; a value is read as what the default is."""
    found: dict[str, Any] = {}
    for word, text, _ in script.lines:
        if word == "set":
            name, _, value = text.partition("=")
            default = kinds[name]
            if isinstance(default, bool):
                found[name] = value == "true"
            elif isinstance(default, int | float):
                found[name] = type(default)(value)
            elif isinstance(default, str):
                found[name] = value
            else:
                found[name] = tuple(value.split())
    return found


def matches(pattern: str, text: str) -> bool:
    """Whether a line is what was written down; `...` stands for anything."""
    quoted = "".join(f"[{c}]" if c in "*?[" else c for c in pattern)
    return fnmatch.fnmatchcase(text, quoted.replace("...", "*"))


def escaped(text: str) -> bytes:
    """What a `raw:` line stands for."""
    value: str = ast.literal_eval('"' + text.replace('"', '\\"') + '"')
    return value.encode("latin-1")


def register(generation: FakeGeneration, text: str) -> None:
    """What one `policy:` line asks for."""
    callout, _, action = text.partition(" ")
    generation.on(callout, _function(callout, action))


def _function(callout: str, action: str) -> Callable[..., Any]:
    names = callouts()[callout].arguments
    only = ""
    if action.startswith("#"):
        only, _, action = action[1:].partition(" ")
    word, _, rest = action.partition(" ")

    def function(*args: Any) -> Any:
        given = dict(zip(names, args, strict=True))
        message: Any = given.get("msg")
        vctx: Any = given.get("vctx")
        if only and (message is None or message.recipient != only):
            return 0
        if word.isdigit():
            vctx.set_code(int(word), rest)
        elif word == "disconnect":
            vctx.disconnect(*rest.split(" ", 1))
        elif word == "tarpit":
            vctx.tarpit_s = float(rest)
        elif word == "discard":
            message.discarded = rest
        elif word == "fail":
            raise RuntimeError(rest)
        elif word == "answer":
            return int(rest)
        elif word == "bind":
            message.binding_name = rest
        elif word == "add":
            vctx.recipients.append(rest)
        elif word == "remove":
            vctx.recipients.remove(rest)
        elif word == "say":
            given["str"].set(rest + "\r\n")
        elif word == "route":
            message.recipient = rest
        else:
            assert word in ("cont", "done"), action
        return int(word == "done")

    return function
