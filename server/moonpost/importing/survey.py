"""What a tree of scripts would become here: each script's verdict, with everything the verdict rests on.

Compiles all scripts together, as a server would that loads them all, and runs none of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import lua2py
from lua2py import tree
from lua2py.check import check
from lua2py.check.subject import Subject
from lua2py.diagnostics import Diagnostic, in_order
from lua2py.scopes import resolve
from lua2py.source import SourceFile
from moonpost.importing import offer
from moonpost.importing.calls import uses
from moonpost.importing.differences import DIFFERS, differences, touched
from moonpost.importing.tree import PYTHON, Stanza, Tree
from moonpost.policy.deep import with_deep_stack

RUNS = "runs"
MISSING = "missing"
BROKEN = "does not compile"
NOT_FOUND = "not found"
VERDICTS = (NOT_FOUND, BROKEN, MISSING, DIFFERS, RUNS)  # what needs work most comes first


@dataclass(frozen=True, slots=True)
class Required:
    """One `require` with a literal name. path: the script it means; empty for a library, or for nothing."""

    name: str
    line: int
    path: str
    library: bool

    @property
    def found(self) -> bool:
        return self.library or bool(self.path)


@dataclass(slots=True)
class Script:
    """One file of policy, or the file a stanza names and that is not there."""

    path: str
    verdict: str = RUNS
    lines: int = 0
    loaded: bool = False  # by a stanza, or required by a script that is
    stanzas: list[Stanza] = field(default_factory=list)
    requires: list[Required] = field(default_factory=list)
    uses: list[tuple[str, int]] = field(default_factory=list)
    differences: list[tuple[str, int]] = field(default_factory=list)
    findings: list[Diagnostic] = field(default_factory=list)

    @property
    def lacks(self) -> list[tuple[str, int]]:
        """Functions and modules that are not there, and where they are asked for."""
        modules = [(f'require "{r.name}"', r.line) for r in self.requires if not r.found]
        names = [use for use in self.uses if offer.offer(use[0]).state != offer.PROVIDED]
        return sorted([*modules, *names], key=lambda found: found[1])

    @property
    def errors(self) -> list[Diagnostic]:
        return [finding for finding in self.findings if finding.severity == "error"]

    @property
    def differs(self) -> list[tuple[str, int]]:
        """The differences that count for the verdict."""
        return [one for one in self.differences if differences()[one[0]].weight == DIFFERS]


@dataclass(slots=True)
class Survey:
    """Everything the report tells."""

    tree: Tree
    scripts: list[Script]
    sources: dict[str, SourceFile]

    @property
    def usable(self) -> bool:
        return bool(self.scripts or self.tree.stanzas)

    @property
    def clean(self) -> bool:
        return not self.tree.problems and all(script.verdict == RUNS for script in self.scripts)

    def functions(self) -> dict[str, list[tuple[str, int]]]:
        """Each function of msys that is used, and its places: script and line."""
        found: dict[str, list[tuple[str, int]]] = {}
        for script in self.scripts:
            for name, line in script.uses:
                found.setdefault(name, []).append((script.path, line))
        return found


def survey(found: Tree) -> Survey:
    """Look at every script of a tree."""
    return with_deep_stack(lambda: _survey(found))


def _survey(found: Tree) -> Survey:
    sources = {
        path: SourceFile(path, data)
        for path, data in found.scripts.items()
        if not path.endswith(PYTHON)
    }
    scripts = {path: Script(path, lines=_line_count(found.scripts[path])) for path in found.scripts}
    _attach_stanzas(found, scripts)
    analyses = {path: lua2py.analyse(source) for path, source in sources.items()}
    subjects = dict(_subjects(analyses, scripts))
    own = {name for subject in subjects.values() for name in subject.own_paths}
    for path, analysis in analyses.items():
        script = scripts[path]
        siblings = lua2py.siblings_of(analysis, analyses.values())
        script.findings = list(lua2py.translate(analysis, siblings=siblings).diagnostics)
        if path in subjects:
            _look_at(found, script, subjects[path], own)
    _mark_loaded(scripts)
    for script in scripts.values():
        script.verdict = _verdict(script)
    return Survey(found, [*scripts.values(), *_not_found(found)], sources)


def _line_count(data: bytes) -> int:
    return data.count(b"\n") + (not data.endswith(b"\n") and bool(data))


def _attach_stanzas(found: Tree, scripts: dict[str, Script]) -> None:
    for stanza in found.stanzas:
        path = found.meant_by(stanza.source, stanza.file)
        if path and not stanza.built_in:
            scripts[path].stanzas.append(stanza)


def _not_found(found: Tree) -> Iterator[Script]:
    """Stanzas without a file."""
    for stanza in found.stanzas:
        if not stanza.built_in and not found.meant_by(stanza.source, stanza.file):
            yield Script(stanza.source, NOT_FOUND, loaded=True, stanzas=[stanza])


def _subjects(
    analyses: dict[str, lua2py.Analysis], scripts: dict[str, Script]
) -> Iterator[tuple[str, Subject]]:
    for path, analysis in analyses.items():
        if analysis.chunk is not None:
            stanzas = scripts[path].stanzas
            name = stanzas[0].name if len(stanzas) == 1 else None
            yield path, Subject(analysis.source, analysis.chunk, resolve(analysis.chunk), name)


def _look_at(found: Tree, script: Script, subject: Subject, own: set[str]) -> None:
    """Fill in what the text of one script shows. own: dotted names that scripts of the tree define themselves."""
    checked = check(
        subject.source,
        subject.chunk,
        subject.scopes,
        provided=offer.bound(),
        script_name=subject.script_name,
    )
    script.findings = in_order([*script.findings, *checked])
    script.requires = list(_requires(found, script.path, subject))
    script.uses = [use for use in uses(subject) if not _under(use[0], own)]
    script.differences = touched(subject)


def _under(name: str, own: set[str]) -> bool:
    parts = name.split(".")
    return any(".".join(parts[:count]) in own for count in range(1, len(parts) + 1))


def _requires(found: Tree, path: str, subject: Subject) -> Iterator[Required]:
    for call in subject.calls():
        if not subject.scopes.is_global(call.function, "require") or not call.args:
            continue
        name = call.args[0]
        if isinstance(name, tree.String):
            meant = found.meant_by(name.value, path)
            library = not meant and offer.is_library(name.value)
            yield Required(name.value, call.span.line, meant, library)


def _mark_loaded(scripts: dict[str, Script]) -> None:
    """Whatever stanzas load, and what that requires."""
    ahead = [script for script in scripts.values() if script.stanzas]
    while ahead:
        script = ahead.pop()
        if not script.loaded:
            script.loaded = True
            ahead += [scripts[r.path] for r in script.requires if r.path]


def _verdict(script: Script) -> str:
    """The worst thing that is true of a script.

    Errors about names of msys (L3xx) are told as what is missing: the script compiles all the same.
    """
    if any(not finding.code.startswith("L3") for finding in script.errors):
        return BROKEN
    if script.lacks:
        return MISSING
    return DIFFERS if script.differs else RUNS


def by_need(scripts: Sequence[Script]) -> list[Script]:
    """What needs work most comes first: by verdict, loaded ones before others, by how many places."""
    return sorted(
        scripts,
        key=lambda script: (
            VERDICTS.index(script.verdict),
            not script.loaded,
            -len(script.lacks) - len(script.differs),
            script.path,
        ),
    )
