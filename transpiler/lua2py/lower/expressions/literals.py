"""Constants, strings and numbers.

A string of bytes that reads as UTF-8 is written as people read it: `u8("Grüße")`.
"""

from __future__ import annotations

import ast
import math
import re

from lua2py import tree
from lua2py.lower import build
from lua2py.lower.context import Context
from lua2py.lower.registry import lowers

_HEX = re.compile(r"0[xX][0-9a-fA-F]+\Z")
_OCTAL = re.compile(r"0[0-7]+\Z")


@lowers(tree.Nil)
def lower_nil(ctx: Context, node: tree.Nil) -> ast.expr:
    return build.none()


@lowers(tree.Boolean)
def lower_boolean(ctx: Context, node: tree.Boolean) -> ast.expr:
    return build.constant(node.value)


@lowers(tree.Number)
def lower_number(ctx: Context, node: tree.Number) -> ast.expr:
    if node.value == math.inf:
        return build.attribute(ctx.lua("math"), "huge")
    made = build.constant(node.value)
    if _HEX.match(node.text) and isinstance(node.value, int):
        ctx.layout.numbers[made] = node.text.lower()
    elif (
        _OCTAL.match(node.text) and isinstance(node.value, int) and node.value == int(node.text, 8)
    ):
        ctx.layout.numbers[made] = "0o" + node.text.lstrip("0") if node.value else "0"
    return made


@lowers(tree.String)
def lower_string(ctx: Context, node: tree.String) -> ast.expr:
    made = text(ctx, node.value)
    if node.long and "\n" in node.value[:-1]:
        ctx.layout.broken.add(made.args[0] if isinstance(made, ast.Call) else made)
    return made


def text(ctx: Context, value: str) -> ast.expr:
    """A string of one character per byte as a Python literal."""
    readable = readable_utf8(value)
    if readable is None:
        return build.constant(value)
    made = build.constant(readable)
    ctx.layout.readable.add(made)
    return build.call(ctx.lua("u8"), made)


def readable_utf8(value: str) -> str | None:
    """The text that UTF-8 bytes spell, when they do and every character can be shown."""
    if value.isascii():
        return None
    try:
        decoded = value.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return None
    return decoded if all(char.isprintable() or char in "\n\t\r" for char in decoded) else None
