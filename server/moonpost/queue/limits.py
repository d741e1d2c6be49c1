"""What `host` stanzas say about the hosts that take mail: how much of it at once, and under whose name it queues.

No I/O, no clock: time comes in. These limits come on top of those of binding and domain, and every queue whose mail
goes to a host shares them; that is why they live beside the queues and not in one. Momentum looks a host up in the
binding of its group, the group, the binding, then globally, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from moonpost.queue.hosts import Host
from moonpost.queue.options import throttle
from moonpost.queue.throttle import Throttle

# (option, binding, host name, address) -> value and the stanza it stands in; None: no stanza sets it
HostOption = Callable[[str, str, str, str], tuple[Any, str] | None]

Key = tuple[str, ...]  # what connections are counted under

BUSY_S = (
    1.0  # chosen: how soon to ask again for a connection that somebody else has; he does not tell
)
MOST_REMEMBERED = 10_000  # chosen: hosts whose stanzas are remembered


class Rules(NamedTuple):
    """What holds for one binding and host. A limit is (key, number): whoever shares the key shares it."""

    limits: tuple[tuple[Key, int], ...] = ()
    connections: Throttle | None = None
    messages: Throttle | None = None
    rollup: str = ""


NOTHING = Rules()


class HostLimits:
    """Counts connections and messages of hosts that have a stanza."""

    def __init__(self, option: HostOption | None = None) -> None:
        self._option = option
        self._rules: dict[tuple[str, str, str], Rules] = {}
        self._throttles: dict[tuple[str, str], Throttle] = {}
        self._open: dict[Key, int] = {}

    def refresh(self) -> None:
        """The configuration changed. What is open and what was sent lately still counts."""
        self._rules.clear()

    def wait_s(self, binding: str, host: Host, now: float) -> float:
        """How long until a connection to the host may be opened; 0: now."""
        rules = self._rules_of(binding, host)
        if rules is NOTHING:
            return 0.0
        if any(self._open.get(key, 0) >= most for key, most in rules.limits):
            return BUSY_S
        throttles = (rules.connections, rules.messages)
        return max((one.peek_s(now) for one in throttles if one is not None), default=0.0)

    def opening(self, binding: str, host: Host, now: float) -> tuple[Key, ...]:
        """A connection to the host is being opened; `wait_s` was 0. Give the answer to `closed`."""
        rules = self._rules_of(binding, host)
        keys = tuple(key for key, _ in rules.limits)
        for key in keys:
            self._open[key] = self._open.get(key, 0) + 1
        if rules.connections is not None:
            rules.connections.spend(now)
        return keys

    def closed(self, keys: tuple[Key, ...]) -> None:
        """A connection is gone again."""
        for key in keys:
            left = self._open.get(key, 0) - 1
            if left > 0:
                self._open[key] = left
            else:
                self._open.pop(key, None)

    def message_wait_s(
        self, binding: str, host: Host, now: float, recipients: int, first: bool
    ) -> float:
        """How long a message must wait for the host's rate; 0: it may go, and has been counted.

        first: it is the first on its connection, which was opened because the rate allowed it.
        """
        rate = self._rules_of(binding, host).messages
        if rate is None:
            return 0.0
        if first:
            rate.spend(now, recipients)
            return 0.0
        return rate.wait_s(now, recipients)

    def rollup(self, binding: str, host: Host) -> str:
        """The routing domain that mail for this host queues under; empty: its own."""
        return self._rules_of(binding, host).rollup

    def _rules_of(self, binding: str, host: Host) -> Rules:
        if self._option is None:
            return NOTHING
        key = (binding, host.name, host.address)
        found = self._rules.get(key)
        if found is None:
            if len(self._rules) >= MOST_REMEMBERED:
                self._rules.clear()
            found = self._rules[key] = self._read(binding, host)
        return found

    def _read(self, binding: str, host: Host) -> Rules:
        option = self._option
        assert option is not None

        def read(name: str) -> tuple[Any, str] | None:
            return option(name, binding, host.name, host.address)

        limits: list[tuple[Key, int]] = []
        most = read("max_outbound_connections")
        if most is not None and int(most[0]) >= 0:
            limits.append((("address", most[1], host.address), int(most[0])))
        most = read("scope_max_outbound_connections")
        if most is not None and int(most[0]) >= 0:
            limits.append((("scope", most[1]), int(most[0])))
        rollup = read("rollup_mx")
        name = read("rollup_mx_name")
        rules = Rules(
            tuple(limits),
            self._throttle("connections", read("outbound_throttle_connections")),
            self._throttle("messages", read("outbound_throttle_messages")),
            str(name[0]).lower() if rollup and rollup[0] and name and name[0] else "",
        )
        return NOTHING if rules == NOTHING else rules

    def _throttle(self, kind: str, found: tuple[Any, str] | None) -> Throttle | None:
        """The counter of the stanza; what it has counted stays while the rate does."""
        rate = throttle(found[0]) if found is not None else None
        if found is None or rate is None:
            return None
        present = self._throttles.get((kind, found[1]))
        if present is None or present.rate != rate:
            present = self._throttles[(kind, found[1])] = Throttle(*rate)
        return present
