"""Compiles the scripts of one generation together, through the cache.

Files are analysed first (cheap facts: which globals, which requires), then translated knowing what the others share.
Runs in the compile child, and with `only_cached` in the server, which then never parses.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lua2py
from lua2py.source import SourceFile
from moonpost.policy import handmade
from moonpost.policy.cache import CompileCache, key_of
from moonpost.policy.facts import Facts, siblings_json
from moonpost.policy.facts import siblings as siblings_of
from moonpost.policy.search import Found, SourceRefused, find

EVERYTHING = (
    "*"  # in place of a set of shared names: some file looks at its globals by name at run time
)

FORMAT = 2  # of the cache entries written here


class NotCached(Exception):
    """`only_cached` was asked for, and something has to be compiled."""


@dataclass(slots=True)
class Module:
    """One file, ready to execute."""

    found: Found
    sha256: str
    python: str
    map: dict[str, Any]
    filename: Path  # of the generated text, for tracebacks and debuggers
    siblings: lua2py.Siblings  # what the other files mean for this one


@dataclass(slots=True)
class Compiled:
    """Every file of a generation, or why there is none."""

    modules: dict[str, Module] = field(default_factory=dict)  # path -> module
    names: dict[str, str] = field(default_factory=dict)  # script source or required name -> path
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Compilation:
    """One run over one set of scripts."""

    def __init__(
        self,
        roots: Sequence[Path],
        cache: CompileCache,
        *,
        std: str = "thr",
        allow_writable: bool = False,
        only_cached: bool = False,
    ) -> None:
        self._roots = roots
        self._cache = cache
        self._std = std
        self._allow_writable = allow_writable
        self._only_cached = only_cached
        self._tool = (FORMAT, lua2py.VERSION, sys.version_info[:3], std)
        self._result = Compiled()
        self._sources: dict[str, tuple[Found, bytes, str]] = {}
        self._facts: dict[str, Facts] = {}
        self._handmade: dict[str, handmade.Handmade] = {}

    def run(self, names: Sequence[str]) -> Compiled:
        """Compile the files behind `names` and everything they require by literal name."""
        for name in names:
            if self._gather(name) is None:
                self._result.problems.append(self._not_found(name))
        if not self._result.problems:
            for path in self._sources:
                self._translate(path)
        return self._result

    def _not_found(self, name: str) -> str:
        where = ", ".join(str(root) for root in self._roots)
        shown = name if "/" in name else name.replace(".", "/")
        return f"Unable to open '{shown}.lua', errno=2 No such file or directory; looked in {where}"

    def _gather(self, name: str) -> str | None:
        if name in self._result.names:
            return self._result.names[name]
        try:
            found = find(name, self._roots, allow_writable=self._allow_writable)
        except SourceRefused as refused:
            self._result.problems.append(str(refused))
            return ""
        if found is None:
            return None
        path = str(found.path)
        self._result.names[name] = path
        if path in self._sources:
            return path
        content = found.path.read_bytes()
        self._sources[path] = (found, content, hashlib.sha256(content).hexdigest())
        if found.language == "lua":
            facts = self._facts[path] = self._analyse(path)
            requires: Sequence[str] = facts.requires
        else:
            made = self._handmade[path] = handmade.read(found, content)
            self._result.problems += made.problems
            requires = made.requires
        for required in requires:
            self._gather(required)
        return path

    def _analyse(self, path: str) -> Facts:
        found, content, sha256 = self._sources[path]
        key = key_of("facts", sha256, found.shown, self._tool)
        stored = self._cache.get(key)
        if stored is None:
            if self._only_cached:
                raise NotCached(path)
            analysis = lua2py.analyse(SourceFile(found.shown, content), std=self._std)
            texts = {
                severity: [
                    d.render(analysis.source)
                    for d in analysis.diagnostics
                    if d.severity == severity
                ]
                for severity in ("error", "warning")
            }
            stored = {"facts": Facts.of(analysis).to_json(), **texts}
            self._cache.put(key, stored)
        self._result.problems += stored["error"]
        self._result.warnings += stored["warning"]
        return Facts.from_json(stored["facts"])

    def _translate(self, path: str) -> None:
        found, content, sha256 = self._sources[path]
        if found.language == "python":
            text, line_map = self._handmade[path].text, handmade.line_map(found)
            self._result.modules[path] = Module(
                found, sha256, text, line_map, found.path, lua2py.Siblings()
            )
            return
        others = [facts for other, facts in self._facts.items() if other != path]
        siblings = siblings_of(self._facts[path], others)
        key = key_of("module", sha256, found.shown, self._tool, siblings_json(siblings))
        stored = self._cache.get(key)
        filename = self._cache.path(key, ".py")
        if stored is None or not filename.exists():
            if self._only_cached:
                raise NotCached(path)
            source = SourceFile(found.shown, content)
            translation = lua2py.translate(source, std=self._std, siblings=siblings)
            errors = [d for d in translation.diagnostics if d.severity == "error"]
            stored = {"map": translation.map, "problems": [d.render(source) for d in errors]}
            self._cache.put(key, stored, translation.python)
        if stored["problems"]:
            self._result.problems += stored["problems"]
            return
        python = filename.read_text(encoding="utf-8")
        self._result.modules[path] = Module(
            found, sha256, python, stored["map"], filename, siblings
        )
