"""Names: locals, private globals, shared globals, and dotted names that mean one known thing."""

from __future__ import annotations

import ast

from lua2py import tree
from lua2py.facts import catalogue, library
from lua2py.lower import build
from lua2py.lower.context import Context
from lua2py.lower.expressions.literals import text
from lua2py.lower.registry import lowers
from lua2py.scopes import Symbol


@lowers(tree.Name)
def lower_name(ctx: Context, node: tree.Name) -> ast.expr:
    symbol = ctx.facts.scopes.of(node)
    if not symbol.is_global:
        path = ctx.facts.paths.aliases.get(symbol)
        if path is not None and ctx.facts.paths.is_package(path):
            return package(ctx, node, path)
        return local(ctx, symbol)
    known = documented(ctx, node)
    return known if known is not None else global_value(ctx, node)


def local(ctx: Context, symbol: Symbol) -> ast.expr:
    """A local, a parameter or a private global, wherever it is kept."""
    if symbol in ctx.names.imported:
        return spelled(ctx, ctx.facts.paths.aliases[symbol])
    name: ast.expr = build.name(ctx.python_name(symbol))
    if symbol in ctx.names.boxed:
        return build.subscript(name, build.constant(0))
    return name


def package(ctx: Context, node: tree.Name, path: tuple[str, ...]) -> ast.expr:
    """A local that is another name for a package."""
    symbol = ctx.facts.scopes.of(node)
    return (
        spelled(ctx, path) if symbol in ctx.names.imported else build.name(ctx.python_name(symbol))
    )


def global_value(ctx: Context, node: tree.Name) -> ast.expr:
    """A global as a value."""
    symbol = ctx.facts.scopes.of(node)
    if symbol in ctx.facts.private:
        return local(ctx, symbol)
    if node.id == "_G" and "_G" not in ctx.facts.paths.replaced:
        return ctx.globals_table()
    return build.subscript(global_table(ctx, node), text(ctx, node.id))


def global_table(ctx: Context, node: tree.Node) -> ast.expr:
    """The table in which a global stands: all of Lua's, or the one of `module(...)`."""
    if ctx.after_module_call is not None and node.span.start >= ctx.after_module_call:
        return build.name(ctx.module_name)
    return ctx.globals_table()


def documented(ctx: Context, node: tree.Expr) -> ast.expr | None:
    """A library or catalogue function or constant by its Python spelling; None for anything else."""
    path = ctx.facts.paths.of(node)
    if path is None or not ctx.facts.paths.is_known(path):
        return None
    if hidden_by_module(ctx, node):
        return None
    name = ".".join(path)
    if name in library.THROUGH_GLOBALS or (len(path) == 1 and name not in library.BASE):
        return None
    if isinstance(node, tree.Index):
        # Through a local that is another name for the package, when there is one.
        spelling = library.SPELLING.get(name, name)
        return build.attribute(below(ctx, node.object, path[:-1]), spelling.rpartition(".")[2])
    return spelled(ctx, path)


def none_told(ctx: Context, node: tree.Expr) -> ast.expr | None:
    """For a function that may give no value: the one that tells it from nil."""
    path = ctx.facts.paths.of(node)
    told = library.NONE_TOLD.get(".".join(path or ()))
    return spelled(ctx, tuple(told.split("."))) if told else None


def hidden_by_module(ctx: Context, node: tree.Expr) -> bool:
    """Whether `module(name)` without package.seeall has taken the standard names away."""
    if ctx.after_module_call is None or ctx.facts.seeall or node.span.start < ctx.after_module_call:
        return False
    while isinstance(node, tree.Index):
        node = node.object
    return isinstance(node, tree.Name) and ctx.facts.scopes.of(node).is_global


def below(ctx: Context, node: tree.Expr, path: tuple[str, ...]) -> ast.expr:
    """The Python module that a package path is, through the local alias that the script uses."""
    match node:
        case tree.Name() if not ctx.facts.scopes.of(node).is_global:
            return package(ctx, node, path)
        case tree.Index(object=object_) if len(path) > 1:
            return build.attribute(below(ctx, object_, path[:-1]), path[-1])
    return spelled(ctx, path)


def spelled(ctx: Context, path: tuple[str, ...]) -> ast.expr:
    """A documented path from its root: `string.format`, `msys.core.VALIDATE_CONT`, `print`."""
    root, *rest = library.SPELLING.get(".".join(path), ".".join(path)).split(".")
    if root in catalogue.ROOTS:
        return build.attribute(ctx.root(root), *rest)
    return build.attribute(ctx.lua(root), *rest)


@lowers(tree.Paren)
def lower_paren(ctx: Context, node: tree.Paren) -> ast.expr:
    return ctx.value(node.inner)


@lowers(tree.Vararg)
def lower_vararg(ctx: Context, node: tree.Vararg) -> ast.expr:
    return build.call(ctx.lua("first"), build.name("varargs"))
