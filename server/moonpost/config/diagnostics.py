"""What is wrong with a configuration: where, what, and what to do about it.

A diagnostic is a value; nothing here opens a file or decides whether the server starts.
The text form is the one of the compiler: `path:line:column: CODE message`, the line, a caret, help.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

ERROR, WARNING, NOTE = "error", "warning", "note"


@dataclass(frozen=True, slots=True)
class Source:
    """One configuration file as it was read. `folder` is what its relative paths are relative to."""

    path: str
    text: str
    readonly: bool = False
    folder: str = ""

    def line(self, number: int) -> str:
        lines = self.text.split("\n")
        return lines[number - 1] if 0 < number <= len(lines) else ""


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of one line; line and column count from 1."""

    source: Source
    line: int
    column: int
    length: int = 1

    def __str__(self) -> str:
        return f"{self.source.path}:{self.line}:{self.column}"

    @property
    def brief(self) -> str:
        """`path:line`, for a sentence that names another place."""
        return f"{self.source.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a code means; `explain` is the long text."""

    severity: str
    title: str
    explain: str


RULES: Final[dict[str, Rule]] = {
    "C501": Rule(
        ERROR,
        "the text is not in the stanza language",
        "An item is `option = value`, `scope {`, `scope instance {` or `include file`. A value "
        "holding blanks or one of # ( ) [ ] { } = and quotes needs double quotes.",
    ),
    "C502": Rule(
        ERROR,
        "a string or a block is never closed",
        "The opening quote, parenthesis, bracket or brace is shown; the end of the file came first.",
    ),
    "C503": Rule(
        ERROR,
        "a file cannot be read",
        "Relative names are looked up beside the including file, then along the search path.",
    ),
    "C504": Rule(
        ERROR,
        "a file includes itself",
        "An include leads back to a file that is being read.",
    ),
    "C505": Rule(
        ERROR,
        "no such scope here",
        "The name is not a scope or module, or it may not stand inside the scope around it.",
    ),
    "C506": Rule(
        ERROR,
        "no such option",
        "Neither the documentation of Momentum nor moonpost knows the option in this scope.",
    ),
    "C507": Rule(
        ERROR,
        "the option does not belong in this scope",
        "The option exists, but only in other scopes; the help line names them.",
    ),
    "C508": Rule(
        ERROR,
        "the value does not fit the option",
        "docs/reference/configuration.md lists the type of each option.",
    ),
    "C509": Rule(
        ERROR,
        "the instance name is missing, superfluous or malformed",
        'Named scopes (`Binding "x"`) need a name, anonymous ones must not have one.',
    ),
    "C510": Rule(
        ERROR,
        "moonpost does not do what this asks for",
        "Without it mail would be treated differently, so the server does not start. Name the "
        "option or module in `accept_missing` to start without it.",
    ),
    "C511": Rule(
        NOTE,
        "accepted without effect",
        "The option tunes something moonpost has not got or does otherwise; mail is treated "
        "the same.",
    ),
    "C512": Rule(
        ERROR,
        "the scriptlet module has a second instance name",
        "Several stanzas may carry the same instance name; their contents are put together.",
    ),
    "C513": Rule(
        ERROR,
        "a stanza that another one needs is missing",
        "scriptlet needs `alerting {}`, and alerting needs `inbound_audit {}`.",
    ),
    "C514": Rule(
        ERROR,
        "a script cannot be found",
        "A source is a module path with `.` or `/` between its parts and without `.lua`, looked "
        "up beside the configuration file and then along the search path.",
    ),
    "C515": Rule(
        ERROR,
        "others may write to a policy file",
        "Whoever writes policy runs code in the server. Take the write permission of group and "
        "others away, or set `allow_writable_policy`.",
    ),
    "C516": Rule(
        ERROR,
        "a key or certificate does not load",
        "The file must be PEM, readable, and of the kind the option wants.",
    ),
    "C517": Rule(
        ERROR,
        "an address is not usable",
        "Listening addresses are `:25`, `*:25`, `192.0.2.1:25`, `[2001:db8::1]:25` or the path "
        "of a socket.",
    ),
    "C518": Rule(
        ERROR,
        "a data source URI is not usable",
        "A URI is `driver:rest`; moonpost has sqlite, pgsql and mysql.",
    ),
    "C519": Rule(
        ERROR,
        "a name refers to nothing",
        "The pathway, pool or other thing named here is not configured.",
    ),
    "C520": Rule(
        WARNING,
        "an option is set twice in one scope",
        "The last value holds.",
    ),
    "C521": Rule(
        ERROR,
        "several workers need shared state",
        "Counters and limits of separate processes would each allow the full amount. Configure "
        "`shared_state`, or one worker.",
    ),
    "C522": Rule(
        WARNING,
        "accept_missing names something that is not missing",
        "The name is not in the configuration, or moonpost provides it; the entry can go.",
    ),
    "C523": Rule(
        ERROR,
        "a regular expression does not compile",
        "Instances of Domain and Host between slashes are patterns.",
    ),
    "C524": Rule(
        ERROR,
        "a name server is malformed",
        "Name servers are `address` or `address:port`.",
    ),
    "C525": Rule(
        WARNING,
        "nothing is looked up in DNS",
        "There is no name server. Mail goes where a `gateway` or a route is an address, and waits otherwise; "
        "lookups of policy fail with SERVFAIL.",
    ),
    "C526": Rule(
        ERROR,
        "a monitor of inbound_audit is malformed",
        'A monitor is `"seconds,windows"`: how long one window is, and how many are kept.',
    ),
    "C527": Rule(
        ERROR,
        "adaptive delivery can't do what is written",
        'A sweep rule counts `bc:NUMBER` or `fbl:CATEGORY` and has actions like `( suspend "4 hours" )`; bounds are '
        "two numbers, the lower first; a file of rules is TOML; `adaptive_enabled` needs the stanza `adaptive`.",
    ),
    "C528": Rule(
        ERROR,
        "a format of custom_logger can't be filled in",
        "Specifiers are Momentum's, but for `%h{…}`: headers are not at hand when a line is written. Have policy copy "
        "the value into the message context, and log `%vctx_mess{…}`.",
    ),
    "C529": Rule(
        WARNING,
        "a sweep rule is ignored",
        "A rule needs `codes`, and all of one kind: bounce classes (`bc:`) or complaints (`fbl:`).",
    ),
    "C530": Rule(
        ERROR,
        "shared state cannot be used",
        "`shared_state` is the URL of a Redis or Valkey, and the Python package redis speaks to it.",
    ),
}


@dataclass(frozen=True, slots=True)
class Diagnostic:
    code: str
    message: str
    place: Place
    help: str = ""
    severity: str = ERROR

    def __str__(self) -> str:
        return self.render()

    def render(self) -> str:
        """The text form, several lines without a final newline."""
        place = self.place
        word = "" if self.severity == ERROR else f"{self.severity}: "
        lines = [f"{place}: {self.code} {word}{self.message}"]
        excerpt = place.source.line(place.line)
        if excerpt:
            gutter = f"{place.line:5d} | "
            # Tabs before the caret stay tabs, so that it lands under the text in any tab width.
            before = excerpt[: place.column - 1]
            blank = "".join("\t" if mark == "\t" else " " for mark in before)
            width = max(1, min(place.length, len(excerpt) - place.column + 1))
            lines += [gutter + excerpt, " " * 5 + " | " + blank + "^" * width]
        if self.help:
            lines.append(f"   help: {self.help}")
        return "\n".join(lines)


def render(item: Diagnostic) -> str:
    """The text form, as a function to map with."""
    return item.render()


def diagnostic(code: str, place: Place, message: str, help: str = "") -> Diagnostic:
    """A diagnostic with the severity of its code."""
    return Diagnostic(code, message, place, help, RULES[code].severity)


class ConfigurationError(Exception):
    """The configuration cannot be used. `diagnostics` has every reason."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__("\n".join(item.render() for item in diagnostics if is_error(item)))
        self.diagnostics = list(diagnostics)


def is_error(item: Diagnostic) -> bool:
    return item.severity == ERROR


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """By file as first met, then by line: the order a person fixes them in."""
    files: dict[str, int] = {}
    listed = list(diagnostics)
    for item in listed:
        files.setdefault(item.place.source.path, len(files))
    return sorted(
        listed,
        key=lambda item: (files[item.place.source.path], item.place.line, item.place.column),
    )


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that `name` was probably meant to be, or an empty string."""
    spelling = {item.lower(): item for item in known}
    found = get_close_matches(name.lower(), spelling, n=1, cutoff=0.7)
    return spelling[found[0]] if found else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    found = nearest(name, known)
    return f"did you mean `{found}`?" if found else ""
