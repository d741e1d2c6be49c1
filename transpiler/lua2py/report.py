"""Lists of diagnostics as text, JSON or SARIF, and the page that explains every code.

Output is the same for the same findings; nothing here decides what is found.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from lua2py.diagnostics import Diagnostic, in_order, table
from lua2py.source import SourceFile, printable

FORMATS = ("text", "json", "sarif")
FAMILIES = {
    "L1": "Syntax",
    "L2": "Language",
    "L3": "Functions of msys",
    "L4": "Structure of policy",
    "C5": "Configuration",
}


def render(
    format: str, diagnostics: Iterable[Diagnostic], sources: Mapping[str, SourceFile]
) -> str:
    """All findings in one of FORMATS. sources: by the path that diagnostics carry."""
    if format == "json":
        return render_json(diagnostics)
    if format == "sarif":
        return render_sarif(diagnostics)
    return render_text(diagnostics, sources)


def render_text(diagnostics: Iterable[Diagnostic], sources: Mapping[str, SourceFile]) -> str:
    """For people, each with its source line, in the order of a reader."""
    return "\n".join(one.render(sources[one.path]) for one in in_order(diagnostics))


def render_json(diagnostics: Iterable[Diagnostic]) -> str:
    """One JSON list; lines and columns begin at 1, the end column is the one after the last character."""
    return json.dumps([as_object(one) for one in in_order(diagnostics)], indent=2)


def as_object(one: Diagnostic) -> dict[str, Any]:
    return {
        "path": one.path,
        "line": one.span.line,
        "column": one.span.column,
        "end_line": one.span.end_line,
        "end_column": one.span.end_column,
        "code": one.code,
        "severity": one.severity,
        "message": printable(one.message),
        "help": printable(one.help),
    }


def render_sarif(diagnostics: Iterable[Diagnostic]) -> str:
    """SARIF 2.1.0, as code hosts read it; columns count bytes."""
    found = in_order(diagnostics)
    codes = sorted({one.code for one in found})
    rules = [
        {
            "id": code,
            "name": table()[code].title,
            "shortDescription": {"text": table()[code].title},
            "fullDescription": {"text": table()[code].explain},
        }
        for code in codes
    ]
    results = [
        {
            "ruleId": one.code,
            "ruleIndex": codes.index(one.code),
            "level": one.severity,
            "message": {"text": printable(". ".join(filter(None, (one.message, one.help))))},
            "locations": [{"physicalLocation": _location(one)}],
        }
        for one in found
    ]
    run = {"tool": {"driver": {"name": "moonpost", "rules": rules}}, "results": results}
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=2)


def _location(one: Diagnostic) -> dict[str, Any]:
    span = one.span
    region = {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }
    return {"artifactLocation": {"uri": one.path.replace("\\", "/")}, "region": region}


def reference_page() -> str:
    """`docs/diagnostics.md`, from the table."""
    lines = [
        "# Diagnostics",
        "",
        "What `moonpost check` and `moonpost compile` say, by code. An error keeps a script from being compiled or",
        "from working; a warning should be looked at; a note is worth knowing. A comment `-- moonpost: allow CODE`",
        "on a line, or alone on the line before it, silences that code there.",
        "",
        "This page is made from `diagnostics.toml`; `python -m lua2py.report` prints it.",
    ]
    family = ""
    for entry in table().values():
        if entry.code[:2] != family:
            family = entry.code[:2]
            lines += ["", f"## {FAMILIES[family]}"]
        lines += ["", f"### {entry.code}", "", f"**{entry.title}** ({entry.severity})", ""]
        lines += [entry.explain]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(reference_page(), end="")
