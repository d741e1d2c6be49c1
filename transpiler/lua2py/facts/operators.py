"""The kind of an operator's result from the kinds of its operands.

Also says when an operand pair is proven, so that lowering and inference agree on where plain Python stands.
"""

from __future__ import annotations

from lua2py import tree
from lua2py.facts.kinds import (
    ANY,
    BOOLEAN,
    FALSE,
    FLOAT,
    NIL,
    NOTHING,
    NUMBER,
    SMALL,
    STRING,
    TRUE,
    WHOLE,
    Kind,
)
from lua2py.facts.kinds import SCALAR as CONCATENABLE
from lua2py.facts.store import Facts

ARITHMETIC = frozenset("+ - * / % ^ \\".split())
BITWISE = frozenset("& | ^^ << >>".split())
COMPARISON = frozenset("== ~= < <= > >=".split())

# The metamethod that could make an operator answer something else.
EVENTS = {
    "+": "__add",
    "-": "__sub",
    "*": "__mul",
    "/": "__div",
    "%": "__mod",
    "^": "__pow",
    "\\": "__intdiv",
    "&": "__and",
    "|": "__or",
    "^^": "__xor",
    "<<": "__shl",
    ">>": "__shr",
    "..": "__concat",
}


def numbers(left: Kind, right: Kind) -> bool:
    """Whether both operands are proven numbers."""
    return left.within(NUMBER) and right.within(NUMBER)


def native(node: tree.Binary, left: Kind, right: Kind) -> bool:
    """Whether Python's operator gives Lua's number (`*` apart, where the size of the product matters).

    With + and - an operand of which the type checker knows nothing may be nil: Python raises, and the edge tells
    it in Lua's words.
    """
    if node.op in ("+", "-"):
        return _adds(left) and _adds(right)
    if not numbers(left, right):
        return False
    if node.op == "/":
        return has_divisor(node)
    if node.op == "%":  # of fractions Lua rounds on the way, and Python does not
        return has_divisor(node) and left.within(WHOLE) and right.within(WHOLE)
    if node.op in ("&", "|", "^^"):
        return left.within(WHOLE) and right.within(WHOLE)
    return node.op == "\\" and has_divisor(node) and left.within(WHOLE) and right.within(WHOLE)


def _adds(kind: Kind) -> bool:
    return kind.within(NUMBER) or (kind.soft and kind.without(NIL).within(NUMBER))


def unary_kind(op: str, operand: Kind, facts: Facts) -> Kind:
    if not operand.bits:
        return BOOLEAN if op == "not" else NOTHING
    if op == "not":
        return FALSE if operand.truthy else TRUE if operand.falsy else BOOLEAN
    if op == "#":
        if operand.within(STRING):
            return SMALL
        return ANY if facts.mentions("__len") else SMALL
    if operand.within(NUMBER):
        return operand if op == "-" else WHOLE.softened()
    return ANY if facts.mentions("__unm", "__not") else NUMBER.softened()


def binary_kind(node: tree.Binary, left: Kind, right: Kind, facts: Facts) -> Kind:
    kind = _binary_kind(node, left, right, facts)
    arithmetic = node.op not in COMPARISON and node.op != ".."
    return kind.softened() if arithmetic and (left.soft or right.soft) else kind


def _binary_kind(node: tree.Binary, left: Kind, right: Kind, facts: Facts) -> Kind:
    op = node.op
    if op in COMPARISON:
        return BOOLEAN
    if not left.bits or not right.bits:
        return NOTHING
    if op == "..":
        if left.within(CONCATENABLE) and right.within(CONCATENABLE):
            return STRING
        return ANY if facts.mentions("__concat") else STRING
    if not numbers(left, right) and native(node, left, right):
        left, right = left.without(NIL).softened(), right.without(NIL).softened()
    if not numbers(left, right):
        if facts.mentions(EVENTS[op], "__div" if op == "\\" else ""):
            return ANY
        return (WHOLE if op in BITWISE else NUMBER).softened()
    if native(node, left, right) and (op in BITWISE or op == "\\"):
        return SMALL if left.within(SMALL) and right.within(SMALL) else WHOLE
    if op in BITWISE:
        return WHOLE.softened()
    if op == "/":
        return FLOAT if has_divisor(node) else FLOAT.softened()
    if op == "%" and not native(node, left, right):
        return NUMBER.softened()
    if op in "^\\":
        return NUMBER.softened()
    if left.equals(FLOAT) or right.equals(FLOAT):
        return FLOAT
    if op == "*" and not (is_small_constant(node.left) or is_small_constant(node.right)):
        return NUMBER.softened()
    if left.within(WHOLE) and right.within(WHOLE):
        return _whole(node, left, right)
    return NUMBER


def _whole(node: tree.Binary, left: Kind, right: Kind) -> Kind:
    """Whole numbers stay small only where they are counted up or down by a constant."""
    if node.op == "%":
        return SMALL if right.within(SMALL) else WHOLE
    if node.op == "*":
        return NUMBER
    if (
        left.within(SMALL)
        and right.within(SMALL)
        and tree.Number in (type(node.left), type(node.right))
    ):
        return SMALL
    return WHOLE


def has_divisor(node: tree.Binary) -> bool:
    """Whether the divisor is a literal that is not zero: Python raises where Lua answers inf or nan."""
    return isinstance(node.right, tree.Number) and node.right.value != 0


def is_small_constant(node: tree.Expr) -> bool:
    """A literal whole factor that can't carry an ordinary count past 2^53."""
    return (
        isinstance(node, tree.Number) and isinstance(node.value, int) and abs(node.value) <= 2**20
    )
