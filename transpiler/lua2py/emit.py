"""The text of a generated module: header, imports, body, line map.

The header names the source by file name and content and the tool by version, and holds no date, so that the same
source gives the same bytes on every run.
"""

from __future__ import annotations

import ast
import posixpath
from dataclasses import dataclass

from lua2py.linemap import Relocation, match_up
from lua2py.lower.context import Context
from lua2py.polish.expressions import quoted
from lua2py.polish.imports import import_groups
from lua2py.polish.layout import write
from lua2py.source import SourceFile


@dataclass(frozen=True, slots=True)
class Emitted:
    """A module as text, and where each piece of it came from."""

    python: str
    relocation: Relocation


def emit(ctx: Context, body: list[ast.stmt], source: SourceFile, version: str) -> Emitted:
    """The module's text, and the map of its positions."""
    head: list[ast.stmt] = [ast.Expr(value=ast.Constant(value=_header(source, version)))]
    for group in import_groups(ctx):
        ctx.layout.blank[group[0]] = 1
        head += group
    lines = [_docstring(_header(source, version)), "", *write(head[1:], ctx.layout)]
    lines += _space_before(ctx, body) + write(body, ctx.layout)
    lines += [""] * bool(ctx.loose_comments) + ctx.loose_comments
    python = "\n".join(lines) + "\n"
    return Emitted(python, match_up(python, [*head, *body], ctx))


def _header(source: SourceFile, version: str) -> str:
    name = posixpath.basename(source.path.replace("\\", "/")) or "input.lua"
    return f"{name} (sha256 {source.sha256[:12]}), translated by moonpost {version}."


def _docstring(text: str) -> str:
    return '""' + quoted(text) + '""'


def _space_before(ctx: Context, body: list[ast.stmt]) -> list[str]:
    """Two empty lines before a function or class, one before anything else, after the imports."""
    if not body:
        return []
    first = body[0]
    ctx.layout.blank.pop(first, None)
    return [""] * (2 if isinstance(first, ast.FunctionDef) else 1)
