"""Calls with a literal Lua pattern on a proven string: the pattern is hoisted and asked by its own methods.

A pattern's methods return as many values as it has captures, no match being as many nils, so results unpack without
a helper.
"""

from __future__ import annotations

import ast

from lua2py import tree
from lua2py.facts import kinds
from lua2py.facts.patterns import captures_of, has_positions, is_plain
from lua2py.lower import build
from lua2py.lower.context import Context
from lua2py.lower.expressions import calls

_FUNCTIONS = frozenset({"find", "match", "gsub"})
_MOST_ARGUMENTS = {"find": 3, "match": 3, "gsub": 4}  # `find` with its fourth takes no pattern


class _Use:
    """One call: which function, on what, with which pattern."""

    def __init__(self, name: str, subject: tree.Expr, pattern: str, rest: list[tree.Expr]) -> None:
        self.name = name
        self.subject = subject
        self.pattern = pattern
        self.rest = rest
        self.captures = captures_of(pattern)


def _use(ctx: Context, node: tree.Expr) -> _Use | None:
    name = ""
    args: list[tree.Expr] = []
    match node:
        case tree.Call(function=function):
            found = ctx.facts.paths.function(function)
            if found is None or not found.startswith("string."):
                return None
            name, args = found.removeprefix("string."), node.args
        case tree.Invoke(object=object_):
            if (
                not ctx.kind(object_).within(kinds.STRING)
                or ("string", node.name) in ctx.facts.paths.written
            ):
                return None
            name, args = node.name, [object_, *node.args]
    if name not in _FUNCTIONS or not 2 <= len(args) <= _MOST_ARGUMENTS[name]:
        return None
    subject, pattern, *rest = args
    if not isinstance(pattern, tree.String) or not _is_text(ctx, node, subject, name):
        return None
    if captures_of(pattern.value) is None or any(
        not isinstance(arg, tree.Number) and isinstance(arg, tree.Call | tree.Invoke | tree.Vararg)
        for arg in rest
    ):
        return None
    if name in ("find", "match") and rest and not ctx.kind(rest[0]).within(kinds.WHOLE):
        return None
    if name == "gsub" and (
        not rest or (len(rest) > 1 and not ctx.kind(rest[1]).within(kinds.WHOLE))
    ):
        return None
    return _Use(name, subject, pattern.value, rest)


def _is_text(ctx: Context, node: tree.Expr, subject: tree.Expr, name: str) -> bool:
    """Whether the subject is a string; or else a nil of which the pattern says what `string.find` says of it."""
    kind = ctx.kind(subject)
    if isinstance(node, tree.Call) and name != "gsub":
        kind = kind.settled
    return kind.within(kinds.STRING)


def _asked(ctx: Context, node: tree.Expr, use: _Use, method: str) -> ast.expr:
    """`_PATTERN.method(subject, …)`."""
    ctx.imports.add("Pattern")
    if use.name == "gsub":
        ctx.hint = ""  # what comes out of it is not what the pattern finds
    function = build.attribute(ctx.pattern(use.pattern), method)
    args = [ctx.value(use.subject), *(ctx.value(arg) for arg in use.rest)]
    what = f"method '{use.name}'" if isinstance(node, tree.Invoke) else ""
    return ctx.mark(build.call(function, *args), node, what)


def as_value(ctx: Context, node: tree.Expr) -> ast.expr | None:
    """The first result alone."""
    use = _use(ctx, node)
    if use is None:
        return None
    if use.name == "gsub":
        return _asked(ctx, node, use, "sub")
    if use.name == "find":
        return _asked(ctx, node, use, "start")
    return None if has_positions(use.pattern) else _asked(ctx, node, use, "capture")


def several(ctx: Context, node: tree.Expr, wanted: int) -> ast.expr | None:
    """Exactly `wanted` results, as a tuple."""
    use = _use(ctx, node)
    if use is None or use.captures is None:
        return None
    if use.name == "gsub":
        return _asked(ctx, node, use, "gsub") if wanted == 2 else None
    if use.name == "find" and wanted == 2:
        return _asked(ctx, node, use, "span")
    given = use.captures + 2 if use.name == "find" else max(use.captures, 1)
    return _asked(ctx, node, use, use.name) if given == wanted else None


def special_call(ctx: Context, name: str, node: tree.Call, spread: bool) -> calls.Made | None:
    """The call where its results are used as they come."""
    return _made(ctx, node, spread)


def special_method(ctx: Context, node: tree.Invoke, spread: bool) -> calls.Made | None:
    return _made(ctx, node, spread)


def _made(ctx: Context, node: tree.Expr, spread: bool) -> calls.Made | None:
    use = _use(ctx, node)
    if use is None:
        return None
    if use.name == "gsub":
        return calls.Made(_asked(ctx, node, use, "gsub"), 2)
    if use.name == "match" and use.captures is not None and use.captures <= 1:
        return calls.Made(_asked(ctx, node, use, "match"), 1)
    made = _asked(ctx, node, use, f"{use.name}_values")
    everything: list[ast.expr] | None = None
    if spread:
        everything = [build.starred(build.call(ctx.lua("values"), made))]
    return calls.Made(made, None, everything)


def is_test(ctx: Context, node: tree.Expr) -> ast.expr | None:
    """`if s:find("x")`: only whether it matches."""
    plain = _plain_search(ctx, node)
    if plain is not None:
        return plain
    use = _use(ctx, node)
    if use is None or use.name == "gsub" or not ctx.kind(use.subject).within(kinds.STRING):
        return None
    if is_plain(use.pattern) and not use.rest:
        subject = ctx.value(use.subject)
        return ctx.mark(build.compare(build.constant(use.pattern), ast.In(), subject), node)
    return _asked(ctx, node, use, "matches")


def _plain_search(ctx: Context, node: tree.Expr) -> ast.expr | None:
    """`if s:find(text, 1, true)`: whether one text is in another."""
    match node:
        case tree.Call(
            function=function, args=[subject, text, tree.Number(value=1), tree.Boolean(value=True)]
        ) if ctx.facts.paths.function(function) == "string.find":
            pass
        case tree.Invoke(
            name="find",
            object=subject,
            args=[text, tree.Number(value=1), tree.Boolean(value=True)],
        ) if ("string", "find") not in ctx.facts.paths.written:
            pass
        case _:
            return None
    if not all(ctx.kind(part).within(kinds.STRING) for part in (subject, text)):
        return None
    if not (ctx.is_constant(text) or ctx.is_harmless(subject) and ctx.is_harmless(text)):
        return None  # Python computes the second first
    sought, searched = ctx.value(text), ctx.value(subject)
    return ctx.mark(build.compare(sought, ast.In(), searched), node)
