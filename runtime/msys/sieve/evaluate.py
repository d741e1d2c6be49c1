"""Runs a Sieve script over a message: RFC 5228 with envelope, relational, variables, copy, subaddress, reject, body.

Pure: what the script wants done comes out as values, nothing is done here. Momentum ends a script at its first keep,
discard, redirect or reject; the standard goes on. `terminal` says which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from msys.addresses import component_of, valid_address
from msys.sieve.matching import CASEMAP, COMPARATORS, Matcher
from msys.sieve.parsing import Node, Script, SieveError
from msys.sieve.variables import NAME, Variables

TERMINAL = frozenset(("keep", "discard", "redirect", "reject"))  # what ends a script in Momentum
MOST_REDIRECTS = 32  # chosen: RFC 5228 section 4.2 asks for a limit


class Mail(Protocol):
    """A message as tests see it; values are decoded, on one line, without white space around."""

    sender: str
    recipient: str
    size: int

    def headers(self, name: str) -> Sequence[str]: ...
    def addresses(self, name: str) -> Sequence[str]: ...
    def bodies(self, transform: str, types: Sequence[str]) -> Sequence[str]:
        """transform: raw, text or content; types: the content types that `content` asks for."""
        ...


@dataclass(slots=True)
class Wishes:
    """What a script wants done. keep: whether the message goes on to its recipient."""

    keep: bool = True
    discarded: bool = False
    redirects: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    rejection: str | None = None


class _Stop(Exception):
    """The script ends here."""


def evaluate(script: Script, mail: Mail, *, terminal: frozenset[str] = TERMINAL) -> Wishes:
    """What `script` wants done with `mail`. SieveError when it cannot go on."""
    run = _Run(script, mail, terminal)
    with suppress(_Stop):
        run.block(script.commands)
    return run.wishes()


class _Run:
    """One run: its variables, and what was wished so far."""

    def __init__(self, script: Script, mail: Mail, terminal: frozenset[str]) -> None:
        self._mail = mail
        self._terminal = terminal
        self._interpolates = script.interpolates
        self._variables = Variables()
        self._wishes = Wishes()
        self._implicit_keep = True
        self._explicit_keep = False

    def wishes(self) -> Wishes:
        self._wishes.keep = self._implicit_keep or self._explicit_keep
        return self._wishes

    def block(self, nodes: Sequence[Node]) -> None:
        """Commands in their order; of an if with its elsifs and else at most one block."""
        chosen = False  # whether a block of the running if was taken
        for node in nodes:
            if node.name in CONTROL:
                chosen = chosen and node.name != "if"
                if not chosen and (node.name == "else" or self._test(node.tests[0])):
                    chosen = True
                    self.block(node.block)
                continue
            action = ACTIONS.get(node.name)
            if action is None:
                raise SieveError(f"'{node.name}' is not provided")
            action(self, node)
            if node.name in self._terminal and "copy" not in node.tags:
                raise _Stop

    def _texts(self, node: Node, argument: str) -> list[str]:
        texts = node.strings.get(argument, ())
        return [self._variables.interpolated(t) for t in texts] if self._interpolates else [*texts]

    def _text(self, node: Node, argument: str) -> str:
        return self._texts(node, argument)[0]

    # Actions

    def _keep(self, node: Node) -> None:
        self._exclusive(node)
        self._explicit_keep = True

    def _discard(self, node: Node) -> None:
        self._implicit_keep = False
        self._wishes.discarded = True

    def _redirect(self, node: Node) -> None:
        self._exclusive(node)
        address = self._text(node, "address").strip()
        if not valid_address(address):
            raise SieveError(f"redirect: '{address}' is not an address")
        if address not in self._wishes.redirects:
            self._wishes.redirects.append(address)
        if len(self._wishes.redirects) > MOST_REDIRECTS:
            raise SieveError(f"more than {MOST_REDIRECTS} redirects")
        self._delivered(node)

    def _fileinto(self, node: Node) -> None:
        self._exclusive(node)
        folder = self._text(node, "mailbox")
        if folder not in self._wishes.folders:
            self._wishes.folders.append(folder)
        self._delivered(node)

    def _delivered(self, node: Node) -> None:
        if "copy" not in node.tags:
            self._implicit_keep = False

    def _reject(self, node: Node) -> None:
        wishes = self._wishes
        if self._explicit_keep or wishes.redirects or wishes.folders:
            raise SieveError("reject: the script wants the message delivered as well")
        if wishes.rejection is not None:
            raise SieveError("reject: the message is rejected already")
        wishes.rejection = self._text(node, "text")
        self._implicit_keep = False

    def _exclusive(self, node: Node) -> None:
        if self._wishes.rejection is not None:
            raise SieveError(f"{node.name}: the message is rejected already")

    def _stop(self, node: Node) -> None:
        raise _Stop

    def _set(self, node: Node) -> None:
        name = self._text(node, "name")
        if not NAME.fullmatch(name):
            raise SieveError(f"set: '{name}' is not the name of a variable")
        self._variables.put(name, self._text(node, "value"), node.tags)

    # Tests

    def _test(self, node: Node) -> bool:
        test = TESTS.get(node.name)
        if test is None:
            raise SieveError(f"'{node.name}' is not provided")
        return test(self, node)

    def _allof(self, node: Node) -> bool:
        return all(self._test(test) for test in node.tests)

    def _anyof(self, node: Node) -> bool:
        return any(self._test(test) for test in node.tests)

    def _not(self, node: Node) -> bool:
        return not self._test(node.tests[0])

    def _true(self, node: Node) -> bool:
        return True

    def _false(self, node: Node) -> bool:
        return False

    def _exists(self, node: Node) -> bool:
        return all(self._mail.headers(name) for name in self._texts(node, "header-names"))

    def _size(self, node: Node) -> bool:
        if node.tags["comparator"] == "over":
            return self._mail.size > node.number
        return self._mail.size < node.number

    def _header(self, node: Node) -> bool:
        names = self._texts(node, "header-names")
        return self._match(node, [value for name in names for value in self._mail.headers(name)])

    def _address(self, node: Node) -> bool:
        names = self._texts(node, "header-list")
        return self._match_parts(node, [a for name in names for a in self._mail.addresses(name)])

    def _envelope(self, node: Node) -> bool:
        parts = {"from": self._mail.sender, "to": self._mail.recipient}
        names = [name.lower() for name in self._texts(node, "header-list")]
        if unknown := [name for name in names if name not in parts]:
            raise SieveError(f"envelope: '{unknown[0]}' is neither 'from' nor 'to'")
        return self._match_parts(node, [parts[name] for name in names])

    def _match_parts(self, node: Node, addresses: list[str]) -> bool:
        part = node.tags.get("address-part", "all")
        if part == "detail":  # an address without one has nothing to match: RFC 5233 section 4
            addresses = [a for a in addresses if "+" in component_of(a, "localpart")]
        return self._match(node, [component_of(address, part) for address in addresses])

    def _string(self, node: Node) -> bool:
        texts = self._texts(node, "source")
        if node.tags.get("match-type") == "count":
            texts = [text for text in texts if text]
        return self._match(node, texts)

    def _body(self, node: Node) -> bool:
        transform = node.tags.get("body-transform", "text")
        types = self._texts(node, "body-transform argument")
        return self._match(node, self._mail.bodies(transform, types))

    def _match(self, node: Node, values: Sequence[str]) -> bool:
        matcher = matcher_of(node)
        found = matcher.any(values, self._texts(node, "key-list"))
        if found and matcher.captured is not None:
            self._variables.matched = matcher.captured
        return found


def matcher_of(node: Node) -> Matcher:
    """How a test compares. SieveError for a comparator that cannot do what is asked of it."""
    match_type = node.tags.get("match-type", "is")
    comparator = node.strings.get("comparator argument", (CASEMAP,))[0]
    relation = node.strings.get("match-type argument", ("eq",))[0]
    if comparator not in COMPARATORS:
        raise SieveError(f"comparator '{comparator}' is not provided")
    if match_type in ("contains", "matches") and comparator == "i;ascii-numeric":
        raise SieveError(f"{node.name}: '{comparator}' cannot be used with ':{match_type}'")
    return Matcher(match_type, comparator, relation)


CONTROL = frozenset(("if", "elsif", "else"))
ACTIONS: Mapping[str, Callable[[_Run, Node], None]] = {
    "keep": _Run._keep,
    "discard": _Run._discard,
    "redirect": _Run._redirect,
    "fileinto": _Run._fileinto,
    "reject": _Run._reject,
    "set": _Run._set,
    "stop": _Run._stop,
}
TESTS: Mapping[str, Callable[[_Run, Node], bool]] = {
    "address": _Run._address,
    "allof": _Run._allof,
    "anyof": _Run._anyof,
    "body": _Run._body,
    "envelope": _Run._envelope,
    "exists": _Run._exists,
    "false": _Run._false,
    "header": _Run._header,
    "not": _Run._not,
    "size": _Run._size,
    "string": _Run._string,
    "true": _Run._true,
}
