"""Line editing for the console: history over sessions, and completion of commands, by the system's readline.

The commands are those that the server lists; what follows them (domains, options) is not completed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

HISTORY_LINES = 1000
PRIVATE = 0o600  # commands name domains and addresses


def commands_in(help_text: str) -> list[str]:
    """The words of each command of a `help` reply, without its arguments."""
    found = []
    for line in help_text.splitlines():
        if line.startswith("\t"):
            continue
        words = []
        for word in line.split():
            if not (word.isascii() and word.isalpha() and word.islower()):
                break
            words.append(word)
        if words:
            found.append(" ".join(words))
    return found


def completions(commands: list[str], line: str) -> list[str]:
    """What the last word of `line` may become: next words of the commands that begin like it."""
    *before, partial = line.split(" ")
    begun = [word for word in before if word]
    found: dict[str, None] = {}
    for command in commands:
        words = command.split()
        if words[: len(begun)] == begun and len(words) > len(begun):
            if words[len(begun)].startswith(partial):
                found[words[len(begun)]] = None
    return [f"{word} " for word in found]


def history_file() -> Path:
    """`moonpost/console` in the folder for state of the user's programs (XDG)."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "moonpost" / "console"


def reader(help_text: str) -> Callable[[str], str | None]:
    """Asks for a line with editing; None at its end. Without readline, as a plain terminal does."""
    try:
        import readline
    except ImportError:
        return _input
    path = history_file()
    with contextlib.suppress(OSError):  # no history is no reason not to work
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, PRIVATE))
        readline.read_history_file(path)
    readline.set_history_length(HISTORY_LINES)
    known = commands_in(help_text)

    def complete(_text: str, state: int) -> str | None:
        choices = completions(known, readline.get_line_buffer()[: readline.get_endidx()])
        return choices[state] if state < len(choices) else None

    readline.set_completer_delims(" ")
    readline.set_completer(complete)
    readline.parse_and_bind("tab: complete")

    def ask(prompt: str) -> str | None:
        line = _input(prompt)
        if line:
            with contextlib.suppress(OSError):
                readline.append_history_file(1, path)
        return line

    return ask


def _input(prompt: str) -> str | None:
    try:
        return input(prompt)
    except EOFError:
        print()
        return None
    except KeyboardInterrupt:
        print()
        return ""
