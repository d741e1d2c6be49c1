"""`..`: an f-string where every operand is text or becomes text by itself, a helper where `__concat` may be asked."""

from __future__ import annotations

import ast

from lua2py import tree
from lua2py.facts import kinds
from lua2py.lower import build
from lua2py.lower.context import Context
from lua2py.lower.expressions.literals import readable_utf8
from lua2py.lower.registry import EXPRESSIONS
from lua2py.polish.expressions import Writer


def lower_concat(ctx: Context, node: tree.Binary) -> ast.expr:
    return _concatenated(ctx, node, _chain(node))


def appended(ctx: Context, node: tree.Binary) -> ast.expr | None:
    """What stands behind the first operand, as a string; None where a metamethod may be asked."""
    _, *rest = operands = _chain(node)
    if ctx.facts.mentions("__concat") and not all(
        ctx.kind(operand).within(kinds.SCALAR) for operand in operands
    ):
        return None
    return _concatenated(ctx, node, rest)


def _concatenated(ctx: Context, node: tree.Binary, operands: list[tree.Expr]) -> ast.expr:
    safe = not ctx.facts.mentions("__concat")
    if not safe and not all(ctx.kind(operand).within(kinds.SCALAR) for operand in operands):
        return _helper_chain(ctx, operands)
    pieces = [_piece(ctx, operand) for operand in operands]
    if all(isinstance(piece, ast.Constant) for piece in pieces):
        return build.constant(
            "".join(str(piece.value) for piece in pieces if isinstance(piece, ast.Constant))
        )
    if len(pieces) == 1:
        return pieces[0]
    if _fits_format(ctx, pieces):
        return ctx.mark(_joined(pieces), node)
    total = pieces[0]
    for piece in pieces[1:]:
        total = build.binary(total, ast.Add(), piece)
    return total


def _chain(node: tree.Expr) -> list[tree.Expr]:
    """The operands of `a .. b .. c`, which groups to the right."""
    found = []
    while isinstance(node, tree.Binary) and node.op == "..":
        found.append(node.left)
        node = node.right
    return [*found, node]


def _piece(ctx: Context, operand: tree.Expr) -> ast.expr:
    """An operand as a Python string or as something that formats like one."""
    if (
        isinstance(operand, tree.Number)
        and isinstance(operand.value, int)
        and operand.value < 10**14
    ):
        return build.constant(str(operand.value))
    value = EXPRESSIONS[type(operand)](ctx, operand)
    kind = ctx.kind(operand)
    if kind.within(kinds.STRING):
        return value
    if kind.within(kinds.SMALL | kinds.STRING) and not isinstance(value, ast.Constant):
        made = build.call(build.name("str"), value)
        return made
    return ctx.mark(build.call(ctx.lua("cstr"), value), operand, ctx.describe(operand))


def _fits_format(ctx: Context, pieces: list[ast.expr]) -> bool:
    """Whether Python 3.11 can write the pieces inside an f-string: no backslash, no second kind of quote."""
    writer = Writer(ctx.layout)
    for piece in pieces:
        if isinstance(piece, ast.Constant):
            if not _is_ascii(piece):
                return False
            continue
        text = writer.flat(piece, quote="'")
        if (
            "\\" in text
            or '"' in text
            or "f'" in text
            or "lambda" in text
            or ":=" in text
            or "\n" in text
        ):
            return False
        if not text.isascii():
            return False
    return True


def _is_ascii(piece: ast.Constant) -> bool:
    return isinstance(piece.value, str) and readable_utf8(piece.value) is None


def _joined(pieces: list[ast.expr]) -> ast.JoinedStr:
    values: list[ast.expr] = []
    for piece in pieces:
        if isinstance(piece, ast.Constant):
            if values and isinstance(values[-1], ast.Constant):
                values[-1] = build.constant(str(values[-1].value) + str(piece.value))
            elif piece.value:
                values.append(piece)
            continue
        match piece:
            case ast.Call(func=ast.Name(id="str"), args=[inner]):
                piece = inner
        values.append(ast.FormattedValue(value=piece, conversion=-1, format_spec=None))
    return ast.JoinedStr(values=values)


def _helper_chain(ctx: Context, operands: list[tree.Expr]) -> ast.expr:
    """`concat(a, concat(b, c))`: operands left to right, concatenation right to left, as Lua does."""
    values = [ctx.value(operand) for operand in operands]
    total = values[-1]
    for place in range(len(values) - 2, -1, -1):
        what = [
            ctx.describe(operands[place]),
            ctx.describe(operands[-1]) if place == len(values) - 2 else "",
        ]
        total = ctx.mark(build.call(ctx.lua("concat"), values[place], total), operands[place], what)
    return total
