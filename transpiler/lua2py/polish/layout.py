"""Python statements as text: indents, empty lines, comments in their places.

One Lua statement is one Python statement wherever that is possible, so the empty lines and comments of the source
can be kept as they were. Knows nothing of Lua.
"""

from __future__ import annotations

import ast

from lua2py.polish.expressions import BINARY, WIDTH, Layout, Writer, parameter_list

MOST_BLANK = 2  # empty lines in a row; as Python's own style guide has it


class StatementWriter(Writer):
    """Writes the statements of one module."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self.lines: list[str] = []

    def block(self, statements: list[ast.stmt], indent: int) -> None:
        previous: ast.stmt | None = None
        for statement in statements:
            self._space_above(statement, indent, previous)
            previous = statement
            self.lines += [" " * indent + line for line in self.layout.before.get(statement, ())]
            self._statement(statement, indent)
            self.lines += [" " * indent + line for line in self.layout.after.get(statement, ())]

    def _space_above(self, statement: ast.stmt, indent: int, previous: ast.stmt | None) -> None:
        if previous is None:
            return
        around_function = isinstance(statement, ast.FunctionDef) or isinstance(
            previous, ast.FunctionDef
        )
        count = min(self.layout.blank.get(statement, 0), 1 if indent else MOST_BLANK)
        if around_function and not (indent and isinstance(previous, ast.FunctionDef)):
            count = 1 if indent else 2
        if isinstance(previous, ast.FunctionDef) and previous.name in _names_stored(statement):
            count = 0 if indent else 2
        self.lines += [""] * count

    def _statement(self, node: ast.stmt, indent: int) -> None:
        match node:
            case ast.FunctionDef():
                self._function(node, indent)
            case ast.If():
                self._if(node, indent, "if")
            case ast.While(test=test, body=body):
                self._headed(node, "while ", test, indent)
                self.block(body, indent + 4)
            case ast.For(target=target, iter=iterable, body=body):
                names = self._targets(target)
                self._headed(node, f"for {names} in ", iterable, indent)
                self.block(body, indent + 4)
            case _:
                self._put(node, indent, self._simple(node, indent))

    def _simple(self, node: ast.stmt, indent: int) -> str:
        match node:
            case ast.Assign(targets=[target], value=value):
                head = f"{self._targets(target)} = "
                return head + self._value(value, indent, indent + len(head))
            case ast.AnnAssign(target=target, annotation=kind, value=None):
                return f"{self.flat(target)}: {self.flat(kind)}"
            case ast.AnnAssign(target=target, annotation=kind, value=ast.expr() as value):
                head = f"{self.flat(target)}: {self.flat(kind)} = "
                return head + self._value(value, indent, indent + len(head))
            case ast.AugAssign(target=target, op=op, value=value):
                head = f"{self.flat(target)} {BINARY[type(op)][0]}= "
                return head + self._value(value, indent, indent + len(head))
            case ast.Delete(targets=targets):
                return "del " + ", ".join(self.flat(target) for target in targets)
            case ast.Expr(value=value):
                return self.fitted(value, indent, indent)
            case ast.Return(value=None):
                return "return"
            case ast.Return(value=ast.expr() as value):
                return "return " + self._value(value, indent, indent + 7)
            case ast.Nonlocal(names=names):
                return "nonlocal " + ", ".join(names)
            case ast.Global(names=names):
                return "global " + ", ".join(names)
            case ast.Break():
                return "break"
            case ast.Continue():
                return "continue"
            case ast.Pass():
                return "pass"
            case ast.ImportFrom(module=module, names=aliases):
                return self._import(f"from {module} import ", aliases)
            case ast.Import(names=aliases):
                return self._import("import ", aliases)
        raise AssertionError(f"internal error: no way to write {type(node).__name__}")

    def _import(self, head: str, aliases: list[ast.alias]) -> str:
        names = [a.name if a.asname is None else f"{a.name} as {a.asname}" for a in aliases]
        text = head + ", ".join(names)
        if len(text) <= WIDTH:
            return text
        return head + "(\n" + "".join(f"    {name},\n" for name in names) + ")"

    def _targets(self, target: ast.expr) -> str:
        """The left side of `=`: a tuple without its parentheses."""
        if isinstance(target, ast.Tuple) and len(target.elts) > 1:
            return ", ".join(self.flat(element) for element in target.elts)
        return self.flat(target)

    def _value(self, value: ast.expr, indent: int, column: int) -> str:
        """The right side of `=` or `return`: a tuple of several without its parentheses, when it fits."""
        if isinstance(value, ast.Tuple) and len(value.elts) > 1 and not self._must_break(value):
            text = ", ".join(self.flat(element) for element in value.elts)
            starred = any(isinstance(element, ast.Starred) for element in value.elts)
            if column + len(text) <= WIDTH and not starred:
                return text
        if isinstance(value, ast.NamedExpr):
            return f"({self.flat(value)})"
        return self.fitted(value, indent, column)

    def _function(self, node: ast.FunctionDef, indent: int) -> None:
        parts = parameter_list(node.args, self)
        result = f" -> {self.flat(node.returns)}" if node.returns else ""
        head = f"def {node.name}({', '.join(parts)}){result}:"
        if indent + len(head) > WIDTH:
            inner = " " * (indent + 4)
            together = ", ".join(parts)
            if len(inner) + len(together) <= WIDTH:
                head = f"def {node.name}(\n{inner}{together}\n{' ' * indent}){result}:"
            else:
                each = "".join(f"{inner}{part},\n" for part in parts)
                head = f"def {node.name}(\n{each}{' ' * indent}){result}:"
        self._put(node, indent, head)
        self.block(node.body, indent + 4)

    def _if(self, node: ast.If, indent: int, word: str) -> None:
        self._headed(node, f"{word} ", node.test, indent)
        self.block(node.body, indent + 4)
        match node.orelse:
            case []:
                return
            case [ast.If() as inner] if node not in self.layout.nested_else:
                self.lines += [" " * indent + line for line in self.layout.before.get(inner, ())]
                self._if(inner, indent, "elif")
                self.lines += [" " * indent + line for line in self.layout.after.get(inner, ())]
            case body:
                self.lines.append(" " * indent + "else:")
                self.block(body, indent + 4)

    def _headed(self, node: ast.stmt, head: str, test: ast.expr, indent: int) -> None:
        text = f"({self.flat(test)})" if isinstance(test, ast.NamedExpr) else ""
        text = text or self.fitted(test, indent, indent + len(head), 1)
        self._put(node, indent, f"{head}{text}:")

    def _put(self, node: ast.stmt, indent: int, text: str) -> None:
        comment = self.layout.trailing.get(node)
        first, newline, rest = text.partition("\n")
        if comment and not newline:
            first += f"  {comment}"
        elif comment:
            rest += f"  {comment}"
        self.lines += (" " * indent + first + newline + rest).split("\n")


def _names_stored(statement: ast.stmt) -> tuple[str, ...]:
    """The name whose value an assignment stores: `t["f"] = f`, which belongs to the `def` above it."""
    match statement:
        case ast.Assign(value=ast.Name(id=name)):
            return (name,)
    return ()


def write(statements: list[ast.stmt], layout: Layout) -> list[str]:
    """The lines of a module's body."""
    writer = StatementWriter(layout)
    writer.block(statements, 0)
    return [line.rstrip() if not line.strip() else line for line in writer.lines]
