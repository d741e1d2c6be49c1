"""Compiles the scripts of one generation together, through the cache.

Files are analysed first (cheap facts: which globals, which requires), then translated knowing what the others share.
Runs in the compile child, and with `only_cached` in the server, which then never parses.
"""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lua2py
from lua2py.source import SourceFile
from moonpost.policy.cache import CompileCache, key_of
from moonpost.policy.search import Found, SourceRefused, find

EVERYTHING = (
    "*"  # in place of a set of shared names: some file looks at its globals by name at run time
)


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


@dataclass(slots=True)
class Compiled:
    """Every file of a generation, or why there is none."""

    modules: dict[str, Module] = field(default_factory=dict)  # path -> module
    names: dict[str, str] = field(default_factory=dict)  # script source or required name -> path
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Facts:
    requires: list[str]
    names: list[str]  # globals read or written
    looks_around: bool
    problems: list[str]
    warnings: list[str]


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
        self._tool = (lua2py.VERSION, sys.version_info[:3], std)
        self._result = Compiled()
        self._sources: dict[str, tuple[Found, bytes, str]] = {}
        self._facts: dict[str, _Facts] = {}

    def run(self, names: Sequence[str]) -> Compiled:
        """Compile the files behind `names` and everything they require by literal name."""
        for name in names:
            if self._gather(name) is None:
                self._result.problems.append(self._not_found(name))
        if not self._result.problems:
            shared = self._shared()
            for path in self._sources:
                self._translate(path, shared)
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
            self._result.problems += facts.problems
            self._result.warnings += facts.warnings
            for required in facts.requires:
                self._gather(required)
        return path

    def _analyse(self, path: str) -> _Facts:
        found, content, sha256 = self._sources[path]
        key = key_of("facts", sha256, found.shown, self._tool)
        stored = self._cache.get(key)
        if stored is None:
            if self._only_cached:
                raise NotCached(path)
            analysis = lua2py.analyse(SourceFile(found.shown, content), std=self._std)
            source = analysis.source
            texts = {
                severity: [d.render(source) for d in analysis.diagnostics if d.severity == severity]
                for severity in ("error", "warning")
            }
            stored = {
                "requires": analysis.requires,
                "names": sorted(analysis.globals_read | analysis.globals_written),
                "looks_around": analysis.uses_environment,
                "problems": texts["error"],
                "warnings": texts["warning"],
            }
            self._cache.put(key, stored)
        return _Facts(**stored)

    def _shared(self) -> frozenset[str] | None:
        """Global names that more than one file uses; None when any name may be."""
        if any(facts.looks_around for facts in self._facts.values()):
            return None
        counts = Counter(name for facts in self._facts.values() for name in facts.names)
        return frozenset(name for name, files in counts.items() if files > 1)

    def _translate(self, path: str, shared: frozenset[str] | None) -> None:
        found, content, sha256 = self._sources[path]
        if found.language == "python":
            self._result.modules[path] = Module(
                found, sha256, content.decode("utf-8"), {}, found.path
            )
            return
        own = EVERYTHING if shared is None else sorted(shared & set(self._facts[path].names))
        key = key_of("module", sha256, found.shown, self._tool, own)
        stored = self._cache.get(key)
        filename = self._cache.path(key, ".py")
        if stored is None or not filename.exists():
            if self._only_cached:
                raise NotCached(path)
            translation = lua2py.translate(
                SourceFile(found.shown, content),
                std=self._std,
                shared=lua2py.ALL_SHARED if shared is None else shared,
            )
            stored = {
                "map": translation.map,
                "problems": [
                    d.render(translation.source)
                    for d in translation.diagnostics
                    if d.severity == "error"
                ],
            }
            self._cache.put(key, stored, translation.python)
        if stored["problems"]:
            self._result.problems += stored["problems"]
            return
        python = filename.read_text(encoding="utf-8")
        self._result.modules[path] = Module(found, sha256, python, stored["map"], filename)
