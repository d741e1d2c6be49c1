"""From items to a checked tree: names, scopes, instances, types, and what moonpost has not got.

Pure. Everything wrong is collected; the tree holds what was right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any, Final

from moonpost.config.diagnostics import Diagnostic, Place, diagnostic, did_you_mean
from moonpost.config.node import Node, Setting
from moonpost.config.options import CONSEQUENTIAL, HARMLESS, OptionRow, options, options_of
from moonpost.config.patterns import BadPattern, compiled, is_pattern
from moonpost.config.scopes import (
    ANONYMOUS,
    GLOBAL,
    LISTENERS,
    NAMED,
    SCOPES,
    ScopeRow,
    allowed_in,
)
from moonpost.config.tree import Include, Item, Option, Scope, Value, Word
from moonpost.config.values import BOOLEANS, WrongValue, read_value

# Drivers of data sources that `accept_missing` may name as well; `validate` looks for those.
FOREIGN_DRIVERS: Final = frozenset({"odbc", "ldap", "csv", "cdb", "iowrapper"})

# module -> the option that stops it from signing all mail by itself, which moonpost never does
SIGNING: Final = {"opendkim": "opendkim_sign", "dkim_sign": "dkim"}
_KINDS: Final = {"scalar": "a word", "list": "a list", "dict": "a dictionary"}
_LISTENER_KEYS: Final = frozenset(name.lower() for name in LISTENERS)


@dataclass(slots=True)
class _Missing:
    """Something asked for that moonpost has not got."""

    name: str
    place: Place
    text: str
    otherwise: str = ""  # what to write instead


@dataclass(slots=True)
class Built:
    root: Node
    problems: list[Diagnostic] = field(default_factory=list)


def build(items: Iterable[Item], place: Place) -> Built:
    """Check and merge the items of a whole configuration."""
    builder = _Builder()
    root = Node(SCOPES[GLOBAL.lower()], None, place)
    builder.fill(root, items, ())
    builder.judge_modules(root)
    builder.judge_missing(root)
    return Built(root, builder.problems)


def read_setting(row: OptionRow, value: Value) -> Setting:
    """A typed setting; WrongValue when the value does not fit."""
    return Setting(row, read_value(row.type, value), value)


def option_for(name: str, scope: ScopeRow, listener: str = "") -> OptionRow | None:
    """The row of an option when it may stand in the scope. `listener`: the one around a Listen."""
    row = options().get(name.lower())
    if row is None or scope.name.lower() not in row.scopes:
        return None
    kinds = row.scopes & _LISTENER_KEYS
    return None if listener and kinds and listener not in kinds else row


class _Builder:
    def __init__(self) -> None:
        self.problems: list[Diagnostic] = []
        self._missing: list[_Missing] = []
        self._idle: dict[str, list[_Missing]] = {}  # harmless, by name

    def _report(self, code: str, place: Place, message: str, help: str = "") -> None:
        self.problems.append(diagnostic(code, place, message, help))

    def fill(self, node: Node, items: Iterable[Item], around: tuple[Node, ...]) -> None:
        """Put `items` into `node`; `around` are the scopes outside it, outermost first."""
        set_here: dict[str, Place] = {}
        for item in items:
            match item:
                case Option(name, value):
                    self._option(node, name, value, around, set_here)
                case Scope(name, instance, inner):
                    self._scope(node, name, instance, inner, around)
                case Include():
                    raise AssertionError("includes are replaced before a tree is built")

    # --- options

    def _option(
        self,
        node: Node,
        name: Word,
        value: Value,
        around: tuple[Node, ...],
        set_here: dict[str, Place],
    ) -> None:
        listener = _listener_around(node, around)
        row = option_for(name.text, node.row, listener)
        if row is None:
            self._unknown_option(node, name, listener)
            return
        try:
            setting = read_setting(row, value)
        except WrongValue as wrong:
            if wrong.index is None or not value.words:
                place, shown = value.place, _KINDS[value.kind] if value.words else "empty"
            else:
                word = value.words[wrong.index]
                place, shown = word.place, f"`{word.text}`"
            self._report("C508", place, f"{row.name} wants {wrong.wanted}; this is {shown}")
            return
        before = set_here.get(row.key)
        # Another file may well override; the same file is a mistake.
        if before is not None and before.source is name.place.source:
            self._report(
                "C520",
                name.place,
                f"{row.name} is set a second time in this scope; the first is at {before.brief}",
                "the last value holds; remove one",
            )
        set_here[row.key] = name.place
        node.settings[row.key] = setting
        self._judge_support(row, setting, name.place)

    def _judge_support(self, row: OptionRow, setting: Setting, place: Place) -> None:
        if row.support == CONSEQUENTIAL and setting.value != row.default:
            text = f"{row.name}: {row.meaning}"
            self._missing.append(_Missing(row.name, place, text))
        elif row.support == HARMLESS:
            text = f"{row.name} ({row.meaning})"
            self._idle.setdefault(row.name, []).append(_Missing(row.name, place, text))

    def _unknown_option(self, node: Node, name: Word, listener: str) -> None:
        scope = node.row.name
        row = options().get(name.text.lower())
        if row is not None:
            where = ", ".join(SCOPES[key].name for key in sorted(row.scopes)[:8])
            inside = f" of {SCOPES[listener].name}" if listener else ""
            message = f"{row.name} does not belong in scope '{scope}'{inside}"
            self._report("C507", name.place, message, f"it may stand in: {where}")
            return
        message = f"'{name.text}' is not a valid option name in scope '{scope}'"
        if name.text.lower() in SCOPES:
            written = SCOPES[name.text.lower()].name
            self._report("C506", name.place, message, f"{written} is a scope: `{written} {{ }}`")
            return
        here = [row.name for row in options_of(scope.lower())]
        guess = did_you_mean(name.text, here) or did_you_mean(
            name.text, [row.name for row in options().values()]
        )
        self._report("C506", name.place, message, guess)

    # --- scopes

    def _scope(
        self,
        parent: Node,
        name: Word,
        instance: Word | None,
        items: tuple[Item, ...],
        around: tuple[Node, ...],
    ) -> None:
        row = SCOPES.get(name.text.lower())
        if row is None or parent.row.name not in row.parents:
            self._unknown_scope(parent, name, row)
            return
        if not self._instance_fits(row, name, instance):
            return
        if row.support != "yes":
            self._judge_scope(row, name, items)
        if row.free:
            items = ()
        text = None if instance is None else instance.text
        key = (row.name.lower(), text)
        node = parent.children.get(key)
        if node is None:
            node = parent.children[key] = Node(row, text, name.place)
        self.fill(node, items, (*around, parent))

    def _unknown_scope(self, parent: Node, name: Word, row: ScopeRow | None) -> None:
        message = f"'{name.text}' is not a valid scope name in scope '{parent.row.name}'"
        if row is not None:
            help = f"{row.name} may stand in: {', '.join(row.parents)}"
        elif name.text.lower() in options():
            help = f"{options()[name.text.lower()].name} is an option: write `= value`"
        else:
            help = did_you_mean(name.text, allowed_in(parent.row.name))
        self._report("C505", name.place, message, help)

    def _instance_fits(self, row: ScopeRow, name: Word, instance: Word | None) -> bool:
        if row.naming == ANONYMOUS and instance is not None:
            self._report("C509", instance.place, f"{row.name} carries no instance name")
            return False
        if instance is None:
            if row.naming == NAMED:
                message = f"{row.name} needs an instance name"
                self._report("C509", name.place, message, f'write `{row.name} "..." {{`')
                return False
            return True
        check = _INSTANCES.get(row.name)
        wrong = check(instance.text) if check else None
        if wrong:
            code, text = wrong
            self._report(code, instance.place, text)
            return False
        return True

    def _judge_scope(self, row: ScopeRow, name: Word, items: tuple[Item, ...]) -> None:
        what = "module" if row.module else "scope"
        missing = _Missing(row.name, name.place, f"the {what} {row.name}")
        if row.support == HARMLESS:
            self._idle.setdefault(row.name, []).append(missing)
        elif not _switched_off(items):
            self._missing.append(missing)

    # --- the whole

    def judge_missing(self, root: Node) -> None:
        accepted = root.settings.get("accept_missing")
        words = accepted.written.words if accepted else ()
        names = {word.text.lower() for word in words}
        for missing in self._missing:
            if missing.name.lower() not in names:
                self._report(
                    "C510",
                    missing.place,
                    f"moonpost does not provide {missing.text}",
                    f'{missing.otherwise}`accept_missing = ( "{missing.name.lower()}" )` starts without it',
                )
        used = {missing.name.lower() for missing in self._missing}
        for word in words:
            if word.text.lower() not in used | FOREIGN_DRIVERS:
                self._report(
                    "C522", word.place, f"accept_missing names `{word.text}`, which is not missing"
                )
        for found in self._idle.values():
            more = f"; also set {len(found) - 1} times further on" if len(found) > 1 else ""
            message = f"accepted without effect: {found[0].text}{more}"
            self._report("C511", found[0].place, message)

    def judge_modules(self, root: Node) -> None:
        scriptlets = root.named("scriptlet")
        names = {node.instance or "scriptlet": node for node in scriptlets}
        if len(names) > 1:
            first, second, *_ = names.values()
            self._report(
                "C512",
                second.place,
                f"a scriptlet stanza named `{second.instance}` beside `{first.instance}` "
                f"({first.place.brief})",
                "give both stanzas the same name; their scripts are put together",
            )
        for module, switch in SIGNING.items():
            asked = root.settings.get(switch)
            found = [node for node in root.named(module) if node.get("enabled") is not False]
            if found and (asked is None or asked.value):
                text = f"signing by {module} itself; its options serve scripts that sign"
                instead = f"`{switch} = false` when policy signs; "
                self._missing.append(_Missing(switch, found[0].place, text, instead))
        needs = (("scriptlet", "alerting"), ("alerting", "inbound_audit"))
        for module, needed in needs:
            found = root.named(module)
            if found and not root.named(needed):
                self._report(
                    "C513",
                    found[0].place,
                    f"{module} needs the module {needed}",
                    f"add `{needed} {{}}`",
                )


def _listener_around(node: Node, around: tuple[Node, ...]) -> str:
    """The listener kind a Listen stands in; a Peer takes what either kind of listener takes."""
    if node.row.name != "Listen":
        return ""
    return next((one.row.name.lower() for one in around if one.row.name in LISTENERS), "")


def _switched_off(items: Iterable[Item]) -> bool:
    words = [
        item.value.text.lower()
        for item in items
        if isinstance(item, Option) and item.name.text.lower() == "enabled"
    ]
    return bool(words) and BOOLEANS.get(words[-1]) is False


# --- instance names

_Wrong = tuple[str, str] | None


def _binding_name(text: str) -> _Wrong:
    if not text or re.search(r"[\s:]", text):
        return "C509", f"a binding name has no blanks and no colons: `{text}`"
    return None


def _pattern(text: str) -> _Wrong:
    if is_pattern(text):
        try:
            compiled(text)
        except BadPattern as error:
            return "C523", f"the pattern {text} does not compile: {error}"
    return None


def _network(text: str) -> _Wrong:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return "C509", f"Peer wants an address or a network like 192.0.2.0/24: `{text}`"
    return None


_INSTANCES: Final[dict[str, Callable[[str], Any]]] = {
    "Binding": _binding_name,
    "Binding_Group": _binding_name,
    "Domain": _pattern,
    "Host": _pattern,
    "Peer": _network,
}
