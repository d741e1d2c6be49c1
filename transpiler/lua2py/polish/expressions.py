"""Python expressions as text: parentheses by precedence, double quotes, and lines that fit.

`flat` writes a node on one line; `fitted` breaks what is too long at its outermost brackets, as a person would.
Knows nothing of Lua: what to keep on several lines and which comments stand inside is told by `Layout`.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

WIDTH = 100

# Precedence of Python's operators, low to high; the numbers only order them.
(
    _TEST,
    _OR,
    _AND,
    _NOT,
    _COMPARE,
    _BITOR,
    _BITXOR,
    _BITAND,
    _SHIFT,
    _SUM,
    _TERM,
    _SIGN,
    _POWER,
    _ATOM,
) = range(14)
_NAMED = -1

BINARY: dict[type[ast.operator], tuple[str, int]] = {
    ast.Add: ("+", _SUM),
    ast.Sub: ("-", _SUM),
    ast.Mult: ("*", _TERM),
    ast.Div: ("/", _TERM),
    ast.Mod: ("%", _TERM),
    ast.FloorDiv: ("//", _TERM),
    ast.BitOr: ("|", _BITOR),
    ast.BitXor: ("^", _BITXOR),
    ast.BitAnd: ("&", _BITAND),
    ast.LShift: ("<<", _SHIFT),
    ast.RShift: (">>", _SHIFT),
}
_COMPARISON: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
}
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", '"': '\\"'}


@dataclass(slots=True)
class Layout:
    """What people wrote that the tree can't hold, by node."""

    before: dict[ast.AST, list[str]] = field(default_factory=dict)  # comment lines above
    trailing: dict[ast.AST, str] = field(default_factory=dict)  # a comment after, on the same line
    after: dict[ast.AST, list[str]] = field(
        default_factory=dict
    )  # comment lines below, same indent
    blank: dict[ast.AST, int] = field(default_factory=dict)  # empty lines above
    broken: set[ast.AST] = field(default_factory=set)  # stood on several lines in the source
    nested_else: set[ast.AST] = field(
        default_factory=set
    )  # an `if` alone in an `else`, not an `elif`
    readable: set[ast.AST] = field(default_factory=set)  # string constants that are text, not bytes
    numbers: dict[ast.AST, str] = field(default_factory=dict)  # a numeral as it was written


def quoted(text: str, quote: str = '"', readable: bool = False) -> str:
    """A string literal; bytes above 127 as escapes, or, where it is text, as the characters they are."""
    return quote + "".join(_escaped(char, quote, readable) for char in text) + quote


def _escaped(char: str, quote: str, readable: bool) -> str:
    if char == '"' and quote != '"':
        return char
    if char == "'" and quote == "'":
        return "\\'"
    if char in _ESCAPES:
        return _ESCAPES[char]
    return char if char.isprintable() and (readable or char < "\x7f") else _numeric(char)


def _numeric(char: str) -> str:
    code = ord(char)
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


class Writer:
    """Writes the expressions of one module."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._texts: dict[tuple[ast.expr, str], tuple[int, str]] = {}

    # --- one line ---------------------------------------------------------------------------------------

    def flat(self, node: ast.expr, level: int = _TEST, quote: str = '"') -> str:
        """The node on one line, in parentheses where the place it stands in binds tighter."""
        found = self._texts.get((node, quote))
        if found is None:
            found = self._texts[node, quote] = self._flat(node, quote)
        own, text = found
        return f"({text})" if own < level else text

    def _flat(self, node: ast.expr, quote: str) -> tuple[int, str]:
        flat = self.flat
        match node:
            case ast.Name(id=name):
                return _ATOM, name
            case ast.Constant():
                return _ATOM, self._constant(node, quote)
            case ast.Attribute(value=value, attr=attr):
                number = isinstance(value, ast.Constant) and isinstance(value.value, int)
                return (
                    _ATOM,
                    f"({flat(value)}).{attr}" if number else f"{flat(value, _ATOM, quote)}.{attr}",
                )
            case ast.Subscript(value=value, slice=ast.Tuple(elts=elements)) if elements:
                inner = ", ".join(flat(e, _TEST, quote) for e in elements)
                return _ATOM, f"{flat(value, _ATOM, quote)}[{inner}]"
            case ast.Subscript(value=value, slice=key):
                return _ATOM, f"{flat(value, _ATOM, quote)}[{flat(key, _TEST, quote)}]"
            case ast.Slice(lower=lower, upper=upper):
                ends = [
                    flat(end, _TEST, quote) if end is not None else "" for end in (lower, upper)
                ]
                if not isinstance(lower, ast.BinOp) and not isinstance(upper, ast.BinOp):
                    return _TEST, ":".join(ends)
                return _TEST, " : ".join(ends).strip()  # as formatters write it
            case ast.Call():
                return (
                    _ATOM,
                    f"{flat(node.func, _ATOM, quote)}({', '.join(self._arguments(node, quote))})",
                )
            case ast.Starred(value=value):
                return _TEST, f"*{flat(value, _BITOR, quote)}"
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return _NOT, f"not {flat(operand, _NOT, quote)}"
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return _SIGN, f"-{flat(operand, _SIGN, quote)}"
            case ast.BinOp(left=left, op=op, right=right):
                sign, own = BINARY[type(op)]
                return own, f"{flat(left, own, quote)} {sign} {flat(right, own + 1, quote)}"
            case ast.BoolOp(op=op, values=values):
                word, own = ("and", _AND) if isinstance(op, ast.And) else ("or", _OR)
                return own, f" {word} ".join(flat(value, own + 1, quote) for value in values)
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                text = f"{flat(left, _COMPARE + 1, quote)} {_COMPARISON[type(op)]} "
                return _COMPARE, text + flat(right, _COMPARE + 1, quote)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                text = f"{flat(body, _OR, quote)} if {flat(test, _OR, quote)} else "
                return _TEST, text + flat(orelse, _TEST, quote)
            case ast.NamedExpr(target=ast.Name(id=name), value=value):
                return _NAMED, f"{name} := {flat(value, _TEST, quote)}"
            case ast.Lambda(args=args, body=body):
                parameters = parameter_list(args, self)
                head = f"lambda {', '.join(parameters)}: " if parameters else "lambda: "
                return _TEST, head + flat(body, _TEST, quote)
            case ast.Tuple(elts=elements):
                inner = ", ".join(flat(e, _TEST, quote) for e in elements)
                return _ATOM, f"({inner},)" if len(elements) == 1 else f"({inner})"
            case ast.List(elts=elements):
                return _ATOM, f"[{', '.join(flat(e, _TEST, quote) for e in elements)}]"
            case ast.Dict(keys=keys, values=values):
                pairs = (self._entry(k, v, quote) for k, v in zip(keys, values, strict=True))
                return _ATOM, f"{{{', '.join(pairs)}}}"
            case ast.JoinedStr(values=values):
                return _ATOM, "f" + self._joined(values, quote)
        raise AssertionError(f"internal error: no way to write {type(node).__name__}")

    def _constant(self, node: ast.Constant, quote: str) -> str:
        if node in self.layout.numbers:
            return self.layout.numbers[node]
        value = node.value
        if isinstance(value, str):
            return quoted(value, quote, node in self.layout.readable)
        if value is ...:
            return "..."
        if isinstance(value, float):
            return repr(value).replace("inf", "1e999")
        return repr(value)

    def _entry(self, key: ast.expr | None, value: ast.expr, quote: str) -> str:
        if key is None:
            return f"**{self.flat(value, _BITOR, quote)}"
        return f"{self.flat(key, _TEST, quote)}: {self.flat(value, _TEST, quote)}"

    def _arguments(self, node: ast.Call, quote: str) -> list[str]:
        return [self.flat(argument, _TEST, quote) for argument in node.args] + [
            f"{keyword.arg}={self.flat(keyword.value, _TEST, quote)}" for keyword in node.keywords
        ]

    def _joined(self, values: list[ast.expr], quote: str) -> str:
        return quote + "".join(self._piece(value, quote) for value in values) + quote

    def _piece(self, value: ast.expr, quote: str) -> str:
        if isinstance(value, ast.Constant):
            return quoted(str(value.value), quote)[1:-1].replace("{", "{{").replace("}", "}}")
        assert isinstance(value, ast.FormattedValue)
        text = self.flat(value.value, _TEST, "'" if quote == '"' else '"')
        return f"{{{' ' if text.startswith('{') else ''}{text}}}"

    # --- several lines ----------------------------------------------------------------------------------

    def fitted(
        self, node: ast.expr, indent: int, column: int, after: int = 0, bare: bool = True
    ) -> str:
        """The node as it looks best from `column`, with `after` characters to follow it on its last line.

        bare: no brackets stand around it yet, so an operator that is broken needs its own.
        """
        if not self._must_break(node):
            text = self.flat(node)
            if column + len(text) + after <= WIDTH:
                return text
        return self._broken(node, indent, column, after, bare)

    def _must_break(self, node: ast.AST) -> bool:
        if not self.layout.broken:
            return False
        return node in self.layout.broken or any(
            self._must_break(child)
            for child in ast.iter_child_nodes(node)
            if not isinstance(child, ast.expr_context)
        )

    def _broken(self, node: ast.expr, indent: int, column: int, after: int, bare: bool) -> str:
        match node:
            case ast.Call():
                return self._broken_call(node, indent, column, after)
            case ast.Dict(keys=keys) if keys:
                return "{" + self._entries(node, indent) + "}"
            case ast.Tuple(elts=elements) | ast.List(elts=elements) if elements:
                left, right = "()" if isinstance(node, ast.Tuple) else "[]"
                items: list[tuple[str | None, ast.expr]] = [(None, e) for e in elements]
                return left + self._lines(items, indent) + right
            case ast.Subscript(value=value, slice=key):
                tail = f"[{self.flat(key)}]"
                return self._headed_by(value, indent, column, after + len(tail), bare) + tail
            case ast.Attribute(value=ast.Call() as value, attr=attr):
                return self.fitted(value, indent, column, after + len(attr) + 1, bare) + "." + attr
            case ast.Starred(value=value):
                return "*" + self._headed_by(value, indent, column + 1, after, bare)
            case ast.BoolOp() | ast.BinOp() | ast.IfExp() | ast.Constant() | ast.JoinedStr():
                pieces = self._pieces(node, indent + 4 if bare else indent)
                if len(pieces) == 1:
                    return self.flat(node)
                if not bare:
                    return ("\n" + " " * indent).join(pieces)
                inner = " " * (indent + 4)
                return "(\n" + "".join(f"{inner}{piece}\n" for piece in pieces) + " " * indent + ")"
            case ast.UnaryOp(op=ast.Not(), operand=ast.Call() as operand):
                return "not " + self.fitted(operand, indent, column + 4, after, bare)
            case ast.Compare(left=ast.Call() as left, ops=[op], comparators=[right]):
                tail = f" {_COMPARISON[type(op)]} {self.flat(right, _COMPARE + 1)}"
                return self.fitted(left, indent, column, after + len(tail), bare) + tail
        return self.flat(node)

    def _headed_by(
        self, node: ast.expr, indent: int, column: int, after: int = 0, bare: bool = True
    ) -> str:
        """What is called, indexed or spread: in parentheses of its own where it is an operation."""
        if isinstance(
            node, ast.Name | ast.Attribute | ast.Call | ast.Subscript | ast.Tuple | ast.List
        ):
            return self.fitted(node, indent, column, after, bare)
        return self.flat(node, _ATOM)

    def _pieces(self, node: ast.expr, indent: int) -> list[str]:
        """An operator's operands, one a line, each operator before its right operand."""
        match node:
            case ast.BoolOp(op=op, values=values):
                word, own = ("and", _AND) if isinstance(op, ast.And) else ("or", _OR)
                first, *rest = values
                return [self._piece_line(first, "", own + 1, indent)] + [
                    self._piece_line(value, f"{word} ", own + 1, indent) for value in rest
                ]
            case ast.BinOp(left=left, op=op, right=right):
                sign, own = BINARY[type(op)]
                same = isinstance(left, ast.BinOp) and BINARY[type(left.op)][1] == own
                head = (
                    self._pieces(left, indent)
                    if same
                    else [self._piece_line(left, "", own, indent)]
                )
                return [*head, self._piece_line(right, f"{sign} ", own + 1, indent)]
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return [
                    self._piece_line(body, "", _OR, indent),
                    self._piece_line(test, "if ", _OR, indent),
                    self._piece_line(orelse, "else ", _TEST, indent),
                ]
            case ast.Constant(value=str() as text) if "\n" in text[:-1]:
                readable = node in self.layout.readable
                return [quoted(line, '"', readable) for line in _lines(text)]
            case ast.JoinedStr(values=values):
                return self._joined_pieces(values, indent)
        return [self.flat(node)]

    def _piece_line(self, node: ast.expr, head: str, level: int, indent: int) -> str:
        flat = head + self.flat(node, level)
        if indent + len(flat) <= WIDTH and not self._must_break(node):
            return flat
        if flat != head + self.flat(node):  # it has parentheses of its own
            inner = self.fitted(node, indent + 4, indent + 4, 0, bare=False)
            return f"{head}(\n{' ' * (indent + 4)}{inner}\n{' ' * indent})"
        return head + self.fitted(node, indent, indent + len(head))

    def _joined_pieces(self, values: list[ast.expr], indent: int) -> list[str]:
        """An f-string as several that stand side by side, cut before a value when a line is full."""
        groups: list[list[ast.expr]] = [[]]
        length = 0
        for value in values:
            text = self._piece(value, '"')
            if groups[-1] and indent + length + len(text) > WIDTH - 4:
                groups.append([])
                length = 0
            groups[-1].append(value)
            length += len(text)
        return [
            "f" + self._joined(group, '"')
            if any(isinstance(value, ast.FormattedValue) for value in group)
            else self.flat(group[0])
            for group in groups
        ]

    def _broken_call(self, node: ast.Call, indent: int, column: int, after: int) -> str:
        head = self._headed_by(node.func, indent, column) + "("
        items: list[tuple[str | None, ast.expr]] = [(None, argument) for argument in node.args]
        items += [(f"{keyword.arg}=", keyword.value) for keyword in node.keywords]
        if not items:
            return head + ")"
        last = items[-1][1]
        if isinstance(last, ast.Dict) and last.keys and not node.keywords:
            # `Table({` stays together, as do the arguments before a last table.
            before = "".join(self.flat(argument) + ", " for argument in node.args[:-1])
            start = column + len(head.rpartition("\n")[2]) + len(before)
            if start < WIDTH - 10 and not any(self._must_break(a) for a in node.args[:-1]):
                return head + before + self.fitted(last, indent, start, after + 1, bare=False) + ")"
        if isinstance(last, ast.Call) and not node.keywords and self._must_break(last):
            before = "".join(self.flat(argument) + ", " for argument in node.args[:-1])
            if len(head) + len(before) + column < WIDTH - 20:
                start = column + len(head) + len(before)
                return head + before + self.fitted(last, indent, start, after + 1, bare=False) + ")"
        return head + self._lines(items, indent, one_line=not self._must_break(node)) + ")"

    def _lines(
        self, items: list[tuple[str | None, ast.expr]], indent: int, one_line: bool = False
    ) -> str:
        inner = indent + 4
        together = ", ".join((name or "") + self.flat(item) for name, item in items)
        if one_line and inner + len(together) <= WIDTH:
            return f"\n{' ' * inner}{together}\n{' ' * indent}"
        text = "\n"
        for name, item in items:
            head = name or ""
            text += self._comment_lines(item, inner)
            text += (
                " " * inner
                + head
                + self.fitted(item, inner, inner + len(head), 1, bare=False)
                + ","
            )
            text += self._trailing(item) + "\n"
        return text + " " * indent

    def _entries(self, node: ast.Dict, indent: int) -> str:
        inner = indent + 4
        text = "\n"
        for key, value in zip(node.keys, node.values, strict=True):
            head = "**" if key is None else self.flat(key) + ": "
            text += self._comment_lines(value, inner)
            text += " " * inner + head + self.fitted(value, inner, inner + len(head), 1) + ","
            text += self._trailing(value) + "\n"
        return text + " " * indent

    def _comment_lines(self, node: ast.AST, indent: int) -> str:
        return "".join(" " * indent + line + "\n" for line in self.layout.before.get(node, ()))

    def _trailing(self, node: ast.AST) -> str:
        comment = self.layout.trailing.get(node)
        return f"  {comment}" if comment else ""


def _lines(text: str) -> list[str]:
    """A text cut after each line feed, and nowhere else."""
    return [line + "\n" for line in text.split("\n")[:-1]] + (
        [text.rpartition("\n")[2]] if text[-1] != "\n" else []
    )


def parameter_list(args: ast.arguments, writer: Writer) -> list[str]:
    """A function's parameters, one text each."""
    parts: list[str] = []
    without = len(args.args) - len(args.defaults)
    for place, argument in enumerate(args.args):
        default = args.defaults[place - without] if place >= without else None
        parts.append(_parameter(argument, default, writer))
    if args.vararg:
        parts.append("*" + _parameter(args.vararg, None, writer))
    elif args.kwonlyargs:
        parts.append("*")
    for argument, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        parts.append(_parameter(argument, default, writer))
    return parts


def _parameter(argument: ast.arg, default: ast.expr | None, writer: Writer) -> str:
    text = argument.arg
    if argument.annotation:
        text += f": {writer.flat(argument.annotation)}"
    if default is None:
        return text
    equals = " = " if argument.annotation else "="
    return text + equals + writer.flat(default)
