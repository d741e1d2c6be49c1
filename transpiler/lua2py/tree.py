"""The Lua tree that every pass after `parse` works on.

Immutable facts from the source, nothing inferred: passes record what they learn in tables beside the tree, keyed by
node identity. Every node has a span. Literals hold decoded values (strings as one character per byte). Parentheses
that cut a call or `...` to one value are a `Paren` node; other parentheses leave no trace.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of source: character offsets, and the 1-based line and column of its start and end."""

    start: int
    end: int
    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment: its text without dashes and brackets, and whether code stands before it on its line."""

    span: Span
    text: str
    trailing: bool
    long: bool


@dataclass(slots=True, eq=False)
class Node:
    span: Span


# --- expressions ---------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class Expr(Node):
    pass


@dataclass(slots=True, eq=False)
class Nil(Expr):
    pass


@dataclass(slots=True, eq=False)
class Boolean(Expr):
    value: bool


@dataclass(slots=True, eq=False)
class Number(Expr):
    value: int | float
    text: str  # as written


@dataclass(slots=True, eq=False)
class String(Expr):
    value: str
    long: bool = False


@dataclass(slots=True, eq=False)
class Vararg(Expr):
    pass


@dataclass(slots=True, eq=False)
class Name(Expr):
    """A use of a name; `scopes` says which local, upvalue or global it is."""

    id: str


@dataclass(slots=True, eq=False)
class Index(Expr):
    """`object.key` (dot true, key a String) or `object[key]`."""

    object: Expr
    key: Expr
    dot: bool


@dataclass(slots=True, eq=False)
class Call(Expr):
    function: Expr
    args: list[Expr]


@dataclass(slots=True, eq=False)
class Invoke(Expr):
    """`object:name(args)`."""

    object: Expr
    name: str
    name_span: Span
    args: list[Expr]


@dataclass(slots=True, eq=False)
class Function(Expr):
    params: list[Param]
    vararg: bool
    body: Block
    name: str = (
        ""  # as a person would call it: from the statement it stands in; empty for an anonymous one
    )
    method: bool = False  # declared with a colon: `self` is the first of params


@dataclass(slots=True, eq=False)
class Unary(Expr):
    """op: `not`, `-`, `#`, `~`."""

    op: str
    operand: Expr


@dataclass(slots=True, eq=False)
class Binary(Expr):
    """op: `+ - * / % ^ .. == ~= < <= > >= and or` and the dialect's `& | ^^ << >> \\`. `!=` is `~=`."""

    op: str
    op_span: Span
    left: Expr
    right: Expr


@dataclass(slots=True, eq=False)
class Paren(Expr):
    inner: Expr


@dataclass(slots=True, eq=False)
class Field(Node):
    """One entry of a table constructor; key None means the next array place."""

    key: Expr | None
    value: Expr


@dataclass(slots=True, eq=False)
class TableConstructor(Expr):
    fields: list[Field]


# --- statements ----------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class Stat(Node):
    pass


@dataclass(slots=True, eq=False)
class Param(Node):
    """A name that is declared: parameter, local, loop variable."""

    id: str


@dataclass(slots=True, eq=False)
class Block(Node):
    body: list[Stat]


@dataclass(slots=True, eq=False)
class Local(Stat):
    names: list[Param]
    values: list[Expr]


@dataclass(slots=True, eq=False)
class Assign(Stat):
    targets: list[Expr]  # Name or Index
    values: list[Expr]


@dataclass(slots=True, eq=False)
class LocalFunction(Stat):
    name: Param
    function: Function


@dataclass(slots=True, eq=False)
class FunctionStat(Stat):
    """`function a.b.c(...)`, `function a:m(...)`: target is the Name or Index that is assigned."""

    target: Expr
    function: Function


@dataclass(slots=True, eq=False)
class CallStat(Stat):
    call: Call | Invoke


@dataclass(slots=True, eq=False)
class Do(Stat):
    body: Block


@dataclass(slots=True, eq=False)
class While(Stat):
    test: Expr
    body: Block


@dataclass(slots=True, eq=False)
class Repeat(Stat):
    body: Block
    test: Expr  # sees the locals of body


@dataclass(slots=True, eq=False)
class If(Stat):
    """tests[i] guards blocks[i]; one block more than tests is the else."""

    tests: list[Expr]
    blocks: list[Block]


@dataclass(slots=True, eq=False)
class NumericFor(Stat):
    var: Param
    start: Expr
    stop: Expr
    step: Expr | None
    body: Block


@dataclass(slots=True, eq=False)
class GenericFor(Stat):
    names: list[Param]
    values: list[Expr]
    body: Block


@dataclass(slots=True, eq=False)
class Return(Stat):
    values: list[Expr]


@dataclass(slots=True, eq=False)
class Break(Stat):
    pass


@dataclass(slots=True, eq=False)
class Chunk(Node):
    """A whole file. Its body is a vararg function."""

    body: Block
    comments: list[Comment]
