"""The walk that binds names: Lua's scope rules, one method for each construct that has one.

A local begins after its statement, a local function before its body, loop variables inside the body; the test of
`repeat` sees the body's locals; a vararg function has a local `arg`. Recursion ends with Lua's 200 levels of
blocks and functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from lua2py import tree
from lua2py.scopes.symbols import ARG, GLOBAL, LOCAL, LOOP, PARAM, Owner, Scopes, Symbol
from lua2py.walk import children, index


class Binder:
    def __init__(self, chunk: tree.Chunk) -> None:
        self.found = Scopes(chunk, index(chunk))
        self.scopes: list[dict[str, Symbol]] = []
        self.owner: Owner = chunk
        self.loop: tree.Stat | None = None

    def run(self) -> Scopes:
        chunk = self.found.chunk
        self.found.parents[chunk] = None
        self.found.free[chunk] = set()
        self.block(chunk.body)
        return self.found

    # --- declarations and uses ---

    def declare(self, param: tree.Param, kind: str, block: tree.Block | None = None) -> None:
        symbol = Symbol(param.id, kind, self.owner, param, block, self.loop, self.visible(param.id))
        self.found.symbols[param] = symbol
        self.found.locals.append(symbol)
        self.scopes[-1][param.id] = symbol

    def visible(self, name: str) -> Symbol | None:
        return next((scope[name] for scope in reversed(self.scopes) if name in scope), None)

    def use(self, name: tree.Name, *, write: bool = False) -> None:
        symbol = self.visible(name.id)
        if symbol is None:
            symbol = self.found.globals.setdefault(name.id, Symbol(name.id, GLOBAL, None, None))
        self.found.symbols[name] = symbol
        self.found.owner_of[name] = self.owner
        self.found.loop_of[name] = self.loop
        (symbol.writes if write else symbol.reads).append(name)
        if write:
            self.found.written.setdefault(self.owner, {})[symbol] = None
        owner: Owner | None = self.owner
        while symbol.owner is not None and owner is not symbol.owner:
            assert isinstance(owner, tree.Function)
            symbol.captured_by.add(owner)
            self.found.free[owner].add(symbol)
            owner = self.found.parents[owner]

    # --- statements ---

    def block(self, block: tree.Block, loop_names: Iterable[tree.Param] = ()) -> None:
        self.scopes.append({})
        for param in loop_names:
            self.declare(param, LOOP, block)
        self.statements(block)
        self.scopes.pop()

    def statements(self, block: tree.Block) -> None:
        for statement in block.body:
            rule = STATEMENTS.get(type(statement))
            if rule is not None:
                rule(self, statement, block)
            else:
                self.all_of(statement)

    def all_of(self, node: tree.Stat) -> None:
        """A statement that declares nothing itself."""
        for child in children(node):
            if isinstance(child, tree.Block):
                self.block(child)
            else:
                assert isinstance(child, tree.Expr)
                self.expression(child)

    def local(self, node: tree.Local, block: tree.Block) -> None:
        self.expressions(node.values)
        for param in node.names:
            self.declare(param, LOCAL, block)

    def local_function(self, node: tree.LocalFunction, block: tree.Block) -> None:
        self.declare(node.name, LOCAL, block)
        self.function(node.function)

    def assign(self, node: tree.Assign, _block: tree.Block) -> None:
        for target in node.targets:
            self.target(target)
        self.expressions(node.values)

    def function_stat(self, node: tree.FunctionStat, _block: tree.Block) -> None:
        self.target(node.target)
        self.function(node.function)

    def target(self, target: tree.Expr) -> None:
        if isinstance(target, tree.Name):
            self.use(target, write=True)
        else:
            self.expression(target)

    def while_(self, node: tree.While, _block: tree.Block) -> None:
        def turn() -> None:
            self.expression(node.test)
            self.block(node.body)

        self.turns(node, turn)

    def numeric_for(self, node: tree.NumericFor, _block: tree.Block) -> None:
        self.expressions([node.start, node.stop, *([node.step] if node.step else [])])
        self.turns(node, lambda: self.block(node.body, [node.var]))

    def generic_for(self, node: tree.GenericFor, _block: tree.Block) -> None:
        self.expressions(node.values)
        self.turns(node, lambda: self.block(node.body, node.names))

    def repeat(self, node: tree.Repeat, _block: tree.Block) -> None:
        def turn() -> None:
            self.scopes.append({})
            self.statements(node.body)
            self.expression(node.test)
            self.scopes.pop()

        self.turns(node, turn)

    def turns(self, loop: tree.Stat, walk: Callable[[], None]) -> None:
        outer, self.loop = self.loop, loop
        walk()
        self.loop = outer

    # --- expressions ---

    def expressions(self, nodes: Iterable[tree.Expr]) -> None:
        for node in nodes:
            self.expression(node)

    def expression(self, node: tree.Expr) -> None:
        # Chains (`a + b + ...`, `f(1)(2)...`) may be longer than Python can recurse.
        stack: list[tree.Node] = [node]
        called = []
        while stack:
            one = stack.pop()
            if isinstance(one, tree.Name):
                self.use(one)
            elif isinstance(one, tree.Function):
                self.function(one)
            elif isinstance(one, tree.Vararg):
                self.found.spreading.add(self.owner)
            else:
                stack += reversed(children(one))
                if isinstance(one, tree.Call) and isinstance(one.function, tree.Name):
                    called.append(one.function)
        for name in called:
            self.found.symbols[name].callees.add(name)

    def function(self, node: tree.Function) -> None:
        found = self.found
        found.parents[node] = self.owner
        found.free[node] = set()
        found.functions.append(node)
        found.loops[node] = self.loop
        outer = self.owner, self.loop
        self.owner, self.loop = node, None
        self.scopes.append({})
        for param in node.params:
            self.declare(param, PARAM, node.body)
        if node.vararg:
            symbol = Symbol("arg", ARG, node, None, node.body, shadows=self.visible("arg"))
            self.scopes[-1]["arg"] = self.found.args[node] = symbol
        self.block(node.body)
        self.scopes.pop()
        self.owner, self.loop = outer


STATEMENTS: dict[type[tree.Stat], Callable[[Binder, Any, tree.Block], None]] = {
    tree.Local: Binder.local,
    tree.LocalFunction: Binder.local_function,
    tree.Assign: Binder.assign,
    tree.FunctionStat: Binder.function_stat,
    tree.While: Binder.while_,
    tree.NumericFor: Binder.numeric_for,
    tree.GenericFor: Binder.generic_for,
    tree.Repeat: Binder.repeat,
}
