"""The `config` commands over one Config: what they answer, and the Config they lead to.

Pure: a change gives another Config and leaves the old one alone. Who makes it current is `live`'s affair.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from moonpost.config.addressing import Address, Misaddressed, locate, option_at, shown_path
from moonpost.config.build import read_setting
from moonpost.config.diagnostics import Place, Source
from moonpost.config.fallback import delivery_chain, listener_chain, pathway_chain
from moonpost.config.model import Config, first
from moonpost.config.node import Node, Setting, with_setting, without_scope
from moonpost.config.options import CONSEQUENTIAL, OptionRow
from moonpost.config.scopes import LISTENERS
from moonpost.config.show import header, show
from moonpost.config.syntax import parse
from moonpost.config.tree import Option, Value, Word
from moonpost.config.values import BOOLEANS, LISTS, WrongValue, quoted, show_value

CONSOLE: Final = "<console>"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command came to. `value` is text, a list or dictionary of it, or None."""

    value: Any
    text: str
    changed: Config | None = None


class Refused(Exception):
    """A command that was not carried out; the text is for the console."""


def run(config: Config, words: Sequence[str]) -> Answer:
    """Carry out `get`, `eval`, `set`, `unset`, `show`, `showrecurse` or `locate`. Refused says why not."""
    verb = words[0].lower() if words else ""
    if verb not in COMMANDS:
        raise Refused(f"config {verb}: no such command; there are {', '.join(COMMANDS)}")
    rest = list(words[1:])
    place = Place(Source(CONSOLE, " ".join(words), folder=config.folder), 1, 1)
    try:
        return COMMANDS[verb](config, rest, place)
    except Misaddressed as error:
        raise Refused(str(error)) from None


def _get(config: Config, words: list[str], place: Place) -> Answer:
    address = locate(config.root, words, place)
    row = option_at(address)
    node = _existing(config, address)
    setting = node.settings.get(row.key)
    if setting is None:
        path = shown_path(address.steps)
        return Answer(None, f"Option '{row.name}' is not set in scope '{path}'.")
    return Answer(plain(setting.written, row), _indented(_assignment(setting), address))


def _eval(config: Config, words: list[str], place: Place) -> Answer:
    address = locate(config.root, words, place)
    return _effective(config, address, option_at(address))


def _effective(config: Config, address: Address, row: OptionRow) -> Answer:
    found = first(_chain(config.root, address), row)
    written = _default(row, config) if found is None else found[1].written
    if written is None:
        return Answer(None, f'{row.name} = ""')
    return Answer(plain(written, row), show_value(row.name, row.type, written))


def _set(config: Config, words: list[str], place: Place) -> Answer:
    address = locate(config.root, words, place)
    row = option_at(address)
    value = _value(row, list(address.rest[1:]), place)
    try:
        setting = read_setting(row, value)
    except WrongValue as wrong:
        raise Refused(f"{row.name} wants {wrong.wanted}; nothing was changed") from None
    accepted = {name.lower() for name in config.option("accept_missing")}
    if row.support == CONSEQUENTIAL and setting.value != row.default and row.key not in accepted:
        raise Refused(f"moonpost does not provide {row.name}; nothing was changed")
    root = with_setting(config.root, address.steps, row.key, setting)
    text = _assignment(setting)
    if not row.dynamic:
        text += f"\n{row.name} takes effect at the next start."
    return Answer(plain(value, row), text, _next(config, root))


def _unset(config: Config, words: list[str], place: Place) -> Answer:
    address = locate(config.root, words, place)
    if not address.rest:
        if not address.steps:
            raise Refused("the global scope cannot be unset as a whole")
        _existing(config, address)
        root = without_scope(config.root, address.path)
        return Answer(
            None, f"Scope '{shown_path(address.steps)}' has been cleared.", _next(config, root)
        )
    row = option_at(address)
    _existing(config, address)
    root = with_setting(config.root, address.steps, row.key, None)
    changed = _next(config, root)
    now = _effective(changed, address, row)
    text = f'"{row.name}" has been unset. Effective value is now:\n\t{now.text}'
    return Answer(now.value, text, changed)


def _show(config: Config, words: list[str], place: Place, *, recurse: bool = False) -> Answer:
    address = locate(config.root, words, place)
    if address.rest:
        raise Refused(f"'{address.rest[0]}' is not a valid scope name in '{address.scope.name}'.")
    text = show(_existing(config, address), recurse=recurse)
    return Answer(text, text)


def _showrecurse(config: Config, words: list[str], place: Place) -> Answer:
    return _show(config, words, place, recurse=True)


def _locate(config: Config, words: list[str], place: Place) -> Answer:
    if not words:
        raise Refused("config locate SCOPE [REGEX]")
    try:
        pattern = re.compile(words[1] if len(words) > 1 else "")
    except re.error as error:
        raise Refused(f"the pattern `{words[1]}` does not compile: {error}") from None
    lines: list[str] = []
    for path, node in config.root.walk():
        if path and path[-1][0] == words[0].lower() and pattern.search(node.instance or ""):
            steps = [config.root.at(path[: end + 1]) for end in range(len(path))]
            where = shown_path([step for step in steps if step is not None])
            lines += [header(node), f"  is at {where}"]
    text = "\n".join(lines) or f"No scope '{words[0]}' is configured."
    return Answer(text if lines else None, text)


COMMANDS: Final[Mapping[str, Callable[[Config, list[str], Place], Answer]]] = {
    "get": _get,
    "eval": _eval,
    "set": _set,
    "unset": _unset,
    "show": _show,
    "showrecurse": _showrecurse,
    "locate": _locate,
}


# --- places


def _existing(config: Config, address: Address) -> Node:
    node = config.root.at(address.path)
    if node is None:
        raise Refused(f"Scope '{shown_path(address.steps)}' does not exist.")
    return node


def _chain(root: Node, address: Address) -> Iterator[Node]:
    """The scopes that decide an option seen from `address`, which need not exist."""
    here = root.at(address.path)
    if here is not None:
        yield here
    names = {step.row.name: step.instance or "" for step in address.steps}
    listener = next((name for name in names if name in LISTENERS), "")
    if listener:
        peer = names.get("Peer", "").partition("/")[0]
        yield from listener_chain(root, listener, names.get("Listen", ""), peer)
        return
    if "Pathway" in names:
        yield from pathway_chain(root, names["Pathway"])
    if "Binding_Group" in names and "Binding" not in names:
        group = root.child("binding_group", names["Binding_Group"])
        if group is not None:
            yield group
    if {"Binding", "Domain", "Host"} & names.keys():
        yield from delivery_chain(
            root, names.get("Binding", ""), names.get("Domain", ""), names.get("Host", "")
        )
    yield root


def _next(config: Config, root: Node) -> Config:
    return replace(config, root=root, number=config.number + 1, _answers={})


# --- values


def _value(row: OptionRow, words: list[str], place: Place) -> Value:
    if words and words[0] == "=":
        words = words[1:]
    if not words:
        raise Refused(f"config set {row.name}: a value is missing")
    many = row.type in LISTS or row.type == "dict"
    if many and words[0][:1] in ("(", "["):
        return _written(row, _bracketed(words), place)
    if len(words) > 1 and not many:
        raise Refused(f"{row.name} takes one value; put quotes around one that holds blanks")
    written = tuple(Word(word, place) for word in words)
    return Value("list" if len(words) > 1 else "scalar", written, place)


def _bracketed(words: list[str]) -> str:
    """Words of a list as file text: the splitting took their quotes, blanks need them back."""
    opening, first = words[0][0], words[0][1:]
    rest = [first, *words[1:]]
    closing = rest[-1][-1:] if rest[-1][-1:] in (")", "]") else ""
    rest[-1] = rest[-1][: len(rest[-1]) - len(closing)]
    inner = (quoted(word) if " " in word else word for word in rest if word)
    return f"{opening} {' '.join(inner)} {closing}"


def _written(row: OptionRow, text: str, place: Place) -> Value:
    source = Source(CONSOLE, f"{row.name} = {text}", folder=place.source.folder)
    items, problems = parse(source)
    if problems or len(items) != 1 or not isinstance(items[0], Option):
        reason = problems[0].message if problems else "one value is wanted"
        raise Refused(f"{row.name}: {reason}; nothing was changed")
    return items[0].value


def _default(row: OptionRow, config: Config) -> Value | None:
    """The default as it would be written; a truth value as 0 or 1, as the console shows it."""
    if row.default is None or row.default in ([], {}):
        return None
    text = row.default_text
    if row.default is True or row.default is False:
        text = str(int(BOOLEANS[text.lower()]))
    words = text.split() if row.type in LISTS else [text]
    place = Place(Source(CONSOLE, ""), 1, 1)
    return Value(
        "list" if row.type in LISTS else "scalar", tuple(Word(word, place) for word in words), place
    )


def plain(value: Value, row: OptionRow) -> str | list[str] | dict[str, str]:
    """A value as scripts get it: text, a list or a dictionary of text."""
    if row.type == "dict":
        return value.pairs
    return value.texts if row.type in LISTS else value.text


def _assignment(setting: Setting) -> str:
    return show_value(setting.row.name, setting.row.type, setting.written)


def _indented(text: str, address: Address) -> str:
    return "\n".join(f"\t{line}" for line in text.split("\n")) if address.steps else text
