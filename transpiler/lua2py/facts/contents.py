"""What tables hold: every table that this chunk makes and keeps to itself, followed by the place where it is made.

A table is followed through locals, fields of other followed tables, and calls of functions whose calls are all seen.
Where it reaches anybody else (an unknown function, a shared global, a metatable) it escapes, and nothing is known of
it nor of what it holds. The order of stores does not count: a site holds whatever is stored at any time.
"""

from __future__ import annotations

from lua2py import tree
from lua2py.facts.kinds import (
    ABSENT,
    ANY,
    BOOLEAN,
    NIL,
    NOTHING,
    NUMBER,
    PLACE,
    STRANGE,
    STRING,
    TABLE,
    WHOLE,
    Kind,
    Range,
    Site,
)

# Library functions that look at a table and keep nothing of it, nor hand out what it holds.
LOOKING = frozenset(
    "print tostring tonumber type rawequal table.concat table.getn table.maxn string.byte string.char string.find "
    "string.format string.gmatch string.gfind string.gsub string.len string.lower string.match string.rep "
    "string.reverse string.sub string.upper math.floor math.ceil math.max math.min math.abs".split()
)
# Those that hand out what a table holds, but not the table.
HANDING_OUT = frozenset({"next", "unpack", "rawget"})

Place = tuple[tree.Node, int]  # a constructor or a call, and which of its results


class Contents:
    """The sites of one chunk. `changes` counts what was learnt, so that the passes know when they are done."""

    def __init__(self, sites: dict[Place, Site], lists: set[tree.Node]) -> None:
        self.sites = sites
        self.lists = lists  # constructors of Python's own lists, as far as is known
        self.changes = 0

    # --- making -------------------------------------------------------------------------------------------

    def constructed(
        self, node: tree.TableConstructor, entries: list[tuple[tree.Field, Kind, Kind | None]]
    ) -> Kind:
        """The kind of a constructor. entries: its fields, the kinds of their keys and values; None: any number."""
        site = self.sites.get((node, 0))
        if site is None:
            site = self.sites[node, 0] = Site(ordered=True, size=len(entries))
            site.as_list = node in self.lists
            site.given = frozenset(
                entry.key.value for entry, _, _ in entries if isinstance(entry.key, tree.String)
            )
        made = Kind(TABLE.bits, sites=frozenset((site,)))
        for entry, key, value in entries:
            if value is None:
                self._hold(site, None, PLACE, ANY)
                self._disorder(site, True)
            elif entry.key is None:
                self._hold(site, None, PLACE, value)
                self._disorder(site, value.meets(NIL))
            else:
                self._hold(site, entry.key, key, value)
                self._disorder(site, True)
        return made

    def called(self, node: tree.Node, place: int, kind: Kind) -> Kind:
        """The kind of a result of a documented function, its table told apart from those of other calls."""
        if not kind.sites or STRANGE in kind.sites:
            return kind
        site = self.sites.get((node, place))
        if site is None:
            (given,) = kind.sites
            site = Site(keys=given.keys, values=given.values, ordered=given.ordered)
            self.sites[node, place] = site
        return kind.made_at(frozenset((site,)))

    # --- reading ------------------------------------------------------------------------------------------

    def read(self, receiver: Kind, key: tree.Expr, key_kind: Kind) -> Kind:
        """What `receiver[key]` gives."""
        if not receiver.bits:
            return NOTHING
        if not receiver.within(TABLE | NIL):
            return ANY
        found = NOTHING
        for site in receiver.sites:
            if site.escaped:
                return ANY
            found |= _held(site, key, key_kind)
        return found.softened()

    def elements(self, receiver: Kind) -> Kind:
        """What the places of a list hold, nil apart."""
        if not receiver.bits:
            return NOTHING
        if not receiver.within(TABLE | NIL) or any(site.escaped for site in receiver.sites):
            return ANY.without(NIL)
        found = NOTHING
        for site in receiver.sites:
            found |= site.values
        return found.annotated() if is_python_list(receiver) else found.without(NIL).softened()

    def walked(self, receiver: Kind) -> tuple[Kind, Kind]:
        """The keys and values that `pairs` gives."""
        if not receiver.bits:
            return NOTHING, NOTHING
        if not receiver.within(TABLE | NIL) or any(site.escaped for site in receiver.sites):
            return ANY.without(NIL), ANY.without(NIL)
        keys = values = NOTHING
        for site in receiver.sites:
            keys |= site.keys | STRING if site.fields else site.keys
            values |= site.everything
        return keys.without(NIL).softened(), values.without(NIL).softened()

    # --- storing ------------------------------------------------------------------------------------------

    def store(
        self, receiver: Kind, key: tree.Expr | None, key_kind: Kind, value: Kind, appends: bool
    ) -> None:
        """`receiver[key] = value`. appends: the key is the first free place, or a list moves up for it."""
        if not receiver.bits:
            return
        if not receiver.within(TABLE | NIL):
            self.escape(value)
        for site in receiver.sites:
            if site.escaped:
                self.escape(value)
                continue
            self.disturb(site)
            self._hold(site, key, key_kind, value)
            self._disorder(site, not appends or value.meets(NIL))

    def disturb(self, site: Site, shrinks: bool = False) -> None:
        """Something of it is stored, moved or taken out."""
        if not site.changed or shrinks > site.shrinks:
            site.changed = True
            site.shrinks = site.shrinks or shrinks
            self.changes += 1

    def _hold(self, site: Site, key: tree.Expr | None, key_kind: Kind | None, value: Kind) -> None:
        if isinstance(key, tree.String):
            old = site.fields.get(key.value, NOTHING)
            if key.value not in site.fields or old | value != old:
                site.fields[key.value] = old | value
                self.changes += 1
            return
        key_kind = key_kind or NOTHING
        if site.values | value != site.values or site.keys | key_kind != site.keys:
            site.values |= value
            site.keys |= key_kind
            self.changes += 1

    def _disorder(self, site: Site, really: bool) -> None:
        if really and site.ordered:
            site.ordered = False
            self.changes += 1

    # --- losing sight -------------------------------------------------------------------------------------

    def escape(self, *kinds: Kind) -> None:
        """Values of these kinds reach others."""
        for kind in kinds:
            for site in kind.sites:
                self.escape_site(site)

    def escape_site(self, site: Site) -> None:
        stack = [site]
        while stack:
            site = stack.pop()
            if not site.escaped:
                site.escaped = True
                self.changes += 1
                stack += [*site.everything.sites, *site.keys.sites]

    def hand_out(self, *kinds: Kind) -> None:
        """What such tables hold reaches others."""
        for kind in kinds:
            for site in kind.sites:
                self.escape(site.everything, site.keys)


def _held(site: Site, key: tree.Expr, key_kind: Kind) -> Kind:
    if isinstance(key, tree.String):
        found = site.fields.get(key.value, NOTHING)
        if key.value not in site.given:
            found |= ABSENT
        return found | site.values if site.keys.meets(STRING) else found
    low, high = key_kind.range
    if (
        site.ordered
        and not site.changed
        and key_kind.within(WHOLE)
        and low >= 1
        and high <= site.size
    ):
        return site.values
    found = site.everything if key_kind.meets(STRING) else site.values
    return found | ABSENT


def appends(target: tree.Index) -> bool:
    """`t[#t + 1]`."""
    match target:
        case tree.Index(
            object=tree.Name(id=name),
            key=tree.Binary(
                op="+",
                left=tree.Unary(op="#", operand=tree.Name(id=measured)),
                right=tree.Number(value=1),
            ),
        ):
            return name == measured
    return False


# --- what lowering asks ------------------------------------------------------------------------------------------


def is_followed(kind: Kind) -> bool:
    """Whether it is a table (or a nil at which Python raises) that nobody else can reach."""
    return kind.settled.within(TABLE) and not any(site.escaped for site in kind.sites)


def is_list(kind: Kind) -> bool:
    """Whether its keys are 1 to n, in that order, so that Python's `len` is Lua's `#`."""
    return is_followed(kind) and all(site.ordered for site in kind.sites)


def is_python_list(kind: Kind) -> bool:
    """Whether it is kept as one of Python's lists."""
    return bool(kind.sites) and all(site.as_list for site in kind.sites)


def has_elements(kind: Kind) -> bool:
    """Whether all of such lists are made with elements, from which a type checker takes their type."""
    return all(site.size for site in kind.sites)


def is_fixed_list(kind: Kind) -> bool:
    """A list that stays as it is made."""
    return is_list(kind) and not any(site.changed for site in kind.sites)


def size_of(kind: Kind) -> Range:
    """Between which numbers the length of a table lies."""
    sizes = [site.size for site in kind.sites if site.size]
    if not is_fixed_list(kind) or len(sizes) < len(kind.sites):
        return 0, PLACE.range[1]
    return min(sizes), max(sizes)


def takes_any_key(kind: Kind, key: Kind) -> bool:
    """Whether reading any such key finds in Python what it finds in Lua: `True` would find what 1 holds."""
    if not is_followed(kind):
        return False
    return not any(
        site.keys.meets(BOOLEAN) or (site.keys.meets(NUMBER) and key.meets(BOOLEAN))
        for site in kind.sites
    )


def is_true_throughout(kind: Kind) -> bool:
    """Whether whatever it holds is true, so that only a missing key reads as nil."""
    return is_followed(kind) and all(
        not site.everything.bits or site.everything.truthy for site in kind.sites
    )
