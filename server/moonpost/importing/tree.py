"""Finds the scripts of an existing configuration tree: script stanzas, and the files they mean.

The only part of importing that reads the disk. A tree is a copy of what lay on another machine, so names are
looked up by their last parts, and absolute paths lead nowhere: `/opt/msys/.../lua/policy` is `lua/policy.lua` of the
tree. Knows nothing of Lua.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from moonpost.config.diagnostics import Source
from moonpost.config.diagnostics import render as render_problem
from moonpost.config.model import BUILT_IN_SOURCES
from moonpost.config.syntax import parse
from moonpost.config.tree import Item, Option, Scope
from moonpost.policy.search import is_generated

CONFIGURATION = ".conf"
LUA, PYTHON = ".lua", ".py"


@dataclass(frozen=True, slots=True)
class Stanza:
    """`script "name" { source = "..." }` somewhere in the tree."""

    name: str
    source: str
    file: str  # relative to the tree, as all paths here
    line: int

    @property
    def built_in(self) -> bool:
        """Whether the source is a library of the original that is part of moonpost."""
        return self.source in BUILT_IN_SOURCES


@dataclass(slots=True)
class Tree:
    """What lies in a tree."""

    root: Path
    configurations: list[str] = field(default_factory=list)
    stanzas: list[Stanza] = field(default_factory=list)
    scripts: dict[str, bytes] = field(default_factory=dict)  # Lua, and Python written by people
    problems: list[str] = field(default_factory=list)  # of configuration files, in words

    def meant_by(self, name: str, near: str) -> str:
        """The script that a `source` or a `require` in the file `near` means; empty when there is none.

        The one in the nearest folder, then the one least deep: Momentum's search path is not part of the tree.
        """
        wanted = _parts(name)
        drop = range(len(wanted)) if name.startswith("/") else range(1)
        for start in drop:
            found = [path for path in self.scripts if _ends_with(path, wanted[start:])]
            if found:
                return min(found, key=lambda path: _distance(path, near))
        return ""


def read_tree(root: Path) -> Tree:
    """Everything of `root` that matters to policy. Hidden folders, and links that lead out, are left alone."""
    tree = Tree(root)
    for path in _files(root):
        shown = path.relative_to(root).as_posix()
        try:
            if path.suffix == CONFIGURATION:
                _read_configuration(tree, path, shown)
            elif path.suffix == LUA or (path.suffix == PYTHON and _is_policy(path)):
                tree.scripts[shown] = path.read_bytes()
        except OSError as error:
            tree.problems.append(f"{shown}: cannot be read: {error.strerror}")
    return tree


def _files(root: Path) -> Iterator[Path]:
    real = root.resolve()
    for path in sorted(root.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        if not hidden and path.is_file() and path.resolve().is_relative_to(real):
            yield path


def _is_policy(path: Path) -> bool:
    """Whether people wrote this Python: there is no Lua beside it that it could have been made of."""
    return not path.with_suffix(LUA).exists() and not is_generated(path)


def _read_configuration(tree: Tree, path: Path, shown: str) -> None:
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:  # comments of old files are in any encoding
        text = raw.decode("latin-1")
    items, problems = parse(Source(shown, text))
    tree.configurations.append(shown)
    tree.problems += [render_problem(problem) for problem in problems]
    tree.stanzas += _stanzas(items, shown)


def _stanzas(items: Sequence[Item], file: str) -> Iterator[Stanza]:
    """Script stanzas at any depth: a file that is included may hold them without the module around."""
    for item in items:
        if not isinstance(item, Scope):
            continue
        sources = [
            inner.value.text
            for inner in item.items
            if isinstance(inner, Option) and inner.name.text.lower() == "source"
        ]
        if item.name.text.lower() == "script" and sources:
            name = item.instance.text if item.instance else ""
            yield Stanza(name, sources[-1], file, item.name.place.line)
        else:
            yield from _stanzas(item.items, file)


def _parts(name: str) -> tuple[str, ...]:
    name = name.removesuffix(LUA)
    path = name if "/" in name else name.replace(".", "/")
    return PurePosixPath(path.lstrip("/")).parts


def _ends_with(path: str, wanted: tuple[str, ...]) -> bool:
    parts = PurePosixPath(path).with_suffix("").parts
    return parts[-len(wanted) :] == wanted or parts[-len(wanted) - 1 :] == (*wanted, "init")


def _distance(path: str, near: str) -> tuple[int, int, str]:
    folder, other = PurePosixPath(path).parent.parts, PurePosixPath(near).parent.parts
    common = 0
    for one, two in zip(folder, other, strict=False):
        if one != two:
            break
        common += 1
    return -common, len(folder), path
