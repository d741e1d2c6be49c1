"""What kinds of value an expression can have: a small lattice, joined at every merge of control flow.

A kind is a set of Lua types. Numbers are told apart because Python prints and indexes by them: `SMALL` is an
integer that only ever counts things (a length, a position, a literal), so it stays far below 1e14, where Lua begins
to print exponents; `INT` is any other whole number; `FLOAT` may have a fraction. Tables are told apart by the site
where they are made. Knows nothing of the tree.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

_FLAGS = tuple(1 << place for place in range(12))
(
    _NIL,
    _ABSENT,
    _FALSE,
    _TRUE,
    _SMALL,
    _INT,
    _FLOAT,
    _STRING,
    _TABLE,
    _FUNCTION,
    _USERDATA,
    _THREAD,
) = _FLAGS
_ALL = (1 << 12) - 1
_ANY_NIL = _NIL | _ABSENT
_BOOLEAN = _FALSE | _TRUE
_WHOLE = _SMALL | _INT
_NUMBER = _WHOLE | _FLOAT

Range = tuple[float, float]
NO_RANGE: Range = (0, 0)  # of a kind without whole numbers
UNBOUNDED: Range = (-inf, inf)
_STEP = 2**20  # where ranges that grow are rounded to: two such factors are far from 2^53


@dataclass(frozen=True, slots=True)
class Kind:
    """A set of Lua types; `classes` names the userdata classes of `msys` when they are all known.

    sites: where its tables are made. range: what its whole numbers lie between.
    soft: a helper makes it, so that Python's type checker sees `Any` where we know better.
    """

    bits: int
    classes: frozenset[str] = frozenset()
    soft: bool = False
    sites: frozenset[Site] = frozenset()
    range: Range = NO_RANGE

    def __or__(self, other: Kind) -> Kind:
        if self is other or self == other:
            return self
        return Kind(
            self.bits | other.bits,
            _join_classes(self, other),
            self.soft or other.soft,
            self.sites | other.sites,
            _join_ranges(self, other),
        )

    def softened(self) -> Kind:
        """The same kind, made by a helper."""
        return self if self.soft else Kind(self.bits, self.classes, True, self.sites, self.range)

    def annotated(self) -> Kind:
        """The same kind under a name whose type the generated text says."""
        return Kind(self.bits, self.classes, False, self.sites, self.range)

    def made_at(self, sites: frozenset[Site]) -> Kind:
        """The same, with its tables made there."""
        return Kind(self.bits, self.classes, self.soft, sites, self.range)

    def between(self, low: float, high: float) -> Kind:
        """The same, with its whole numbers in that range."""
        return Kind(self.bits, self.classes, self.soft, self.sites, (low, high))

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
        if bits == self.bits:
            return self
        return Kind(
            bits,
            self.classes if bits & _USERDATA else frozenset(),
            self.soft,
            self.sites if bits & _TABLE else frozenset(),
            self.range if bits & _WHOLE else NO_RANGE,
        )

    @property
    def truthy(self) -> bool:
        """Never nil or false."""
        return self.bits != 0 and not self.bits & (_ANY_NIL | _FALSE)

    @property
    def falsy(self) -> bool:
        """Always nil or false."""
        return self.bits != 0 and not self.bits & ~(_ANY_NIL | _FALSE)

    @property
    def unseen_nil(self) -> bool:
        """Whether nil is possible, and the type checker sees no `None`: Python raises where Lua would, and runs on."""
        return bool(self.bits & _ANY_NIL) and (self.soft or not self.bits & _NIL)

    @property
    def settled(self) -> Kind:
        """Without the nil that no type checker sees: for operators at which Python raises as Lua does."""
        return self.without(NIL).softened() if self.unseen_nil else self

    def equals(self, other: Kind) -> bool:
        """Whether the types are the very same."""
        return self.bits == other.bits

    @property
    def userdata_class(self) -> str:
        """The one class of `msys` it is an instance of (nil aside), or empty."""
        if self.bits & ~_ANY_NIL == _USERDATA and len(self.classes) == 1:
            return next(iter(self.classes))
        return ""


@dataclass(eq=False, slots=True)
class Site:
    """A place where tables are made, and what all of them hold over the whole run.

    fields: by string constants. values, keys: of everything else. escaped: others can reach such a table and store
    anything, so that nothing is known. ordered: its keys are 1 to n, stored in that order, without nil.
    """

    fields: dict[str, Kind] = field(default_factory=dict)
    given: frozenset[str] = frozenset()  # fields that every table is made with
    keys: Kind = Kind(0)
    values: Kind = Kind(0)
    escaped: bool = False
    ordered: bool = False
    changed: bool = False  # something is stored or taken out after it is made
    shrinks: bool = False  # elements are taken out
    as_list: bool = False  # generated Python keeps it as a list of its own
    size: int = 0  # elements that it is made with, when `ordered`

    @property
    def everything(self) -> Kind:
        """What any of its keys can give."""
        found = self.values
        for kind in self.fields.values():
            found |= kind
        return found


STRANGE = Site(escaped=True)  # where tables are made that this chunk knows nothing of


def _join_classes(one: Kind, other: Kind) -> frozenset[str]:
    if not one.bits & _USERDATA:
        return other.classes
    if not other.bits & _USERDATA:
        return one.classes
    if not one.classes or not other.classes:
        return frozenset()
    return one.classes | other.classes


def _join_ranges(one: Kind, other: Kind) -> Range:
    """A range that holds both, rounded outwards so that counting in a loop soon comes to an end."""
    if one.range == other.range or not other.bits & _WHOLE:
        return one.range
    if not one.bits & _WHOLE:
        return other.range
    low, high = min(one.range[0], other.range[0]), max(one.range[1], other.range[1])
    return (
        0 if low >= 0 else -_STEP if low >= -_STEP else -inf,
        _STEP if high <= _STEP else inf,
    )


def userdata(name: str = "") -> Kind:
    """Userdata, of the named class of `msys` when there is one."""
    return Kind(_USERDATA, frozenset((name,)) if name else frozenset())


NOTHING = Kind(0)  # of an expression that no run reaches
NIL = Kind(_ANY_NIL)
ABSENT = Kind(_ABSENT)  # the nil of a key that a table has not got: Python's type checker sees none
FALSE = Kind(_FALSE)
TRUE = Kind(_TRUE)
BOOLEAN = Kind(_BOOLEAN)
SMALL = Kind(_SMALL, range=UNBOUNDED)
PLACE = SMALL.between(1, 2**32)  # in a table: none holds more
LENGTH = SMALL.between(0, 2**40)  # octets
WHOLE = Kind(_WHOLE, range=UNBOUNDED)
FLOAT = Kind(_FLOAT)
NUMBER = Kind(_NUMBER, range=UNBOUNDED)
STRING = Kind(_STRING)
TABLE = Kind(_TABLE, sites=frozenset((STRANGE,)))
FUNCTION = Kind(_FUNCTION)
USERDATA = Kind(_USERDATA)
THREAD = Kind(_THREAD)
ANY = Kind(_ALL, sites=frozenset((STRANGE,)), range=UNBOUNDED)

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
    "table<string>": Kind(_TABLE, sites=frozenset((Site(values=STRING, keys=SMALL | STRING),))),
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
    if (
        kind.bits | _ABSENT == _ALL
        or kind.bits in (0, _ABSENT)
        or (kind.bits & _USERDATA and not kind.classes)
    ):
        return "Any"
    names = [f"msys.{name}" for name in sorted(kind.classes)]
    for bits, name in _NAMES:
        if bits == _TABLE and kind.sites and all(site.as_list for site in kind.sites):
            name = f"list[{_element(kind)}]"
        if kind.bits & bits and not (name == "int" and "float" in names):
            names.append(name)
    if len(names) > 3:
        return "Any"
    if kind.bits & _NIL:
        names.append("None")
    return " | ".join(names)


def _element(kind: Kind) -> str:
    """The Python type of what a list holds."""
    found = NOTHING
    for site in kind.sites:
        found |= site.values
    return "list[Any]" if any(site.as_list for site in found.sites) else annotation(found)
