"""Stories: SMTP sessions in plain text, with what must happen in each.

A file holds acts, separated by blank lines; each begins with a comment that says what it shows. `docs/stories.md`
lists the words. This module only reads; `play` performs an act over real SMTP.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

MOMENTS = ("connect", "ehlo", "mail", "rcpt", "data")


class StoryError(Exception):
    """A story that cannot be read: path, line, and the word that is not known."""


@dataclass(slots=True)
class Expect:
    """The reply of one moment: an SMTP code, and a pattern for the text after it."""

    moment: str
    code: int
    pattern: re.Pattern[str]


@dataclass(slots=True)
class Delivery:
    """One recipient who must get the message, and how it must look then."""

    to: str
    headers: list[tuple[str, re.Pattern[str]]] = field(default_factory=list)
    without: list[str] = field(default_factory=list)
    body: list[re.Pattern[str]] = field(default_factory=list)
    through: str = ""  # binding


@dataclass(slots=True)
class Act:
    title: str
    line: int
    client: str = "127.0.0.1"
    greeting: str = "client.example.test"
    sender: str = "ann@example.test"
    recipients: list[str] = field(default_factory=list)
    message: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    remove: list[str] = field(default_factory=list)
    repeat: int = 1
    after_s: float = 0.0
    takes_at_least_s: float = 0.0
    expects: list[Expect] = field(default_factory=list)
    decided_by: str = ""
    deliveries: list[Delivery] | None = None  # None: not looked at; empty: nobody may get anything
    dkim: str = ""


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition(":")
    return name.strip(), value.strip()


def _expect(act: Act, moment: str, text: str) -> None:
    code, _, pattern = text.partition(" ")
    if moment not in MOMENTS or not code.isdigit():
        raise ValueError(f"expect {moment}: {text}")
    act.expects.append(Expect(moment, int(code), re.compile(pattern or ".*", re.DOTALL)))


def _delivered_to(act: Act, text: str) -> None:
    act.deliveries = act.deliveries or []
    if text != "nobody":
        act.deliveries.append(Delivery(text))


def _last(act: Act) -> Delivery:
    if not act.deliveries:
        raise ValueError("nothing was said to be delivered before this")
    return act.deliveries[-1]


def _delivered_header(act: Act, text: str) -> None:
    name, pattern = _pair(text)
    _last(act).headers.append((name, re.compile(pattern, re.DOTALL)))


def _set(name: str, kind: Callable[[str], object] = str) -> Callable[[Act, str], None]:
    return lambda act, text: setattr(act, name, kind(text))


def _seconds(text: str) -> float:
    return float(text.removesuffix("s"))


WORDS: dict[str, Callable[[Act, str], None]] = {
    "client": _set("client"),
    "greeting": _set("greeting"),
    "from": _set("sender", lambda text: "" if text == "<>" else text),
    "to": lambda act, text: act.recipients.append(text),
    "message": _set("message"),
    "header": lambda act, text: act.headers.append(_pair(text)),
    "without header": lambda act, text: act.remove.append(text),
    "repeat": _set("repeat", int),
    "after": _set("after_s", _seconds),
    "takes at least": _set("takes_at_least_s", _seconds),
    "decided by": _set("decided_by"),
    "dkim": _set("dkim"),
    "delivered to": _delivered_to,
    "delivered header": _delivered_header,
    "delivered without header": lambda act, text: _last(act).without.append(text),
    "delivered body": lambda act, text: _last(act).body.append(re.compile(text, re.DOTALL)),
    "delivered through": lambda act, text: setattr(_last(act), "through", text),
}


def read(path: Path) -> list[Act]:
    """The acts of a story file. Raises StoryError with path and line."""
    acts: list[Act] = []
    current: Act | None = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            current = None
        elif line.startswith("#"):
            if current is None:
                current = Act(title=line.lstrip("# "), line=number)
                acts.append(current)
        else:
            if current is None:
                raise StoryError(
                    f"{path}:{number}: an act begins with a comment that says what it shows"
                )
            word, text = _pair(line)
            try:
                if word.startswith("expect "):
                    _expect(current, word.removeprefix("expect "), text)
                else:
                    WORDS[word](current, text)
            except (KeyError, ValueError) as error:
                raise StoryError(f"{path}:{number}: {word!r} is not understood: {error}") from None
    for act in acts:
        act.recipients = act.recipients or ["bob@example.test"]
    return acts


def compose(act: Act, folder: Path) -> bytes:
    """The message an act sends: its file with the act's headers added and removed, CRLF line ends."""
    name = f"{act.message}.eml"
    places = (folder / "messages" / name, folder.parent / "messages" / name)
    path = next((place for place in places if place.exists()), None)
    if path is None:
        raise StoryError(
            f"{folder / 'session.txt'}:{act.line}: there is no message {act.message!r}: "
            f"neither {places[0]} nor {places[1]} exists"
        )
    head, _, body = path.read_bytes().replace(b"\r\n", b"\n").partition(b"\n\n")
    lines = [
        line
        for line in head.decode("latin-1").split("\n")
        if line.partition(":")[0].lower() not in {name.lower() for name in act.remove}
    ]
    lines += [f"{name}: {value}" for name, value in act.headers]
    text = "\n".join(lines).encode("latin-1") + b"\n\n" + body
    return text.replace(b"\n", b"\r\n")
