"""Short ways to make nodes of Python's own syntax tree. Knows nothing of Lua."""

from __future__ import annotations

import ast

LOAD, STORE = ast.Load(), ast.Store()


def name(text: str) -> ast.Name:
    return ast.Name(id=text, ctx=LOAD)


def stored(text: str) -> ast.Name:
    return ast.Name(id=text, ctx=STORE)


def constant(value: str | int | float | bool | None) -> ast.Constant:
    return ast.Constant(value=value)


def none() -> ast.Constant:
    return ast.Constant(value=None)


def negative(value: int) -> ast.expr:
    """`-value`."""
    return ast.UnaryOp(op=ast.USub(), operand=constant(value))


def is_literal(node: ast.expr) -> bool:
    """A constant, or arithmetic of constants: of which Python says that `is` makes no sense."""
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return is_literal(operand)
        case ast.BinOp(left=left, right=right):
            return is_literal(left) and is_literal(right)
    return isinstance(node, ast.Constant)


def literal_value(node: ast.expr) -> object:
    """The value of a literal, as far as its truth goes."""
    return node.value if isinstance(node, ast.Constant) else 1


def attribute(value: ast.expr, *names: str) -> ast.expr:
    for text in names:
        value = ast.Attribute(value=value, attr=text, ctx=LOAD)
    return value


def subscript(value: ast.expr, key: ast.expr) -> ast.Subscript:
    return ast.Subscript(value=value, slice=key, ctx=LOAD)


def call(function: ast.expr, *args: ast.expr) -> ast.Call:
    return ast.Call(func=function, args=list(args), keywords=[])


def starred(value: ast.expr) -> ast.Starred:
    return ast.Starred(value=value, ctx=LOAD)


def tuple_of(values: list[ast.expr]) -> ast.Tuple:
    return ast.Tuple(elts=values, ctx=LOAD)


def compare(left: ast.expr, op: ast.cmpop, right: ast.expr) -> ast.Compare:
    return ast.Compare(left=left, ops=[op], comparators=[right])


def binary(left: ast.expr, op: ast.operator, right: ast.expr) -> ast.BinOp:
    return ast.BinOp(left=left, op=op, right=right)


def negated(test: ast.expr) -> ast.expr:
    """`not test`, with the comparison turned round where Python has the opposite."""
    opposite: dict[type[ast.cmpop], ast.cmpop] = {
        ast.Is: ast.IsNot(),
        ast.IsNot: ast.Is(),
        ast.Eq: ast.NotEq(),
        ast.NotEq: ast.Eq(),
    }
    match test:
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in opposite:
            return ast.Compare(left=left, ops=[opposite[type(op)]], comparators=[right])
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return operand
        case ast.BoolOp(op=op, values=values) if all(map(is_identity_test, values)):
            other = ast.Or() if isinstance(op, ast.And) else ast.And()
            return ast.BoolOp(op=other, values=[negated(value) for value in values])
        case ast.Constant(value=bool() as value):
            return constant(not value)
    return ast.UnaryOp(op=ast.Not(), operand=test)


def is_boolean(test: ast.expr) -> bool:
    """Whether a test is True or False, and not just taken for one of them."""
    match test:
        case ast.Compare() | ast.UnaryOp(op=ast.Not()) | ast.Constant(value=bool()):
            return True
        case ast.BoolOp(values=values):
            return all(map(is_boolean, values))
    return False


def is_identity_test(test: ast.expr) -> bool:
    """`x is None` and `x is not False`, which have an opposite of their own."""
    match test:
        case ast.Compare(ops=[ast.Is() | ast.IsNot()]):
            return True
    return False


def both(op: ast.boolop, *tests: ast.expr) -> ast.BoolOp:
    """`a and b and c`: tests that are chains of the same operator are taken apart on the left."""
    first, *rest = tests
    if isinstance(first, ast.BoolOp) and type(first.op) is type(op):
        return ast.BoolOp(op=op, values=[*first.values, *rest])
    return ast.BoolOp(op=op, values=list(tests))


def assign(target: ast.expr, value: ast.expr) -> ast.Assign:
    return ast.Assign(targets=[target], value=value)


def targets(elements: list[ast.expr]) -> ast.expr:
    """The left side of an assignment of one or several values."""
    return elements[0] if len(elements) == 1 else ast.Tuple(elts=elements, ctx=STORE)


def returned(value: ast.expr | None) -> ast.Return:
    return ast.Return(value=value)


def expression(value: ast.expr) -> ast.Expr:
    return ast.Expr(value=value)


def parsed(text: str) -> ast.expr:
    """An annotation, or other text that we wrote ourselves."""
    if text.replace(".", "_").isidentifier() and text != "None":
        first, *rest = text.split(".")
        return attribute(name(first), *rest)
    return ast.parse(text, mode="eval").body
