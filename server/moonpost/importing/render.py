"""The report of `moonpost import`, as text to be mailed and as JSON. Decides nothing; the same survey gives the same
bytes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from lua2py.report import as_object, render_text
from moonpost.importing import offer
from moonpost.importing.differences import DIFFERS, differences
from moonpost.importing.survey import (
    BROKEN,
    MISSING,
    NOT_FOUND,
    RUNS,
    VERDICTS,
    Script,
    Survey,
    by_need,
)

PLACES_SHOWN = 5  # chosen: enough to begin with; JSON has all
REASONS_SHOWN = 3
# state, whether its behaviour is assumed, and what that means
STATES = (
    (offer.PROVIDED, False, "as documented"),
    (offer.PROVIDED, True, "the documents leave something open; what we assume stands below"),
    (offer.MISSING, False, "documented, and not part of moonpost"),
    (offer.UNKNOWN, False, "nobody documents it"),
)
URGENT_FIRST = (offer.UNKNOWN, offer.MISSING, offer.PROVIDED)

Row = Sequence[object]


def as_text(found: Survey) -> str:
    """The whole report."""
    sections = [
        _heading(found),
        _table_of_verdicts(found.scripts),
        _table_of_states(found),
        _needs_work(found.scripts),
        _scripts(found.scripts),
        _functions(found),
        _differences(found.scripts),
        _problems(found),
        _diagnostics(found),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _heading(found: Survey) -> str:
    lines = sum(script.lines for script in found.scripts)
    files = sum(1 for script in found.scripts if script.verdict != NOT_FOUND)
    counts = ", ".join(
        (
            _count(len(found.tree.configurations), "configuration file"),
            _count(len(found.tree.stanzas), "script stanza"),
            _count(files, "script"),
            _count(lines, "line") + " of policy",
        )
    )
    return f"What {found.tree.root} becomes in moonpost\n{counts}"


def _table_of_verdicts(scripts: Sequence[Script]) -> str:
    total = sum(script.lines for script in scripts) or 1
    rows = []
    for verdict in reversed(VERDICTS):
        chosen = [script for script in scripts if script.verdict == verdict]
        lines = sum(script.lines for script in chosen)
        share = "" if verdict == NOT_FOUND else f"{100 * lines / total:.0f} %"
        rows.append((verdict, len(chosen), lines, share, MEANINGS[verdict]))
    return _columns(("scripts that", "scripts", "lines", "share", ""), rows, right=(1, 2, 3))


MEANINGS = {
    RUNS: "as it is",
    DIFFERS: "runs, and meets a listed difference: read below",
    MISSING: "runs until it calls something that is not there",
    BROKEN: "keeps the server from starting",
    NOT_FOUND: "a stanza names it, and it is not in the tree",
}


def _table_of_states(found: Survey) -> str:
    functions = found.functions()
    rows = []
    for state, assumed, meaning in STATES:
        chosen = [
            at
            for name, at in functions.items()
            if (_state(name), offer.offer(name).assumed) == (state, assumed)
        ]
        rows.append((state, len(chosen), sum(map(len, chosen)), meaning))
    return _columns(("functions of msys", "functions", "places", ""), rows, right=(1, 2))


def _needs_work(scripts: Sequence[Script]) -> str:
    rows = [
        (script.path, script.verdict, "" if script.loaded else "not loaded", reason(script))
        for script in by_need(scripts)
        if script.verdict != RUNS
    ]
    if not rows:
        return "Nothing needs work."
    return _section("Needs work, most important first", _columns(None, rows))


def reason(script: Script) -> str:
    """Why a script has its verdict, in one line."""
    if script.verdict == NOT_FOUND:
        stanza = script.stanzas[0]
        return f'{stanza.file}:{stanza.line}: script "{stanza.name}"'
    if script.verdict == BROKEN:
        first = next(one for one in script.errors if not one.code.startswith("L3"))
        rest = len(script.errors) - 1
        more = f", and {rest} more" if rest else ""
        return f"line {first.span.line}: {first.code} {first.message}{more}"
    counted = Counter(name for name, _ in (script.lacks or script.differs))
    return _several(f"{name} ({_count(n, 'place')})" for name, n in counted.most_common())


def _several(words: Iterable[str]) -> str:
    every = list(words)
    more = len(every) - REASONS_SHOWN
    return ", ".join(every[:REASONS_SHOWN]) + (f", and {more} more" if more > 0 else "")


def _scripts(scripts: Sequence[Script]) -> str:
    rows = []
    for script in sorted(scripts, key=lambda one: one.path):
        if script.verdict == NOT_FOUND:
            continue
        severities = Counter(finding.severity for finding in script.findings)
        names = ", ".join(dict.fromkeys(stanza.name for stanza in script.stanzas))
        requires = ", ".join(dict.fromkeys(r.path for r in script.requires if r.path))
        counts = (severities["error"], severities["warning"], severities["note"])
        loaded = names or ("by require" if script.loaded else "not loaded")
        rows.append((script.path, script.lines, script.verdict, *counts, loaded, requires))
    head = ("script", "lines", "verdict", "errors", "warnings", "notes", "stanza", "requires")
    return _section("Scripts", _columns(head, rows, right=(1, 3, 4, 5)))


def _functions(found: Survey) -> str:
    functions = found.functions()
    order = sorted(
        functions, key=lambda name: (URGENT_FIRST.index(_state(name)), -len(functions[name]), name)
    )
    rows = []
    for name in order:
        basis = offer.offer(name).basis
        if _state(name) != offer.PROVIDED:
            basis += ": " + places(functions[name])
        rows.append((name, len(functions[name]), _state(name), basis))
    table = _columns(("function", "places", "state", "basis"), rows, right=(1,))
    return _section("Functions of msys", table, bool(rows))


def _state(name: str) -> str:
    return offer.offer(name).state


def places(at: Sequence[tuple[str, int]]) -> str:
    """`a.lua:3 5, b.lua:9`; the first few."""
    by_path: dict[str, list[int]] = {}
    for path, line in at[:PLACES_SHOWN]:
        by_path.setdefault(path, []).append(line)
    shown = ", ".join(f"{p}:{' '.join(map(str, lines))}" for p, lines in by_path.items())
    more = len(at) - PLACES_SHOWN
    return shown + (f", and {more} more" if more > 0 else "")


def _differences(scripts: Sequence[Script]) -> str:
    met: dict[str, list[tuple[str, int]]] = {}
    for script in scripts:
        for name, line in script.differences:
            met.setdefault(name, []).append((script.path, line))
    lines = []
    for name, row in differences().items():
        if name in met:
            where = places(met[name]) if row.weight == DIFFERS else _count(len(met[name]), "place")
            lines += [f"{name}: {row.says}", f"  {where}"]
            lines += [f"  instead: {row.instead}"] if row.instead else []
    return _section("Differences that scripts meet", "\n".join(lines)) if lines else ""


def _problems(found: Survey) -> str:
    return _section(
        "Configuration files", "\n".join(found.tree.problems), bool(found.tree.problems)
    )


def _diagnostics(found: Survey) -> str:
    findings = [
        one for script in found.scripts for one in script.findings if one.severity != "note"
    ]
    return _section("Diagnostics", render_text(findings, found.sources), bool(findings))


def as_json(found: Survey) -> str:
    """One object; every place is told."""
    functions = {
        name: {
            "state": offer.offer(name).state,
            "basis": offer.offer(name).basis,
            "places": [{"script": path, "line": line} for path, line in at],
        }
        for name, at in sorted(found.functions().items())
    }
    counts = Counter(script.verdict for script in found.scripts)
    return json.dumps(
        {
            "tree": str(found.tree.root),
            "configurations": found.tree.configurations,
            "verdicts": {verdict: counts[verdict] for verdict in reversed(VERDICTS)},
            "scripts": [_script_object(script) for script in by_need(found.scripts)],
            "functions": functions,
            "problems": found.tree.problems,
        },
        indent=2,
    )


def _script_object(script: Script) -> dict[str, Any]:
    return {
        "path": script.path,
        "verdict": script.verdict,
        "reason": "" if script.verdict == RUNS else reason(script),
        "lines": script.lines,
        "loaded": script.loaded,
        "stanzas": [{"name": s.name, "file": s.file, "line": s.line} for s in script.stanzas],
        "requires": [{"name": r.name, "path": r.path, "found": r.found} for r in script.requires],
        "missing": [{"name": name, "line": line} for name, line in script.lacks],
        "differences": [{"name": name, "line": line} for name, line in script.differences],
        "diagnostics": [as_object(finding) for finding in script.findings],
    }


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _section(title: str, text: str, wanted: bool = True) -> str:
    return f"{title}\n{'-' * len(title)}\n{text}" if wanted else ""


def _columns(head: Row | None, rows: Sequence[Row], right: Sequence[int] = ()) -> str:
    """Rows under each other, two blanks between columns; nothing behind the last word of a line."""
    cells = [[_cell(value) for value in row] for row in ([head] if head else []) + list(rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            word.rjust(width) if at in right else word.ljust(width)
            for at, (word, width) in enumerate(zip(row, widths, strict=True))
            if width
        ).rstrip()
        for row in cells
    ]
    return "\n".join(lines)


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
