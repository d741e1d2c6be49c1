"""From accepted messages to records in the spool and mail in the queues.

Implements `moonpost.inbound.interface.Keeper`. Recipients whose copies have the same bytes share one body; copies that
differ in their header alone share what follows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from moonpost.queue.journal import Journal
from moonpost.queue.options import Option
from moonpost.spool.interface import Put, Spool
from moonpost.spool.record import Record
from msys import constants
from msys.message import Message

P_REST = 16  # msg.recv_method of mail over HTTP; Momentum documents no number for it
PROTOCOLS = {  # msg.recv_method -> the word of the main log
    constants.P_INTERNAL: "internal",
    constants.P_ECSTREAM: "ecstream",
    constants.P_ESMTP: "esmtp",
    P_REST: "rest",
}
DEFAULT_BINDING = "default"


class Arrival(Protocol):
    """What a reception says beside its messages; `moonpost.phases.actions.Reception` is one."""

    @property
    def conn_id(self) -> str: ...
    @property
    def remote(self) -> str: ...
    @property
    def local(self) -> str: ...
    @property
    def received_at(self) -> float: ...
    @property
    def generation(self) -> int: ...
    @property
    def decided_by(self) -> str: ...
    @property
    def auth_user(self) -> str: ...
    @property
    def utf8(self) -> bool: ...
    @property
    def eight_bit(self) -> bool: ...
    @property
    def parameters(self) -> Mapping[str, str]: ...
    @property
    def recipient_parameters(self) -> Mapping[str, Mapping[str, str]]: ...


@dataclass(frozen=True, slots=True)
class Internal:
    """The arrival of mail that was made here."""

    received_at: float
    conn_id: str = "00/00-00000-00000000"
    remote: str = ""
    local: str = ""
    generation: int = 0
    decided_by: str = ""
    auth_user: str = ""
    utf8: bool = False
    eight_bit: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)
    recipient_parameters: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


class SpoolKeeper:
    """Takes responsibility for accepted mail."""

    def __init__(
        self,
        spool: Spool,
        accepted: Callable[[Sequence[tuple[Record, bytes]]], None],
        option: Option,
        journal: Journal,
        now: Callable[[], float],
        *,
        hostname: str,
        group_of: Callable[[str], str] = lambda _binding: "default",
    ) -> None:
        self._spool, self._accepted, self._option = spool, accepted, option
        self._journal, self._now, self._hostname = journal, now, hostname
        self._group_of = group_of

    async def keep(self, messages: Sequence[Message], reception: Arrival) -> None:
        """Commit all of them, or none; returns when they are durable. SpoolFull or SpoolError otherwise."""
        puts = self._puts(messages, reception)
        await self._spool.commit(puts)
        now = self._now()
        for put in puts:
            self._journal.received(put.record, now, reception.generation, reception.decided_by)
        self._accepted([(put.record, put.content) for put in puts])

    def _puts(self, messages: Sequence[Message], reception: Arrival) -> list[Put]:
        if len(messages) == 1:
            return [Put(self.record(messages[0], reception), messages[0].content)]
        puts = []
        for message, (head, content) in zip(messages, _shared(messages), strict=True):
            record = self.record(message, reception)
            record.head = head
            puts.append(Put(record, content))
        return puts

    def record(self, message: Message, reception: Arrival) -> Record:
        """What the spool keeps of one copy, but for its content."""
        binding = message.binding_name or DEFAULT_BINDING
        recipient = message.recipient
        own_parameters = reception.recipient_parameters.get(recipient)
        return Record(
            id=message.id.text,
            sender=message.sender,
            recipient=recipient,
            domain=self.routing_domain(message.route, binding, recipient),
            created_at=reception.received_at,
            next_attempt_at=reception.received_at,
            binding=binding,
            binding_group=message.binding_group_name or self._group_of(binding),
            batch_id=message.batch_id.text,
            conn_id=reception.conn_id,
            priority=message.priority,
            protocol=PROTOCOLS.get(message.recv_method, "esmtp"),
            peer=reception.remote,
            listener=reception.local,
            user=reception.auth_user,
            utf8=reception.utf8,
            eight_bit=reception.eight_bit,
            parameters={**reception.parameters, **(own_parameters or {})},
            conn=message.conn,
            mess=message.mess,
        )

    def routing_domain(self, route: str | None, binding: str, recipient: str) -> str:
        """What policy chose, or the gateway of the recipient's domain, or that domain."""
        if route:
            return route.lower()
        domain = recipient.rpartition("@")[2].lower() if "@" in recipient else self._hostname
        gateway = self._option("gateway", binding, domain)
        return str(gateway).lower() if gateway else domain


def _shared(messages: Sequence[Message]) -> list[tuple[bytes, bytes]]:
    """For each message its own head and the content it shares; equal contents are one object."""
    bodies: dict[int, list[Message]] = {}
    for message in messages:
        bodies.setdefault(id(message.body_block), []).append(message)
    found: dict[int, tuple[bytes, bytes]] = {}
    for group in bodies.values():
        heads = {message.header_block for message in group}
        if len(heads) == 1:
            whole = group[0].content
            found.update((id(message), (b"", whole)) for message in group)
        else:
            body = group[0].body_block
            found.update((id(message), (message.header_block, body)) for message in group)
    return [found[id(message)] for message in messages]
