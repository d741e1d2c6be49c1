"""Which tests cover which rows of the catalogue: those marked `@pytest.mark.row("its name")`; read, never run.

For the coverage page and for the test that finds a row without one. Needs the tests of a source tree; knows nothing of
pytest but the mark's name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

MARK = "row"


def covering(folder: Path) -> dict[str, list[tuple[str, str]]]:
    """Row name to the (file below `folder`, function) of its tests, in the order of files and lines."""
    found: dict[str, list[tuple[str, str]]] = {}
    for path in sorted(folder.rglob("test_*.py")):
        for name, function in _marked(ast.parse(path.read_text(encoding="utf-8"))):
            found.setdefault(name, []).append((path.relative_to(folder).as_posix(), function))
    return found


def _marked(tree: ast.Module) -> Iterator[tuple[str, str]]:
    short = {
        target.id: name
        for node in tree.body
        if isinstance(node, ast.Assign) and (name := _name(node.value, {})) is not None
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                name = _name(decorator, short)
                if name is not None:
                    yield name, node.name


def _name(node: ast.expr, short: dict[str, str]) -> str | None:
    """The row in `pytest.mark.row("…")`, `row("…")`, or a name that stands for one of these."""
    match node:
        case ast.Name(id=known) if known in short:
            return short[known]
        case ast.Call(
            func=ast.Attribute(attr=called) | ast.Name(id=called),
            args=[ast.Constant(value=str(row))],
        ) if called == MARK:
            return row
    return None
