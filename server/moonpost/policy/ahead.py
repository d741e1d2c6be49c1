"""Modules written ahead of time: `NAME.py` and `NAME.map.json` beside `NAME.lua`.

`moonpost compile` writes them, `moonpost serve --compiled` loads them and nothing else: it never parses Lua, and
refuses a module that is stale (another source, another compiler, or compiled with other files than it is loaded with).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lua2py
from moonpost.policy import handmade
from moonpost.policy.compiling import Compiled, Module
from moonpost.policy.facts import Facts, siblings, siblings_json
from moonpost.policy.search import Found, SourceRefused, find

COMPILE = "run moonpost compile on all scripts of the configuration together"


def files_of(
    translation: lua2py.Translation, facts: Facts, known: lua2py.Siblings
) -> dict[str, str]:
    """Suffix and text of the two files of a module."""
    beside = {
        **translation.map,
        "sha256": translation.source.sha256,
        "compiler": lua2py.VERSION,
        "facts": facts.to_json(),
        "siblings": siblings_json(known),
    }
    return {".py": translation.python, ".map.json": json.dumps(beside, sort_keys=True) + "\n"}


class Ahead:
    """Collects the modules of a generation from files that were written ahead of time."""

    def __init__(self, roots: Sequence[Path], *, allow_writable: bool) -> None:
        self._roots = roots
        self._allow_writable = allow_writable
        self._result = Compiled()
        self._facts: dict[str, Facts] = {}
        self._siblings: dict[str, Any] = {}

    def run(self, names: Sequence[str]) -> Compiled:
        """The modules behind `names` and what they require."""
        for name in names:
            if self._gather(name) is None:
                self._result.problems.append(f"{name}: no such script in {_shown(self._roots)}")
        for path in self._facts:
            others = [facts for other, facts in self._facts.items() if other != path]
            found = siblings(self._facts[path], others)
            self._result.modules[path].siblings = found
            if siblings_json(found) != self._siblings[path]:
                shown = self._result.modules[path].found.shown
                self._result.problems.append(
                    f"{shown}: was compiled with other files than it is loaded with; {COMPILE}"
                )
        return self._result

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
        path = self._result.names[name] = str(found.path)
        if path not in self._result.modules:
            self._load(path, found)
        return path

    def _load(self, path: str, found: Found) -> None:
        content = found.path.read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        if found.language == "python":
            made = handmade.read(found, content)
            self._result.problems += made.problems
            own_map = handmade.line_map(found)
            module = Module(found, sha256, made.text, own_map, found.path, lua2py.Siblings())
            self._result.modules[path] = module
            for required in made.requires:
                self._gather(required)
            return
        python, map_path = found.path.with_suffix(".py"), found.path.with_suffix(".map.json")
        try:
            text = python.read_text(encoding="utf-8")
            beside = json.loads(map_path.read_bytes())
            problem = _stale(found.shown, sha256, beside)
        except (OSError, ValueError) as error:
            problem = f"{found.shown}: is not compiled ({error}); {COMPILE}"
        if problem:
            self._result.problems.append(problem)
            return
        # The compiler knew the file's own name only; errors name it as its configuration does.
        named = {**beside, "source": found.shown}
        module = Module(found, sha256, text, named, python, lua2py.Siblings())
        self._result.modules[path] = module
        self._siblings[path] = beside["siblings"]
        facts = self._facts[path] = Facts.from_json(beside["facts"])
        for required in facts.requires:
            self._gather(required)


def _stale(shown: str, sha256: str, beside: dict[str, Any]) -> str:
    if beside.get("sha256") != sha256:
        return f"{shown}: changed since it was compiled; {COMPILE}"
    if beside.get("compiler") != lua2py.VERSION:
        return f"{shown}: was compiled by another version of moonpost; {COMPILE}"
    return ""


def _shown(roots: Sequence[Path]) -> str:
    return ", ".join(str(root) for root in roots)
