"""The configuration that is in force, and how it changes while mail flows.

A change is prepared whole, shown to everyone who must agree (`on_change`), and only then becomes current:
one generation after the other. Implements the Configuration port of policy.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from moonpost.config.changes import difference
from moonpost.config.commands import Answer, Refused, run
from moonpost.config.diagnostics import ConfigurationError, is_error
from moonpost.config.model import Config, examine, load
from moonpost.config.show import show
from msys.lua.bytestr import to_str

OnChange = Callable[[Config, Config], None]  # (old, new); an exception keeps the old one


@dataclass(slots=True)
class Transaction:
    """Changes of one console session that are not in force yet."""

    base: int  # number of the configuration it began on
    working: Config
    commands: list[list[str]] = field(default_factory=list)

    def run(self, words: Sequence[str]) -> Answer:
        """Carry out a command on the working copy."""
        answer = run(self.working, words)
        if answer.changed is not None:
            self.working = answer.changed
            self.commands.append(list(words))
        return answer


class LiveConfiguration:
    """Holds the current Config. Every method is called on the event loop and returns at once."""

    def __init__(self, config: Config) -> None:
        self._current = config
        self.on_change: list[OnChange] = []
        self.suspensions: list[Callable[[str, str], bool]] = []  # who else suspends queues

    @property
    def current(self) -> Config:
        return self._current

    # --- changes

    def run(self, words: Sequence[str]) -> Answer:
        """A `config` command on the configuration in force. Refused says why not."""
        answer = run(self._current, words)
        if answer.changed is not None:
            self.adopt(answer.changed)
        return answer

    def prepare(self, path: str | None = None) -> Config:
        """Read the files again. ConfigurationError when they cannot be used; nothing has changed then."""
        old = self._current
        return load(path or old.path, old.search_path, old.number + 1)

    def adopt(self, config: Config) -> None:
        """Put a prepared configuration in force; what was set by the console is gone."""
        old = self._current
        if config.number <= old.number:  # something changed while this one was prepared
            config = replace(config, number=old.number + 1)
        for function in self.on_change:
            function(old, config)
        self._current = config

    # --- transactions

    def begin(self, *, from_scratch: bool = False) -> Transaction:
        """A transaction on a copy: of what is in force, or of what the files say."""
        working = self.prepare() if from_scratch else self._current
        return Transaction(self._current.number, working)

    def check(self, transaction: Transaction) -> None:
        """Refused when somebody else changed the configuration since it began."""
        if transaction.base != self._current.number:
            raise Refused(
                f"the configuration changed since this transaction began (generation "
                f"{transaction.base}, now {self._current.number}); roll back and begin again"
            )

    def commit(self, transaction: Transaction) -> None:
        """Put it in force. Refused when somebody else was first."""
        self.check(transaction)
        if transaction.working is not self._current:
            self.adopt(transaction.working)

    # --- keeping changes

    def write(self, path: str) -> list[str]:
        """Write the whole configuration to one file; warnings about what was flattened."""
        _replace_file(path, show(self._current.root, recurse=True) + "\n")
        included = [source.path for source in self._current.sources[1:]]
        return [f"{path} contains what was included from {', '.join(included)}"] if included else []

    def write_back(self) -> list[str]:
        """Write what the console changed to Local_Changes_File; warnings about what cannot be kept."""
        target = self._current.option("local_changes_file")
        if target is None:
            raise Refused("Local_Changes_File is not set; give a path: config writeback PATH")
        old = self._current
        files, problems = examine(old.path, old.search_path, local_changes=False)
        if any(map(is_error, problems)):
            raise ConfigurationError(problems)
        kept, lost = difference(files.root, old.root)
        _replace_file(target, show(kept, recurse=True) + "\n")
        return [f"cannot be kept in a file: {what}" for what in lost]

    # --- the Configuration port

    def command(self, words: Sequence[str]) -> tuple[Any, str]:
        """`config` for scripts: the value and the console's text, as Lua strings; nothing raises."""
        try:
            answer = self.run(words)
        except Refused as refused:
            return None, _lua(str(refused))
        except ConfigurationError as error:
            return None, _lua(str(error))
        return _lua(answer.value), _lua(answer.text)

    def binding_names(self) -> Sequence[str]:
        return self._current.binding_names()

    def binding_group(self, name: str) -> Sequence[str] | None:
        return self._current.binding_group(name)

    def suspended(self, binding: str, domain: str) -> bool:
        """By an option, or by somebody in `suspensions`."""
        return bool(self.delivery_option("suspend_delivery", binding, domain)) or any(
            suspends(binding, domain) for suspends in self.suspensions
        )

    def delivery_option(self, option: str, binding: str, domain: str) -> Any:
        return self._current.delivery_option(option, binding, domain)

    def option(self, name: str) -> Any:
        return self._current.option(name)

    def module(self, scope: str) -> Mapping[str, Any] | None:
        return self._current.module(scope)


def _replace_file(path: str, text: str) -> None:
    """Write a file whole or not at all."""
    folder = os.path.dirname(os.path.abspath(path))
    handle, name = tempfile.mkstemp(dir=folder, prefix=".moonpost-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _lua(value: Any) -> Any:
    """Text as Lua strings hold it, one character per byte of UTF-8."""
    if isinstance(value, str):
        return to_str(value.encode("utf-8"))
    if isinstance(value, list):
        return [_lua(item) for item in value]
    if isinstance(value, dict):
        return {_lua(key): _lua(item) for key, item in value.items()}
    return value
