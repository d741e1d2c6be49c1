"""Which scopes are asked for an option, most specific first.

Pure look-ups in a tree. The first scope that sets the option decides; a default is the caller's affair.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from weakref import WeakKeyDictionary

from moonpost.config.node import Node
from moonpost.config.patterns import is_pattern, matches


def delivery_chain(root: Node, binding: str, domain: str, host: str = "") -> Iterator[Node]:
    """Group, binding and domain in every combination, then global.

    A value of the binding itself beats one of a global domain. Within one scope the stanza of the very
    name comes before patterns, and patterns in the order of the file.
    """
    group = group_of(root, binding)
    member = group.child("binding", binding) if group else None
    alone = root.child("binding", binding)
    for scope in (member, alone, group):
        if scope is not None:
            yield from _matching(scope, domain, host)
    for scope in (member, alone, group):
        if scope is not None:
            yield scope
    yield from _matching(root, domain, host)
    yield root


def host_chain(root: Node, binding: str, host: str, address: str = "") -> Iterator[Node]:
    """The Host stanzas of a receiving host, by its name and then by its address: in the binding of its group, in the
    group, in the binding, then global. There is no way on to other scopes."""
    group = group_of(root, binding)
    member = group.child("binding", binding) if group else None
    alone = root.child("binding", binding)
    for scope in (member, group, alone, root):
        if scope is not None:
            yield from _of_kind(scope, "host", host)
            if address and address != host:
                yield from _of_kind(scope, "host", address)


def _matching(scope: Node, domain: str, host: str) -> Iterator[Node]:
    if host:
        yield from _of_kind(scope, "host", host)
    yield from _of_kind(scope, "domain", domain)


def _of_kind(scope: Node, kind: str, name: str) -> Iterator[Node]:
    wanted = _folded(name)
    index = _index(scope, kind)
    if wanted in index.exact:
        yield index.exact[wanted]
    yield from (node for node in index.patterns if matches(node.instance or "", wanted))


@dataclass(frozen=True, slots=True)
class _Index:
    """The inner scopes of one kind: all, those by name, and patterns in file order."""

    nodes: list[Node]
    exact: dict[str, Node]
    patterns: list[Node]


# A configuration may have thousands of Domain stanzas and is asked about each domain that gets mail.
_indexes: WeakKeyDictionary[Node, dict[str, _Index]] = WeakKeyDictionary()


def _index(scope: Node, kind: str) -> _Index:
    of_scope = _indexes.setdefault(scope, {})
    found = of_scope.get(kind)
    if found is None:
        nodes = scope.named(kind)
        exact = {
            _folded(node.instance or ""): node
            for node in reversed(nodes)  # of two spellings the first one holds
            if not is_pattern(node.instance or "")
        }
        patterns = [node for node in nodes if is_pattern(node.instance or "")]
        found = of_scope[kind] = _Index(nodes, exact, patterns)
    return found


def _folded(name: str) -> str:
    return name.lower().rstrip(".")


def group_of(root: Node, binding: str) -> Node | None:
    """The group that contains a binding."""
    for group in _index(root, "binding_group").nodes:
        if group.child("binding", binding):
            return group
    return None


def listener_chain(root: Node, listener: str, listen: str, peer: str) -> Iterator[Node]:
    """Peer in Listen, Listen, Peer in listener, listener, pathway, its group, global.

    peer: an address, or empty to leave peers out. Of several matching networks the smallest comes first.
    """
    inner: list[Node] = []
    outer = root.child(listener.lower())
    if outer is not None:
        socket = outer.child("listen", listen)
        if socket is not None:
            inner += [*_peers(socket, peer), socket]
        inner += [*_peers(outer, peer), outer]
    yield from inner
    pathway = next((node.get("pathway") for node in inner if node.get("pathway")), None)
    if pathway is not None:
        yield from pathway_chain(root, pathway)
    yield root


def pathway_chain(root: Node, name: str) -> Iterator[Node]:
    """A pathway in its group, the pathway, the group."""
    for group in _index(root, "pathway_group").nodes:
        member = group.child("pathway", name)
        if member is not None:
            yield member
            alone = root.child("pathway", name)
            if alone is not None:
                yield alone
            yield group
            return
    alone = root.child("pathway", name)
    if alone is not None:
        yield alone


def recipient_chain(root: Node, domain: str, pathway: str) -> Iterator[Node]:
    """For options about a recipient on its way in: its domain, the session's pathway, global."""
    yield from _matching(root, domain, "")
    yield from pathway_chain(root, pathway)
    yield root


def _peers(scope: Node, peer: str) -> list[Node]:
    if not peer:
        return []
    address = ip_address(peer.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    found: list[tuple[int, Node]] = []
    for node in _index(scope, "peer").nodes:
        network = ip_network(node.instance or "", strict=False)
        if (mapped or address) in network:
            found.append((network.prefixlen, node))
    return [node for _, node in sorted(found, key=lambda pair: -pair[0])]
