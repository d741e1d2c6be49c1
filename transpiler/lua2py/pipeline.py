"""The passes in order; nothing else.

source → parse → facts → lower → comments → emit (text, line map) → verify
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from lua2py.collector import collector_waits
from lua2py.depth import deep_recursion
from lua2py.diagnostics import ERROR, Diagnostic
from lua2py.emit import emit
from lua2py.explain import Fallback, fallbacks
from lua2py.facts.gather import gather, metamethods, uses_environment
from lua2py.facts.paths import Paths, known_packages
from lua2py.facts.store import Siblings
from lua2py.linemap import Relocation
from lua2py.lower.module import lower_chunk
from lua2py.lower.outline import outline
from lua2py.parse import parse
from lua2py.polish.comments import place_comments
from lua2py.scopes import resolve
from lua2py.source import SourceFile
from lua2py.tree import Call, Chunk
from lua2py.verify import internal_error, verify
from lua2py.version import release

SHARED = "*"  # as a member of `shared`: every global of the file is shared
ALL_SHARED: frozenset[str] = frozenset((SHARED,))


@dataclass(frozen=True)
class Analysis:
    """What other files need to know of a file, and its tree."""

    source: SourceFile
    std: str
    chunk: Chunk | None
    diagnostics: list[Diagnostic]
    requires: list[str] = field(default_factory=list)
    globals_read: frozenset[str] = frozenset()
    globals_written: frozenset[str] = frozenset()
    metamethods: frozenset[str] = frozenset()
    requires_others: bool = False  # files of its own, or by a name that only the run can tell
    uses_environment: bool = (
        False  # `_G`, `setfenv`, `getfenv`, `loadstring`, `load`, `dofile` or `module`
    )

    @property
    def ok(self) -> bool:
        return self.chunk is not None and not has_errors(self.diagnostics)


@dataclass(frozen=True)
class Translation:
    """A module in Python. `python` is empty when a diagnostic is an error."""

    source: SourceFile
    python: str
    map: dict[str, Any]
    diagnostics: list[Diagnostic]
    requires: list[str]
    globals_read: frozenset[str]
    globals_written: frozenset[str]
    relocation: Relocation | None = None

    @property
    def ok(self) -> bool:
        return bool(self.python) and not has_errors(self.diagnostics)


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    return any(diagnostic.severity == ERROR for diagnostic in diagnostics)


def analyse(source: SourceFile, *, std: str = "thr") -> Analysis:
    """Parse a file, and say what it shares with others."""
    with collector_waits():
        try:
            return _analysed(source, std)
        except Exception as error:
            return Analysis(source, std, None, [internal_error(error, source)])


def _analysed(source: SourceFile, std: str) -> Analysis:
    chunk, diagnostics = parse(source, std)
    if chunk is None:
        return Analysis(source, std, None, diagnostics)
    with deep_recursion():
        scopes = resolve(chunk)
        paths = Paths(scopes)
        asked = [paths.required_name(node) for node in scopes.index.of(Call)]
        requires = list(dict.fromkeys(name for name in asked if name is not None))
        require = scopes.globals.get("require")
        known = sum(name is not None and name in known_packages() for name in asked)
        return Analysis(
            source=source,
            std=std,
            chunk=chunk,
            diagnostics=diagnostics,
            requires=requires,
            requires_others=require is not None and len(require.reads) > known,
            globals_read=frozenset(name for name, symbol in scopes.globals.items() if symbol.reads),
            globals_written=frozenset(
                name for name, symbol in scopes.globals.items() if symbol.writes
            ),
            metamethods=metamethods(scopes),
            uses_environment=uses_environment(scopes.globals),
        )


def siblings_of(analysis: Analysis, others: Iterable[Analysis]) -> Siblings:
    """What the other files of a generation mean for one of them."""
    rest = [other for other in others if other is not analysis]
    return Siblings(
        globals=frozenset().union(*(other.globals_read | other.globals_written for other in rest)),
        written=frozenset().union(*(other.globals_written for other in rest)),
        metamethods=frozenset().union(*(other.metamethods for other in rest)),
        dynamic=any(other.uses_environment for other in rest),
    )


def translate(
    given: SourceFile | Analysis,
    *,
    std: str = "thr",
    shared: frozenset[str] | None = None,
    siblings: Siblings | None = None,
    name: str = "",
) -> Translation:
    """One file as a Python module.

    shared: globals that other files use too (`ALL_SHARED`: any may be); None: the file stands alone. siblings says
    the same and more (see `siblings_of`). name: the chunk name that error texts show, by default the source's path.
    """
    analysis = given if isinstance(given, Analysis) else analyse(given, std=std)
    if analysis.chunk is None:
        return _failed(analysis, analysis.diagnostics)
    try:
        with collector_waits():
            return _translated(
                analysis, analysis.chunk, siblings or _shared_only(analysis, shared), name
            )
    except Exception as error:
        return _failed(analysis, [*analysis.diagnostics, internal_error(error, analysis.source)])


def _translated(analysis: Analysis, chunk: Chunk, siblings: Siblings, name: str) -> Translation:
    source = analysis.source
    with deep_recursion():
        facts = gather(chunk, siblings)
        ctx, body = lower_chunk(facts, analysis.std)
        place_comments(ctx)
        body = outline(ctx, body)
        emitted = emit(ctx, body, source, release())
        found = analysis.diagnostics + verify(emitted.python, source)
        if has_errors(found):
            return _failed(analysis, found)
        return Translation(
            source=source,
            python=emitted.python,
            map=emitted.relocation.map(name or source.path),
            diagnostics=found,
            requires=analysis.requires,
            globals_read=analysis.globals_read,
            globals_written=analysis.globals_written,
            relocation=emitted.relocation,
        )


def explain(
    given: SourceFile | Analysis, *, std: str = "thr", siblings: Siblings | None = None
) -> list[Fallback]:
    """Why each helper of the module stands where plain Python could: none for a file that does not compile."""
    analysis = given if isinstance(given, Analysis) else analyse(given, std=std)
    if analysis.chunk is None:
        return []
    with deep_recursion():
        facts = gather(analysis.chunk, siblings or _shared_only(analysis, None))
        ctx, body = lower_chunk(facts, analysis.std)
        return fallbacks(ctx, body, analysis.source)


def _shared_only(analysis: Analysis, shared: frozenset[str] | None) -> Siblings:
    if shared is None:
        return Siblings(dynamic=analysis.requires_others)
    if SHARED in shared:
        return Siblings(globals=analysis.globals_read | analysis.globals_written, dynamic=True)
    return Siblings(globals=shared)


def _failed(analysis: Analysis, diagnostics: list[Diagnostic]) -> Translation:
    return Translation(
        source=analysis.source,
        python="",
        map={},
        diagnostics=diagnostics,
        requires=analysis.requires,
        globals_read=analysis.globals_read,
        globals_written=analysis.globals_written,
    )


def compile_module(translation: Translation, filename: str) -> tuple[CodeType, dict[str, Any]]:
    """The module as its `.py` reads, and its line map."""
    with deep_recursion():
        return compile(translation.python, filename, "exec", dont_inherit=True), translation.map


def compile_for_debug(
    translation: Translation, filename: str, name: str = ""
) -> tuple[CodeType, dict[str, Any]]:
    """The same tree under the `.lua` file name with Lua's lines and columns, and the line map for that."""
    if translation.relocation is None:
        raise ValueError(f"{translation.source.path} was not translated: see its diagnostics")
    chunk_name = name or translation.source.path
    moved_map = translation.relocation.moved_map(chunk_name)
    with deep_recursion():
        tree = translation.relocation.moved()
        return compile(tree, filename, "exec", dont_inherit=True), moved_map
