"""The kind of an operator's result from the kinds of its operands.

Also says when an operand pair is proven, so that lowering and inference agree on where plain Python stands.
"""

from __future__ import annotations

from math import inf

from lua2py import tree
from lua2py.facts.contents import is_followed, size_of
from lua2py.facts.kinds import (
    ANY,
    BOOLEAN,
    FALSE,
    FLOAT,
    LENGTH,
    NOTHING,
    NUMBER,
    PLACE,
    SMALL,
    STRING,
    TRUE,
    UNBOUNDED,
    WHOLE,
    Kind,
    Range,
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


EXACT = 2**53  # doubles hold every whole number up to here
PRINTED_PLAIN = 2**46  # Lua prints whole numbers with an exponent from 1e14 on


def numbers(left: Kind, right: Kind) -> bool:
    """Whether both operands are proven numbers."""
    return left.within(NUMBER) and right.within(NUMBER)


def native(node: tree.Binary, left: Kind, right: Kind) -> bool:
    """Whether Python's operator gives Lua's number.

    An operand may be a nil that the type checker doesn't see: Python raises, and the edge tells it in Lua's words.
    """
    left, right = left.settled, right.settled
    if not numbers(left, right):
        return False
    if node.op in ("+", "-"):
        return True
    if node.op == "*":
        return multiplies(left, right)
    if node.op == "/":
        return has_divisor(node, right)
    if not left.within(WHOLE) or not right.within(
        WHOLE
    ):  # of fractions Lua rounds on the way to a remainder
        return False
    if node.op in ("%", "\\"):
        return has_divisor(node, right)
    return node.op in ("&", "|", "^^")


def multiplies(left: Kind, right: Kind) -> bool:
    """Whether every product of whole numbers is one that Lua's doubles hold, -0 among them."""
    (low, high), (least, most) = left.range, right.range
    if low <= 0 <= high and least < 0 or least <= 0 <= most and low < 0:
        return False  # 0 * -1 is -0
    return max(-low, high) <= EXACT and max(-least, most) <= EXACT and _exact(times(left, right))


def _exact(found: Range) -> bool:
    return found[0] >= -EXACT and found[1] <= EXACT


def unary_kind(op: str, operand: Kind, facts: Facts) -> Kind:
    if not operand.bits:
        return BOOLEAN if op == "not" else NOTHING
    if op == "not":
        return FALSE if operand.truthy else TRUE if operand.falsy else BOOLEAN
    if op == "#":
        if operand.within(STRING):
            return LENGTH
        if is_followed(operand):
            return PLACE.between(*size_of(operand))
        return ANY if facts.mentions("__len") else LENGTH
    if operand.within(NUMBER):
        low, high = operand.range
        return operand.between(-high, -low) if op == "-" else WHOLE.softened()
    return ANY if facts.mentions("__unm", "__not") else NUMBER.softened()


def binary_kind(node: tree.Binary, left: Kind, right: Kind, facts: Facts) -> Kind:
    kind = _binary_kind(node, left, right, facts)
    told = any(isinstance(side, tree.Nil | tree.Boolean) for side in (node.left, node.right))
    if told or node.op == "..":
        return kind
    return kind.softened() if left.soft or right.soft else kind


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
    if native(node, left, right):
        left, right = left.settled, right.settled
    if not numbers(left, right):
        if facts.mentions(EVENTS[op], "__div" if op == "\\" else ""):
            return ANY
        return (WHOLE if op in BITWISE else NUMBER).softened()
    if native(node, left, right) and (op in BITWISE or op == "\\"):
        return (SMALL if left.within(SMALL) and right.within(SMALL) else WHOLE).between(*UNBOUNDED)
    if op in BITWISE:
        return WHOLE.softened()
    if op == "/":
        return FLOAT if has_divisor(node, right) else FLOAT.softened()
    if op == "%" and not native(node, left, right):
        return NUMBER.softened()
    if op in "^\\":
        return NUMBER.softened()
    if left.equals(FLOAT) or right.equals(FLOAT):
        return FLOAT
    if op == "*" and not (
        native(node, left, right) or is_small_constant(node.left) or is_small_constant(node.right)
    ):
        return NUMBER.softened()
    if left.within(WHOLE) and right.within(WHOLE):
        return _whole(node, left, right)
    return NUMBER


def _whole(node: tree.Binary, left: Kind, right: Kind) -> Kind:
    """Whole numbers stay small where the range says so, or where they are counted up or down by a constant."""
    found = _RANGES[node.op](left, right)
    if max(-found[0], found[1]) <= PRINTED_PLAIN:
        return SMALL.between(*found)
    if node.op == "%":
        return (SMALL if right.within(SMALL) else WHOLE).between(*found)
    if node.op == "*":
        return WHOLE.between(*found) if _exact(found) else NUMBER
    literal = isinstance(node.left, tree.Number) or isinstance(node.right, tree.Number)
    counts = literal and left.within(SMALL) and right.within(SMALL)
    return (SMALL if counts else WHOLE).between(*found)


def _sum(left: Kind, right: Kind) -> Range:
    return left.range[0] + right.range[0], left.range[1] + right.range[1]


def _difference(left: Kind, right: Kind) -> Range:
    return left.range[0] - right.range[1], left.range[1] - right.range[0]


def times(left: Kind, right: Kind) -> Range:
    """The range of a product."""
    if inf in (*map(abs, left.range), *map(abs, right.range)):
        return UNBOUNDED
    corners = [one * other for one in left.range for other in right.range]
    return min(corners), max(corners)


def _remainder(left: Kind, right: Kind) -> Range:
    """Between zero and the divisor, whose sign it has."""
    return min(right.range[0] + 1, 0), max(right.range[1] - 1, 0)


_RANGES = {"+": _sum, "-": _difference, "*": times, "%": _remainder}


def counted(kind: Kind, start: Kind, stop: Kind, step: Kind) -> Kind:
    """A numeric `for`'s counter, between its bounds."""
    if not stop.within(WHOLE):
        return kind.between(*UNBOUNDED)
    low, high = min(start.range[0], stop.range[0]), max(start.range[1], stop.range[1])
    if step.range[0] > 0:
        low = start.range[0]
    elif step.range[1] < 0:
        high = start.range[1]
    return kind.between(low, high)


def has_divisor(node: tree.Binary, right: Kind) -> bool:
    """Whether the divisor is surely not zero: Python raises where Lua answers inf or nan."""
    if isinstance(node.right, tree.Number):
        return node.right.value != 0
    return right.within(WHOLE) and (right.range[0] > 0 or right.range[1] < 0)


def is_small_constant(node: tree.Expr) -> bool:
    """A literal whole factor that can't carry an ordinary count past 2^53."""
    return isinstance(node, tree.Number) and isinstance(node.value, int) and 0 < node.value <= 2**20
