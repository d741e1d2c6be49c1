"""Which declaration each name means, and every place where it is read or written.

What lowering asks of a name goes further than what `check` asks: whether a closure made inside a loop sees it, which
statement is its only assignment, whether every use is a call. Knows nothing of kinds or of Python.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from lua2py import tree

Owner = tree.Function | tree.Chunk


@dataclass(eq=False, slots=True)
class Symbol:
    """A local, a parameter or (owner None) a global."""

    name: str
    owner: Owner | None
    declaration: tree.Param | None
    loop: tree.Stat | None = (
        None  # the innermost loop, in the owner, whose every turn declares it anew
    )
    block: tree.Block | None = None
    is_param: bool = False
    reads: list[tree.Name] = field(default_factory=list)
    writes: list[tree.Name] = field(default_factory=list)  # assignments after the declaration
    captured: bool = False  # a function inside the owner uses it
    callees: set[tree.Name] = field(default_factory=set)  # reads that are what a call calls

    @property
    def is_global(self) -> bool:
        return self.owner is None

    @property
    def only_called(self) -> bool:
        return all(read in self.callees for read in self.reads)


@dataclass(eq=False, slots=True)
class Bindings:
    """The result for one chunk."""

    chunk: tree.Chunk
    symbols: dict[tree.Node, Symbol] = field(default_factory=dict)  # by Name and Param
    locals: list[Symbol] = field(default_factory=list)
    globals: dict[str, Symbol] = field(default_factory=dict)
    parents: dict[Owner, Owner | None] = field(default_factory=dict)
    functions: list[tree.Function] = field(default_factory=list)  # outermost first, in source order
    owner_of: dict[tree.Node, Owner] = field(default_factory=dict)  # of each Name use
    loop_of: dict[tree.Node, tree.Stat | None] = field(
        default_factory=dict
    )  # innermost loop of each Name use
    free: dict[Owner, set[Symbol]] = field(
        default_factory=dict
    )  # outer locals that it or its inner functions use
    top_level: dict[tree.Stat, int] = field(
        default_factory=dict
    )  # place of each statement of the main block
    loops: dict[tree.Function, tree.Stat | None] = field(
        default_factory=dict
    )  # innermost loop each is made in

    def of(self, node: tree.Name | tree.Param) -> Symbol:
        return self.symbols[node]


class _Binder:
    def __init__(self, chunk: tree.Chunk) -> None:
        self.found = Bindings(chunk)
        self.scopes: list[dict[str, Symbol]] = []
        self.owner: Owner = chunk
        self.loop: tree.Stat | None = None
        self.found.parents[chunk] = None
        self.found.free[chunk] = set()

    # --- declarations and uses --------------------------------------------------------------------------

    def declare(
        self, param: tree.Param, block: tree.Block | None, is_param: bool = False
    ) -> Symbol:
        symbol = Symbol(param.id, self.owner, param, self.loop, block, is_param)
        self.found.symbols[param] = symbol
        self.found.locals.append(symbol)
        self.scopes[-1][param.id] = symbol
        return symbol

    def use(self, name: tree.Name, write: bool) -> None:
        symbol = next((scope[name.id] for scope in reversed(self.scopes) if name.id in scope), None)
        if symbol is None:
            symbol = self.found.globals.setdefault(name.id, Symbol(name.id, None, None))
        self.found.symbols[name] = symbol
        self.found.owner_of[name] = self.owner
        self.found.loop_of[name] = self.loop
        (symbol.writes if write else symbol.reads).append(name)
        owner: Owner | None = self.owner
        while symbol.owner is not None and owner is not None and owner is not symbol.owner:
            symbol.captured = True
            self.found.free[owner].add(symbol)
            owner = self.found.parents[owner]

    # --- walking ------------------------------------------------------------------------------------------

    def block(self, block: tree.Block, declare: list[tree.Param] | None = None) -> None:
        self.scopes.append({})
        for param in declare or ():
            self.declare(param, block)
        for statement in block.body:
            self.statement(statement, block)
        self.scopes.pop()

    def statement(self, node: tree.Stat, block: tree.Block) -> None:
        match node:
            case tree.Local(names=names, values=values):
                self.expressions(values)
                for param in names:
                    self.declare(param, block)
            case tree.Assign(targets=targets, values=values):
                for target in targets:
                    self.target(target)
                self.expressions(values)
            case tree.LocalFunction(name=name, function=function):
                self.declare(name, block)
                self.function(function)
            case tree.FunctionStat(target=target, function=function):
                self.target(target)
                self.function(function)
            case tree.CallStat(call=call):
                self.expression(call)
            case tree.Do(body=body):
                self.block(body)
            case tree.If(tests=tests, blocks=blocks):
                self.expressions(tests)
                for inner in blocks:
                    self.block(inner)
            case tree.Return(values=values):
                self.expressions(values)
            case tree.NumericFor(var=var, start=start, stop=stop, step=step, body=body):
                self.expressions([start, stop, *([step] if step else [])])
                self.turn(node, lambda: self.block(body, [var]))
            case tree.GenericFor(names=names, values=values, body=body):
                self.expressions(values)
                self.turn(node, lambda: self.block(body, names))
            case tree.While(test=test, body=body):
                self.turn(node, lambda: self.while_(test, body))
            case tree.Repeat(body=body, test=test):
                self.turn(node, lambda: self.repeat(body, test))

    def turn(self, loop: tree.Stat, walk: Callable[[], object]) -> None:
        outer, self.loop = self.loop, loop
        walk()
        self.loop = outer

    def while_(self, test: tree.Expr, body: tree.Block) -> None:
        self.expression(test)
        self.block(body)

    def repeat(self, body: tree.Block, test: tree.Expr) -> None:
        self.scopes.append({})
        for statement in body.body:
            self.statement(statement, body)
        self.expression(test)
        self.scopes.pop()

    def target(self, target: tree.Expr) -> None:
        if isinstance(target, tree.Name):
            self.use(target, write=True)
        else:
            self.expression(target)

    def expressions(self, nodes: list[tree.Expr]) -> None:
        for node in nodes:
            self.expression(node)

    def expression(self, node: tree.Expr) -> None:
        match node:
            case tree.Name():
                self.use(node, write=False)
            case tree.Index(object=object_, key=key):
                self.expressions([object_, key])
            case tree.Call(function=function, args=args):
                self.expressions([function, *args])
                if isinstance(function, tree.Name):
                    self.found.symbols[function].callees.add(function)
            case tree.Invoke(object=object_, args=args):
                self.expressions([object_, *args])
            case tree.Function():
                self.function(node)
            case tree.Unary(operand=operand):
                self.expression(operand)
            case tree.Binary(left=left, right=right):
                # A chain of operators is as deep as it is long: walk down its left side without recursion.
                chain = [right]
                while isinstance(left, tree.Binary):
                    chain.append(left.right)
                    left = left.left
                self.expressions([left, *reversed(chain)])
            case tree.Paren(inner=inner):
                self.expression(inner)
            case tree.TableConstructor(fields=fields):
                for entry in fields:
                    if entry.key is not None:
                        self.expression(entry.key)
                    self.expression(entry.value)

    def function(self, node: tree.Function) -> None:
        self.found.parents[node] = self.owner
        self.found.free[node] = set()
        self.found.functions.append(node)
        self.found.loops[node] = self.loop
        outer, loop = self.owner, self.loop
        self.owner, self.loop = node, None
        self.scopes.append({})
        for param in node.params:
            self.declare(param, node.body, is_param=True)
        self.block(node.body)
        self.scopes.pop()
        self.owner, self.loop = outer, loop


def bind(chunk: tree.Chunk) -> Bindings:
    """Bind every name of a chunk."""
    binder = _Binder(chunk)
    binder.block(chunk.body)
    binder.found.top_level = {statement: place for place, statement in enumerate(chunk.body.body)}
    return binder.found
