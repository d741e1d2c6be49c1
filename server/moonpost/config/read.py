"""Reads a configuration from its main file: includes, directories, search path, local changes.

The only code here that opens configuration files. Gives items with the includes replaced by what
they include, and every problem; it knows no option but the one that names the local changes file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from moonpost.config.diagnostics import Diagnostic, Place, Source, diagnostic
from moonpost.config.syntax import parse
from moonpost.config.tree import Include, Item, Option, Scope, Word

PREFIX: Final = "/opt/msys/ecelerity"
SEARCH_PATH_VARIABLE: Final = "EC_CONF_SEARCH_PATH"


@dataclass(slots=True)
class Files:
    """What was read: items in order, every file, and what went wrong."""

    items: list[Item] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    problems: list[Diagnostic] = field(default_factory=list)


def default_search_path(environ: dict[str, str], node: str) -> list[str]:
    """EC_CONF_SEARCH_PATH, or the directories the original server looks in."""
    given = environ.get(SEARCH_PATH_VARIABLE)
    if given is not None:
        return [folder for folder in given.split(":") if folder]
    return [f"{PREFIX}/etc/conf/{name}" for name in ("global", node, "default")]


def read_files(
    path: str,
    search_path: Sequence[str] = (),
    text: str | None = None,
    *,
    local_changes: bool = True,
) -> Files:
    """Read the main file and all it includes. `text` stands in for the main file's content."""
    reader = _Reader(search_path)
    reader.read_main(path, text, local_changes)
    return reader.files


class _Reader:
    def __init__(self, search_path: Sequence[str]) -> None:
        self.files = Files()
        self._search_path = [Path(folder) for folder in search_path]
        self._open: list[str] = []  # files being read, outermost first
        self._met: set[str] = set()

    def read_main(self, path: str, text: str | None, local_changes: bool) -> None:
        try:
            content = _content(path) if text is None else text
        except OSError as error:
            self.files.problems.append(_unreadable(Place(Source(path, ""), 1, 1), path, error))
            return
        self.files.items = self._items(Source(path, content, folder=_folder(path)))
        local = _local_changes_file(self.files.items) if local_changes else None
        if local is not None and (target := Path(path).parent / local.text).exists():
            self.files.items += self._file(str(target), local.place, readonly=False)

    def _items(self, source: Source) -> list[Item]:
        self.files.sources.append(source)
        self._open.append(os.path.realpath(source.path))
        items, problems = parse(source)
        self.files.problems += problems
        expanded = self._expanded(items, source)
        self._open.pop()
        return expanded

    def _expanded(self, items: Iterable[Item], source: Source) -> list[Item]:
        found: list[Item] = []
        for item in items:
            match item:
                case Include(word, readonly):
                    found += self._include(word, readonly or source.readonly, source)
                case Scope(name, instance, inner):
                    found.append(Scope(name, instance, tuple(self._expanded(inner, source))))
                case _:
                    found.append(item)
        return found

    def _include(self, word: Word, readonly: bool, source: Source) -> list[Item]:
        name = word.text.removeprefix("file://")
        if "://" in name:
            scheme, _, rest = name.partition("://")
            if scheme != "persist":
                message = f"`{word.text}` cannot be included: moonpost reads files only"
                self.files.problems.append(diagnostic("C503", word.place, message))
                return []
            name = rest
        target = self._find(name, Path(source.path).parent)
        if target is None:
            looked = ", ".join(str(folder) for folder in self._folders(source))
            self.files.problems.append(
                diagnostic(
                    "C503",
                    word.place,
                    f"`{word.text}` cannot be included: no such file or directory",
                    f"looked in {looked}",
                )
            )
            return []
        if target.is_dir():
            names = sorted(
                entry.name
                for entry in target.iterdir()
                if entry.is_file() and not entry.name.startswith(".")
            )
            return [
                item
                for entry in names
                for item in self._file(str(target / entry), word.place, readonly)
            ]
        return self._file(str(target), word.place, readonly)

    def _file(self, path: str, place: Place, readonly: bool) -> list[Item]:
        real = os.path.realpath(path)
        if real in self._open:
            chain = " -> ".join([*self._open[self._open.index(real) :], real])
            problem = diagnostic("C504", place, f"`{path}` includes itself: {chain}")
            self.files.problems.append(problem)
            return []
        readonly = readonly or real in self._met  # what is included twice has no one place to write
        self._met.add(real)
        try:
            text = _content(path)
        except OSError as error:
            self.files.problems.append(_unreadable(place, path, error))
            return []
        return self._items(Source(path, text, readonly, _folder(path)))

    def _folders(self, source: Source) -> list[Path]:
        return [Path(source.path).parent, *self._search_path]

    def _find(self, name: str, beside: Path) -> Path | None:
        candidates = (folder / name for folder in [beside, *self._search_path])
        return next((path for path in candidates if path.exists()), None)


def _content(path: str) -> str:
    # Comments of old files are in any encoding; Latin-1 reads every byte and keeps columns true.
    raw = Path(path).read_bytes()
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _folder(path: str) -> str:
    return os.path.dirname(os.path.abspath(path))


def _unreadable(place: Place, path: str, error: OSError) -> Diagnostic:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return diagnostic("C503", place, f"`{path}` cannot be read: {reason}")


def _local_changes_file(items: Iterable[Item]) -> Word | None:
    found = [
        item.value.words[0]
        for item in items
        if isinstance(item, Option)
        and item.name.text.lower() == "local_changes_file"
        and item.value.words
    ]
    return found[-1] if found else None
