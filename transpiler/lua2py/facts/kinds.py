"""What kinds of value an expression can have: a small lattice, joined at every merge of control flow.

A kind is a set of Lua types. Numbers are told apart because Python prints and indexes by them: `SMALL` is an
integer that only ever counts things (a length, a position, a literal), so it stays far below 1e14, where Lua begins
to print exponents; `INT` is any other whole number; `FLOAT` may have a fraction. Knows nothing of the tree.
"""

from __future__ import annotations

from dataclasses import dataclass

_NIL, _FALSE, _TRUE, _SMALL, _INT, _FLOAT, _STRING, _TABLE, _FUNCTION, _USERDATA, _THREAD = (
    1 << place for place in range(11)
)
_ALL = (1 << 11) - 1
_BOOLEAN = _FALSE | _TRUE
_WHOLE = _SMALL | _INT
_NUMBER = _WHOLE | _FLOAT


@dataclass(frozen=True, slots=True)
class Kind:
    """A set of Lua types; `classes` names the userdata classes of `msys` when they are all known.

    elements: the types of what a table holds, when they are known; nil is always possible besides.
    soft: a helper makes it, so that Python's type checker sees `Any` where we know better.
    """

    bits: int
    classes: frozenset[str] = frozenset()
    soft: bool = False
    elements: int = 0

    def __or__(self, other: Kind) -> Kind:
        if self == other:
            return self
        return Kind(
            self.bits | other.bits,
            _join_classes(self, other),
            self.soft or other.soft,
            _join_elements(self, other),
        )

    def softened(self) -> Kind:
        """The same kind, made by a helper."""
        return Kind(self.bits, self.classes, True, self.elements)

    def of(self, elements: Kind) -> Kind:
        """A table whose values are of these kinds."""
        known = elements.bits & ~_NIL
        return Kind(self.bits, self.classes, self.soft, 0 if known & _USERDATA else known)

    def forgetful(self) -> Kind:
        """The same, with nothing known of what tables hold: somebody else may store into them."""
        return Kind(self.bits, self.classes, self.soft) if self.elements else self

    @property
    def element(self) -> Kind | None:
        """What indexing a table of this kind gives, when that is known."""
        return Kind(self.elements | _NIL, soft=True) if self.elements else None

    def within(self, other: Kind) -> bool:
        """Whether every value of this kind is one of the other's types; the kind of no value is not."""
        return self.bits != 0 and not self.bits & ~other.bits

    def meets(self, other: Kind) -> bool:
        """Whether some value can be of both."""
        return bool(self.bits & other.bits)

    def without(self, other: Kind) -> Kind:
        """This kind after a test has ruled the other's types out."""
        return self._kept(self.bits & ~other.bits)

    def only(self, other: Kind) -> Kind:
        """This kind after a test has left the other's types alone."""
        return self._kept(self.bits & other.bits)

    def _kept(self, bits: int) -> Kind:
        classes = self.classes if bits & _USERDATA else frozenset[str]()
        return Kind(bits, classes, self.soft, self.elements if bits & _TABLE else 0)

    @property
    def truthy(self) -> bool:
        """Never nil or false."""
        return self.bits != 0 and not self.bits & (_NIL | _FALSE)

    @property
    def falsy(self) -> bool:
        """Always nil or false."""
        return self.bits != 0 and not self.bits & ~(_NIL | _FALSE)

    def equals(self, other: Kind) -> bool:
        """Whether the types are the very same."""
        return self.bits == other.bits

    @property
    def userdata_class(self) -> str:
        """The one class of `msys` it is an instance of (nil aside), or empty."""
        if self.bits & ~_NIL == _USERDATA and len(self.classes) == 1:
            return next(iter(self.classes))
        return ""


def _join_elements(one: Kind, other: Kind) -> int:
    if not one.bits & _TABLE:
        return other.elements
    if not other.bits & _TABLE:
        return one.elements
    return one.elements | other.elements if one.elements and other.elements else 0


def _join_classes(one: Kind, other: Kind) -> frozenset[str]:
    if not one.bits & _USERDATA:
        return other.classes
    if not other.bits & _USERDATA:
        return one.classes
    if not one.classes or not other.classes:
        return frozenset()
    return one.classes | other.classes


def userdata(name: str = "") -> Kind:
    """Userdata, of the named class of `msys` when there is one."""
    return Kind(_USERDATA, frozenset((name,)) if name else frozenset())


NOTHING = Kind(0)  # of an expression that no run reaches
NIL = Kind(_NIL)
FALSE = Kind(_FALSE)
TRUE = Kind(_TRUE)
BOOLEAN = Kind(_BOOLEAN)
SMALL = Kind(_SMALL)
WHOLE = Kind(_WHOLE)
FLOAT = Kind(_FLOAT)
NUMBER = Kind(_NUMBER)
STRING = Kind(_STRING)
TABLE = Kind(_TABLE)
FUNCTION = Kind(_FUNCTION)
USERDATA = Kind(_USERDATA)
THREAD = Kind(_THREAD)
ANY = Kind(_ALL)

FALSY = NIL | FALSE
TRUTHY = ANY.without(FALSY)
SCALAR = NUMBER | STRING  # what `..` takes

# The words of the catalogue's `results` column; any other word is a userdata class.
_WORDS = {
    "string": STRING,
    "number": NUMBER,
    "small": SMALL,
    "whole": WHOLE,
    "float": FLOAT,
    "boolean": BOOLEAN,
    "true": TRUE,
    "table": TABLE,
    "table<string>": TABLE.of(STRING),
    "function": FUNCTION,
    "thread": THREAD,
    "userdata": USERDATA,
    "nil": NIL,
    "any": ANY,
}


def of_words(words: tuple[str, ...], optional: bool = False) -> Kind:
    """The kind that a cell of the catalogue means."""
    kind = NIL if optional else NOTHING
    for word in words:
        kind |= _WORDS[word] if word in _WORDS else userdata(word)
    return kind


# Python's name for each type, in the order in which a union lists them. A whole number is an int; where a
# float may come too, `float` covers both.
_NAMES = (
    (_TABLE, "Table"),
    (_FUNCTION, "Callable[..., Any]"),
    (_THREAD, "Coroutine"),
    (_STRING, "str"),
    (_FLOAT, "float"),
    (_WHOLE, "int"),
    (_BOOLEAN, "bool"),
)


def annotation(kind: Kind) -> str:
    """The Python type of a kind: `str | None`, `msys.Message`, `Any`."""
    if kind.bits in (_ALL, 0) or (kind.bits & _USERDATA and not kind.classes):
        return "Any"
    names = [f"msys.{name}" for name in sorted(kind.classes)]
    for bits, name in _NAMES:
        if kind.bits & bits and not (name == "int" and "float" in names):
            names.append(name)
    if len(names) > 3:
        return "Any"
    if kind.bits & _NIL:
        names.append("None")
    return " | ".join(names)
