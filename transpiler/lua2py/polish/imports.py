"""The imports of a generated module: exactly what it uses, sorted, in three groups."""

from __future__ import annotations

import ast

from lua2py.lower.context import Context

_STANDARD = (("Callable", "collections.abc"), ("Any", "typing"))


def import_groups(ctx: Context) -> list[list[ast.stmt]]:
    """The import statements, one list for each group that is not empty."""
    renamed = ctx.settle_imports()
    groups: list[list[ast.stmt]] = [[_from("__future__", ["annotations"])]]
    groups.append([_from(module, [name]) for name, module in _STANDARD if name in ctx.typing])
    ours: list[ast.stmt] = []
    if "msys" in ctx.roots:
        ours.append(ast.Import(names=[ast.alias(name="msys", asname=None)]))
    others = sorted(ctx.roots - {"msys"})
    if others:
        ours.append(_from("msys", others))
    if ctx.imports:
        names = sorted(ctx.imports, key=lambda name: (not name[0].isupper(), name))
        ours.append(_from("msys.lua", names, renamed))
    groups.append(ours)
    return [group for group in groups if group]


def _from(module: str, names: list[str], renamed: dict[str, str] | None = None) -> ast.ImportFrom:
    aliases = [ast.alias(name=name, asname=(renamed or {}).get(name)) for name in names]
    return ast.ImportFrom(module=module, names=aliases, level=0)
