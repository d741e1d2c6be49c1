"""One complete configuration: typed look-ups with fallback and default.

Immutable; a change makes another Config with the next number. Reading files is `load`'s affair.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from moonpost.config.build import build
from moonpost.config.diagnostics import (
    ConfigurationError,
    Diagnostic,
    Place,
    Source,
    in_order,
    is_error,
)
from moonpost.config.fallback import (
    delivery_chain,
    group_of,
    host_chain,
    listener_chain,
    recipient_chain,
)
from moonpost.config.node import Node, Setting
from moonpost.config.options import OptionRow, options, options_of
from moonpost.config.read import read_files

DEFAULT_BINDING = "default"
CACHED = (
    20_000  # chosen: answers kept; a queue asks for some forty options of each binding and domain
)

# Libraries of the original that are part of moonpost: a script stanza for one loads nothing.
BUILT_IN_SOURCES = frozenset({"msys.boot", "msys.adaptive"})

# pool -> threads, as the original server has them; 0 runs jobs where they are asked for
BUILT_IN_POOLS: Mapping[str, int] = {
    "SwapOut": 5,
    "SwapIn": 5,
    "Unlink": 6,
    "Batch_Unlink": 4,
    "Close": 0,
    "CPU": 4,
    "IO": 50,
    "SpoolIn": 1,
}


@dataclass(frozen=True, slots=True)
class Script:
    """`script "name" { source = "..." }`, in the order of the file."""

    name: str
    source: str
    place: Place


@dataclass(frozen=True, slots=True)
class ThreadPool:
    name: str
    concurrency: int
    backlog: int


@dataclass(frozen=True, eq=False)
class Config:
    """What a configuration file says. `notes` are its warnings and notes."""

    root: Node
    path: str
    search_path: tuple[str, ...] = ()
    number: int = 1
    notes: tuple[Diagnostic, ...] = ()
    sources: tuple[Source, ...] = ()
    _answers: dict[tuple[str, str, str, str], Any] = field(default_factory=dict, repr=False)

    @property
    def folder(self) -> str:
        """Where the main file lies; its relative paths begin here."""
        return os.path.dirname(os.path.abspath(self.path))

    @property
    def script_folders(self) -> list[str]:
        """Where `source` and `require` look: beside the main file, then along the search path."""
        return [self.folder, *self.search_path]

    # --- options

    def option(self, name: str) -> Any:
        """A global option, or its default."""
        row = known(name)
        setting = self.root.settings.get(row.key)
        return row.default if setting is None else setting.value

    def delivery_option(self, name: str, binding: str, domain: str, host: str = "") -> Any:
        """An option of outbound mail, with its fallback and default."""
        key = (name, binding, domain, host)
        try:
            return self._answers[key]
        except KeyError:
            pass
        if len(self._answers) >= CACHED:
            self._answers.clear()
        row = known(name)
        found = first(delivery_chain(self.root, binding, domain, host), row)
        answer = self._answers[key] = row.default if found is None else found[1].value
        return answer

    def delivery_scope(self, name: str, binding: str, domain: str, host: str = "") -> str:
        """Which scope decides an option: those that share it share its throttle. Empty: the default."""
        found = first(delivery_chain(self.root, binding, domain, host), known(name))
        return "" if found is None else _place(found[0])

    def host_option(
        self, name: str, binding: str, host: str, address: str = ""
    ) -> tuple[Any, str] | None:
        """What a Host stanza sets for a receiving host, and where that stanza stands; None: none sets it."""
        found = first(host_chain(self.root, binding, host, address), known(name))
        return None if found is None else (found[1].value, _place(found[0]))

    def listener_option(
        self, name: str, listener: str = "ESMTP_Listener", listen: str = "", peer_ip: str = ""
    ) -> Any:
        """An option of a session, with its fallback and default."""
        row = known(name)
        found = first(listener_chain(self.root, listener, listen, peer_ip), row)
        return row.default if found is None else found[1].value

    def listener_scope(self, name: str, listener: str, listen: str, peer_ip: str) -> Node | None:
        """Which scope decides an option of a session; None: the default."""
        found = first(listener_chain(self.root, listener, listen, peer_ip), known(name))
        return None if found is None else found[0]

    def recipient_option(self, name: str, domain: str, pathway: str) -> Any:
        """An option about a recipient of a session, with its fallback and default."""
        row = known(name)
        found = first(recipient_chain(self.root, domain, pathway), row)
        return row.default if found is None else found[1].value

    # --- modules and named things

    def module(self, scope: str) -> Mapping[str, Any] | None:
        """Options of a module's (first) stanza with defaults, its inner scopes under their name."""
        found = self.modules(scope)
        return found[0] if found else None

    def judging(self, module: str) -> Mapping[str, Any] | None:
        """Options of a module that judges mail without a script; `bounces` is one that has no stanza."""
        if module != "bounces":
            return self.module(module)
        scopes = (self.root, *(node for _, node in self.root.walk()))
        return {} if any(scope.get("bounce_domains") for scope in scopes) else None

    def modules(self, scope: str) -> list[Mapping[str, Any]]:
        """Every stanza of a module that is not switched off; `instance` is its name."""
        return [
            {"instance": node.instance or "", **_stanza(node, defaults=True), **_beside(node)}
            for node in self.root.named(scope.lower())
            if node.get("enabled") is not False
        ]

    def binding_names(self) -> list[str]:
        """Every binding, `default` first."""
        names = [DEFAULT_BINDING]
        for scope in (self.root, *self.root.named("binding_group")):
            names += [node.instance or "" for node in scope.named("binding")]
        return list(dict.fromkeys(names))

    def binding_group(self, name: str) -> list[str] | None:
        """Members of a group; None when there is no such group."""
        group = self.root.child("binding_group", name)
        if group is None:
            return [DEFAULT_BINDING] if name == "default" else None
        return [node.instance or "" for node in group.named("binding")]

    def group_of(self, binding: str) -> str:
        """The group of a binding, `default` when it is in none."""
        group = group_of(self.root, binding)
        return "default" if group is None or group.instance is None else group.instance

    def scripts(self) -> list[Script]:
        """The scripts to load, in file order."""
        return [
            Script(script.instance or "", script.get("source") or "", script.place)
            for stanza in self.root.named("scriptlet")
            if stanza.get("enabled") is not False
            for script in stanza.named("script")
            if str(script.get("source")).replace("/", ".") not in BUILT_IN_SOURCES
        ]

    def thread_pools(self) -> dict[str, ThreadPool]:
        """Built-in pools with the configured sizes, and pools of their own."""
        pools = {name: ThreadPool(name, size, 0) for name, size in BUILT_IN_POOLS.items()}
        pools["Unlink"] = ThreadPool("Unlink", BUILT_IN_POOLS["Unlink"], 100)
        spelling = {name.lower(): name for name in pools}
        for node in self.root.named("threadpool"):
            name = spelling.get((node.instance or "").lower(), node.instance or "")
            old = pools.get(name, ThreadPool(name, 0, 0))
            size, backlog = node.get("concurrency"), node.get("backlog")
            pools[name] = ThreadPool(
                name,
                old.concurrency if size is None else size,
                old.backlog if backlog is None else backlog,
            )
        return pools


def known(name: str) -> OptionRow:
    """The row of an option our own code asks for; KeyError is a bug of the caller."""
    return options()[name.lower()]


def first(chain: Iterator[Node], row: OptionRow) -> tuple[Node, Setting] | None:
    """The first scope of a chain that sets an option."""
    for node in chain:
        setting = node.settings.get(row.key)
        if setting is not None:
            return node, setting
    return None


def _place(node: Node) -> str:
    return str(node.place) + (node.instance or "")


def _stanza(node: Node, *, defaults: bool) -> dict[str, Any]:
    """Options by lower-case name; an inner scope is a dictionary of its instances."""
    found: dict[str, Any] = {}
    if defaults:
        found |= {row.key: row.default for row in options_of(node.row.name.lower())}
    found |= {key: setting.value for key, setting in node.settings.items()}
    for (name, instance), child in node.children.items():
        # What an inner scope leaves out comes from the scope around it, so no defaults here.
        found.setdefault(name, {})[instance or ""] = _stanza(child, defaults=False)
    return found


def _beside(node: Node) -> dict[str, Any]:
    """Logs that are not named, in the folder of the main log: its owner meant that folder."""
    main = node.get("mainlog")
    if node.row.name != "ec_logger" or main is None or "://" in main:
        return {}
    folder = os.path.dirname(main)
    return {
        name: os.path.join(folder, os.path.basename(options()[name].default))
        for name in ("rejectlog", "paniclog", "acctlog")
        if name not in node.settings
    }


def load(path: str, search_path: Sequence[str] = (), number: int = 1) -> Config:
    """Read and check a configuration. ConfigurationError has everything that is wrong with it."""
    config, problems = examine(path, search_path, number=number)
    if any(map(is_error, problems)):
        raise ConfigurationError(problems)
    return config


def examine(
    path: str,
    search_path: Sequence[str] = (),
    text: str | None = None,
    number: int = 1,
    *,
    local_changes: bool = True,
) -> tuple[Config, list[Diagnostic]]:
    """The configuration as far as it can be understood, and what is wrong with it."""
    files = read_files(path, search_path, text, local_changes=local_changes)
    main = files.sources[0] if files.sources else Source(path, "")
    built = build(files.items, Place(main, 1, 1))
    problems = in_order([*files.problems, *built.problems])
    notes = tuple(problem for problem in problems if not is_error(problem))
    config = Config(built.root, path, tuple(search_path), number, notes, tuple(files.sources))
    return config, problems
