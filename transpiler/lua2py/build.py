"""luaparser's parse tree to ours.

The contexts say how tokens belong together; kinds, values and spans come from our own tokens, by index. The
text has passed `grammar`, so every shape met here is Lua 5.1. Knows no source text beyond the tokens.
"""

from __future__ import annotations

from typing import Any

from luaparser.parser.LuaParser import LuaParser as Grammar

from lua2py import tree
from lua2py.source import SourceFile
from lua2py.tokens import NAME, NUMBER, STRING, Token
from lua2py.tree import Span

# Contexts that only group: their children in order are a head and its suffixes.
GROUPS = (
    Grammar.PrefixexpContext,
    Grammar.FunctioncallContext,
    Grammar.CallContext,
    Grammar.VarContext,
)
OPERATORS = {"!=": "~=", "!": "not"}  # spelled otherwise in our tree


class Builder:
    """Builds one chunk. The contexts are luaparser's and untyped."""

    def __init__(self, source: SourceFile, tokens: list[Token]) -> None:
        self.source = source
        self.tokens = tokens

    def chunk(self, context: Any, comments: list[tree.Comment]) -> tree.Chunk:
        whole = self.source.span(0, len(self.source.text))
        body = tree.Block(whole, self.statements(context.chunk().block()))
        return tree.Chunk(whole, body, comments)

    # --- places ---

    def token(self, terminal: Any) -> Token:
        return self.tokens[int(terminal.symbol.tokenIndex)]

    def between(self, first: Token, last: Token) -> Span:
        return self.source.span(first.start, last.end)

    def span(self, context: Any) -> Span:
        return self.between(self.first(context), self.last(context))

    def first(self, context: Any) -> Token:
        return self.tokens[int(context.start.tokenIndex)]

    def last(self, context: Any) -> Token:
        return self.tokens[int(context.stop.tokenIndex)]

    def param(self, terminal: Any) -> tree.Param:
        token = self.token(terminal)
        return tree.Param(self.between(token, token), token.text)

    def name(self, terminal: Any) -> tree.Name:
        token = self.token(terminal)
        return tree.Name(self.between(token, token), token.text)

    # --- statements ---

    def block(self, context: Any) -> tree.Block:
        """A block reaches from the word that opens it to the word that closes it, comments included."""
        first, last = context.start.tokenIndex, context.stop.tokenIndex
        before = self.tokens[min(first - 1, last)]
        after = self.tokens[last + 1]
        return tree.Block(self.source.span(before.end, after.start), self.statements(context))

    def statements(self, context: Any) -> list[tree.Stat]:
        found: list[tree.Stat] = []
        for child in context.getChildren():
            build = STATEMENTS[type(child)]
            if build is not None:
                found.append(build(self, child))
        return found

    def if_(self, context: Any) -> tree.If:
        tests = [self.expression(test) for test in context.exp()]
        blocks = [self.block(block) for block in context.block()]
        return tree.If(self.span(context), tests, blocks)

    def while_(self, context: Any) -> tree.While:
        test = self.expression(context.exp())
        return tree.While(self.span(context), test, self.block(context.block()))

    def do(self, context: Any) -> tree.Do:
        return tree.Do(self.span(context), self.block(context.block()))

    def repeat(self, context: Any) -> tree.Repeat:
        body = self.block(context.block())
        return tree.Repeat(self.span(context), body, self.expression(context.exp()))

    def for_(self, context: Any) -> tree.Stat:
        span, body = self.span(context), self.block(context.block())
        if context.IN():
            names = [self.param(name) for name in context.namelist().NAME()]
            return tree.GenericFor(span, names, self.expressions(context.explist()), body)
        start, stop, *step = [self.expression(bound) for bound in context.exp()]
        var = self.param(context.NAME())
        return tree.NumericFor(span, var, start, stop, step[0] if step else None, body)

    def function(self, context: Any) -> tree.FunctionStat:
        name = context.funcname()
        target: tree.Expr = self.name(name.NAME(0))
        for terminal in name.NAME()[1:]:
            token = self.token(terminal)
            key = tree.String(self.between(token, token), token.text)
            span = self.source.span(target.span.start, token.end)
            target = tree.Index(span, target, key, dot=True)
        colon = self.token(name.COL()) if name.COL() else None
        called = "".join(self.token(part).text for part in name.getChildren())
        return tree.FunctionStat(
            self.span(context), target, self.body(context, context.funcbody(), called, colon)
        )

    def local_function(self, context: Any) -> tree.LocalFunction:
        name = self.param(context.NAME())
        function = self.body(context, context.funcbody(), name.id)
        return tree.LocalFunction(self.span(context), name, function)

    def local(self, context: Any) -> tree.Local:
        names = [self.param(one.NAME()) for one in context.attnamelist().nameattrib()]
        values = self.expressions(context.explist())
        christen([name.id for name in names], values)
        return tree.Local(self.span(context), names, values)

    def assignment(self, context: Any) -> tree.Assign:
        targets = [self.prefix(var) for var in context.varlist().var()]
        values = self.expressions(context.explist())
        christen([spelled(target) for target in targets], values)
        return tree.Assign(self.span(context), targets, values)

    def call(self, context: Any) -> tree.CallStat:
        call = self.prefix(context.functioncall())
        assert isinstance(call, tree.Call | tree.Invoke)
        return tree.CallStat(self.span(context), call)

    def last_statement(self, context: Any) -> tree.Stat:
        if context.BREAK():
            return tree.Break(self.span(context))
        values = self.expressions(context.explist())
        end = values[-1].span.end if values else self.first(context).end
        if context.explist():
            end = self.last(context.explist()).end
        return tree.Return(self.source.span(self.first(context).start, end), values)

    def break_(self, context: Any) -> tree.Break:
        return tree.Break(self.span(context))

    # --- expressions ---

    def expressions(self, context: Any) -> list[tree.Expr]:
        return [self.expression(one) for one in context.exp()] if context else []

    def expression(self, context: Any) -> tree.Expr:
        # `a + b + c + ...` nests to the left without limit: walk down, then build upwards.
        pending = []
        while context.getChildCount() == 3:
            pending.append(context)
            context = context.getChild(0)
        result = self.operand(context)
        while pending:
            context = pending.pop()
            sign = self.token(context.getChild(1))
            right = self.expression(context.getChild(2))
            op = OPERATORS.get(sign.kind, sign.kind)
            result = tree.Binary(self.span(context), op, self.between(sign, sign), result, right)
        return result

    def operand(self, context: Any) -> tree.Expr:
        head = context.getChild(0)
        if context.getChildCount() == 2:
            op = self.token(head).kind
            operand = self.expression(context.getChild(1))
            return tree.Unary(self.span(context), OPERATORS.get(op, op), operand)
        if isinstance(head, Grammar.PrefixexpContext):
            return self.prefix(head)
        if isinstance(head, Grammar.TableconstructorContext):
            return self.table(head)
        if isinstance(head, Grammar.FunctiondefContext):
            return self.body(head, head.funcbody(), "")
        return self.simple(self.first(context))

    def simple(self, token: Token) -> tree.Expr:
        span = self.between(token, token)
        if token.kind == NUMBER:
            assert isinstance(token.value, int | float)
            return tree.Number(span, token.value, token.text)
        if token.kind == STRING:
            return tree.String(span, str(token.value), token.text.startswith("["))
        if token.kind == "...":
            return tree.Vararg(span)
        if token.kind == "nil":
            return tree.Nil(span)
        return tree.Boolean(span, token.kind == "true")

    def prefix(self, context: Any) -> tree.Expr:
        """A name or parenthesis and its suffixes, whatever contexts they were grouped in."""
        parts = iter(flattened(context))
        head = next(parts)
        first = self.token(head)
        result = self.name(head) if first.kind == NAME else self.parenthesis(head, parts)
        for part in parts:
            if isinstance(part, Grammar.TailContext):
                span = self.source.span(first.start, self.last(part).end)
                key, dot = self.subscript(part)
                result = tree.Index(span, result, key, dot)
            elif isinstance(part, Grammar.ArgsContext):
                span = self.source.span(first.start, self.last(part).end)
                result = tree.Call(span, result, self.arguments(part))
            else:  # a colon
                name, args = self.token(next(parts)), next(parts)
                span = self.source.span(first.start, self.last(args).end)
                values = self.arguments(args)
                result = tree.Invoke(span, result, name.text, self.between(name, name), values)
        return result

    def parenthesis(self, opening: Any, parts: Any) -> tree.Expr:
        inner = self.expression(next(parts))
        span = self.between(self.token(opening), self.token(next(parts)))
        cuts = isinstance(inner, tree.Call | tree.Invoke | tree.Vararg)
        return tree.Paren(span, inner) if cuts else inner

    def subscript(self, context: Any) -> tuple[tree.Expr, bool]:
        if context.exp():
            return self.expression(context.exp()), False
        token = self.token(context.NAME())
        return tree.String(self.between(token, token), token.text), True

    def arguments(self, context: Any) -> list[tree.Expr]:
        if context.tableconstructor():
            return [self.table(context.tableconstructor())]
        if context.string():
            return [self.simple(self.first(context))]
        return self.expressions(context.explist())

    def table(self, context: Any) -> tree.TableConstructor:
        listed = context.fieldlist()
        fields = [self.field(field) for field in listed.field()] if listed else []
        return tree.TableConstructor(self.span(context), fields)

    def field(self, context: Any) -> tree.Field:
        *keys, value = [self.expression(one) for one in context.exp()]
        key: tree.Expr | None = keys[0] if keys else None
        if context.NAME():
            token = self.token(context.NAME())
            key = tree.String(self.between(token, token), token.text)
        if isinstance(key, tree.String):
            christen([key.value], [value])
        return tree.Field(self.span(context), key, value)

    def body(
        self, context: Any, body: Any, called: str, colon: Token | None = None
    ) -> tree.Function:
        listed = body.parlist()
        params = (
            [self.param(name) for name in listed.namelist().NAME()] if listed.namelist() else []
        )
        if colon:
            params.insert(0, tree.Param(self.between(colon, colon), "self"))
        block = self.block(body.block())
        vararg = listed.DDD() is not None
        return tree.Function(self.span(context), params, vararg, block, called, colon is not None)


STATEMENTS: dict[type, Any] = {
    Grammar.Stat_emptyContext: None,
    Grammar.Stat_ifContext: Builder.if_,
    Grammar.Stat_whileContext: Builder.while_,
    Grammar.Stat_doContext: Builder.do,
    Grammar.Stat_repeatContext: Builder.repeat,
    Grammar.Stat_forContext: Builder.for_,
    Grammar.Stat_functionContext: Builder.function,
    Grammar.Stat_localfunctionContext: Builder.local_function,
    Grammar.Stat_localContext: Builder.local,
    Grammar.Stat_assignmentContext: Builder.assignment,
    Grammar.Stat_functioncallContext: Builder.call,
    Grammar.Stat_breakContext: Builder.break_,
    Grammar.RetstatContext: Builder.last_statement,
}


def flattened(context: Any) -> list[Any]:
    """The parts of a prefix expression in order: terminals, expressions, tails and arguments."""
    parts, stack = [], [context]
    while stack:
        part = stack.pop()
        if isinstance(part, GROUPS):
            stack.extend(reversed(list(part.getChildren())))
        else:
            parts.append(part)
    return parts


def christen(names: list[str], values: list[tree.Expr]) -> None:
    """Functions take the name they are stored under."""
    for name, value in zip(names, values, strict=False):
        if isinstance(value, tree.Function) and not value.name:
            value.name = name


def spelled(target: tree.Expr) -> str:
    """A target as a person would write it, or empty when it is computed."""
    if isinstance(target, tree.Name):
        return target.id
    if isinstance(target, tree.Index) and isinstance(target.key, tree.String):
        head = spelled(target.object)
        return f"{head}.{target.key.value}" if head else ""
    return ""
