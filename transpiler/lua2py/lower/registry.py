"""One function per construct: the table that lowering goes by.

A second function for a node type, or a node type without one, fails at import.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from lua2py import tree

if TYPE_CHECKING:
    from lua2py.lower.context import Context

ExpressionRule = Callable[["Context", Any], ast.expr]
StatementRule = Callable[["Context", Any], list[ast.stmt]]
Rule = TypeVar("Rule", bound=Callable[..., Any])

EXPRESSIONS: dict[type[tree.Expr], ExpressionRule] = {}
STATEMENTS: dict[type[tree.Stat], StatementRule] = {}


def lowers(node: type[tree.Node]) -> Callable[[Rule], Rule]:
    """Declare the function that lowers one type of node."""

    def declare(rule: Rule) -> Rule:
        rules: dict[Any, Any] = EXPRESSIONS if issubclass(node, tree.Expr) else STATEMENTS
        if node in rules:
            raise ValueError(
                f"{node.__name__} is lowered by {rules[node].__name__} and by {rule.__name__}"
            )
        rules[node] = rule
        return rule

    return declare


PARTS = frozenset({"Param", "Block", "Field"})  # lowered by the constructs they belong to


def check_complete() -> None:
    """Every construct of the tree has its function."""
    missing = [
        kind.__name__
        for kind in vars(tree).values()
        if isinstance(kind, type)
        and issubclass(kind, tree.Expr | tree.Stat)
        and kind not in (tree.Expr, tree.Stat)
        and kind.__name__ not in PARTS
        and kind not in EXPRESSIONS
        and kind not in STATEMENTS
    ]
    if missing:
        raise ValueError(f"nothing lowers {', '.join(missing)}")
