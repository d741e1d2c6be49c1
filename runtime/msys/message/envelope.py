"""Envelope, routing and disposition of a message."""

from __future__ import annotations

import random
import re
from typing import Any, overload

from msys.addresses import bare, split_address, valid_address
from msys.arguments import (
    bad_argument,
    check_class,
    check_integer,
    check_string,
    optional_string,
)
from msys.catalog.binding import documented
from msys.constants import EC_MSG_ENV_COMPLETE, EC_MSG_ENV_FROM, EC_MSG_ENV_TO
from msys.ecstring import EcString
from msys.lua import ABSENT
from msys.message.state import MessageState
from msys.running import delivery_option, forbid, mark_decision, panic, phase, ports

BEFORE_COPIES = ("mailfrom", "rcptto", "rcptto_list", "data", "data_spool")
BINDING_SETTLED = "the binding is being chosen; the message is accepted already"
DOMAIN = re.compile(r"[A-Za-z0-9_.-]+|\[?[0-9A-Fa-f:.]+\]?", re.ASCII)
REPLY = re.compile(r"([1-9][0-9]{2})(?=[ -]|\Z)", re.ASCII)
DISCARDED = "550 5.7.0 discarded by policy"
DISCARDED_WITHOUT_CODE = "550 5.7.1 [internal] discarded by policy"
DEFAULT_BINDING = "default"


class Envelope(MessageState):
    """Who it is from and for, how it leaves, what became of it."""

    @overload
    def mailfrom(self) -> str: ...
    @overload
    def mailfrom(self, value: Any) -> str: ...
    @documented(
        "msg:mailfrom",
        assumed="an invalid address raises; the null sender is the empty string; context keys keep what was received",
    )
    def mailfrom(self, value: Any = ABSENT) -> str:
        """The envelope sender, bare; with an argument, set it first. "" is the null sender.

        Headers stay as they are. nil reads, as no argument does. Setting it in validate_set_binding works
        and is logged.
        """
        if value is not ABSENT and value is not None:
            address = bare(check_string("mailfrom", 1, value))
            if address and not valid_address(address):
                raise bad_argument("mailfrom", 1, f"'{value}' is not an address")
            if phase() == "set_binding":
                panic("msg:mailfrom changes the sender while the binding is being chosen")
            self.sender = address
        return self.sender

    @overload
    def rcptto(self) -> str: ...
    @overload
    def rcptto(self, value: Any) -> str: ...
    @documented("msg:rcptto", assumed="setting it before each recipient has a copy raises")
    def rcptto(self, value: Any = ABSENT) -> str:
        """The envelope recipient, bare; with an argument, set it first.

        In rcptto the one being added; in data and data_spool the primary one. It can be set from
        validate_data_spool_each_rcpt on; the message then goes to the new domain unless a routing domain is
        set. nil reads.
        """
        if value is not ABSENT and value is not None:
            address = bare(check_string("rcptto", 1, value))
            forbid("rcptto", BEFORE_COPIES, "the recipient can be changed on its own copy only")
            if not valid_address(address):
                raise bad_argument("rcptto", 1, f"'{value}' is not an address")
            self.recipient = address
        return self.recipient

    @documented(
        "msg:get_envelope2",
        assumed="returns success and whether the address is empty; a nil buffer is not filled",
    )
    def get_envelope2(self, flags: Any, localpart_str: Any, domain_str: Any) -> tuple[int, int]:
        """Write an envelope address into string buffers; returns 1, and 1 when the address is empty.

        flags: EC_MSG_ENV_FROM or EC_MSG_ENV_TO, `| EC_MSG_ENV_COMPLETE` for the whole address in
        localpart_str. The buffers come from msys.core.string_new(); nil: not wanted. Anything else raises.
        """
        number = check_integer("get_envelope2", 1, flags)
        side = number & ~EC_MSG_ENV_COMPLETE
        if side not in (EC_MSG_ENV_FROM, EC_MSG_ENV_TO):
            raise bad_argument(
                "get_envelope2", 1, "one of EC_MSG_ENV_FROM and EC_MSG_ENV_TO expected"
            )
        buffers = [
            None
            if given is None
            else check_class("get_envelope2", at, given, EcString, "ec_string")
            for at, given in ((2, localpart_str), (3, domain_str))
        ]
        address = self.sender if side == EC_MSG_ENV_FROM else self.recipient
        whole = bool(number & EC_MSG_ENV_COMPLETE)
        values = (address, None) if whole else split_address(address)
        for buffer, text in zip(buffers, values, strict=True):
            if buffer is not None and text is not None:
                buffer.set(text)
        return 1, int(not address)

    @overload
    def binding(self) -> str | None: ...
    @overload
    def binding(self, value: Any) -> str | None: ...
    @documented(
        "msg:binding",
        assumed="outside set_binding setting is logged, changes nothing and gives nil",
    )
    def binding(self, value: Any = ABSENT) -> str | None:
        """The binding the message leaves by, nil if none; with an argument, assign it first.

        value: the name of one binding, case-sensitive; `default` always exists. An unknown name gives nil and
        changes nothing. Only in validate_set_binding.
        """
        if value is ABSENT or value is None:
            return self.binding_name
        name = check_string("binding", 1, value)
        if not self._may_bind("binding"):
            return None
        if name != DEFAULT_BINDING and name not in ports().configuration.binding_names():
            panic(f"msg:binding: there is no binding '{name}'; the assignment stays as it was")
            return None
        self.binding_name, self.binding_group_name = name, None
        return name

    @overload
    def binding_group(self) -> str | None: ...
    @overload
    def binding_group(self, value: Any) -> str | None: ...
    @documented("msg:binding_group", assumed="an unknown group gives nil and changes nothing")
    def binding_group(self, value: Any = ABSENT) -> str | None:
        """The binding group, nil if none; with an argument, assign a random member of it first.

        Members that are suspended for the message's domain are left out, unless all are. A group without members
        means the default binding. Only in validate_set_binding.
        """
        if value is ABSENT or value is None:
            return self.binding_group_name
        name = check_string("binding_group", 1, value)
        if not self._may_bind("binding_group"):
            return None
        members = ports().configuration.binding_group(name)
        if members is None:
            panic(f"msg:binding_group: there is no group '{name}'; the assignment stays as it was")
            return None
        suspended, domain = ports().configuration.suspended, self._queue_domain()
        free = [member for member in members if not suspended(member, domain)]
        self.binding_name = random.choice(free or list(members)) if members else DEFAULT_BINDING
        self.binding_group_name = name
        return name

    def _queue_domain(self) -> str:
        """The domain whose queue the message will be in, as far as that is known."""
        return (self.route or split_address(self.recipient)[1]).lower()

    def _may_bind(self, name: str) -> bool:
        if (now := phase()) in ("", "set_binding"):
            return True
        panic(f"msg:{name} works in validate_set_binding only, not in {now}; nothing was changed")
        return False

    @overload
    def code(self) -> str | None: ...
    @overload
    def code(self, number: Any, string: Any = ...) -> str | None: ...
    @documented("msg:code", assumed="setting gives the new response; a code outside 1..999 raises")
    def code(self, number: Any = ABSENT, string: Any = ABSENT) -> str | None:
        """The delivery status of the message, a reply such as `554 5.4.7 ...`; nil if none was set.

        number, string: set it first; number 0 takes the code from the text, any other is put before every
        line of it. This is not the SMTP reply: see vctx:set_code. Raises in validate_set_binding.
        """
        forbid("code", ("set_binding",), BINDING_SETTLED)
        if number is ABSENT or number is None:
            return self.response
        code = check_integer("code", 1, number)
        text = optional_string("code", 2, string, "")
        if code == 0:
            leading = REPLY.match(text)
            if leading is None:
                raise bad_argument("code", 2, "a text that begins with its code expected")
            code, text = int(leading.group()), text[leading.end() :].lstrip(" -")
        if not 1 <= code <= 999:
            raise bad_argument("code", 1, f"a code from 1 to 999 expected, got {number}")
        self.response = response_text(code, text)
        return self.response

    def get_code(self) -> str | None:
        """`msg:code()` by its C name."""
        return self.response

    def set_code(self, code: Any, text: Any = ABSENT) -> str | None:
        """`msg:code(code, text)` by its C name."""
        return self.code(code, text)

    @documented(
        "msg:discard",
        assumed="in rcptto that recipient, in each_rcpt that copy, else the whole message",
    )
    def discard(self, reason: Any = ABSENT) -> None:
        """Accept the message and deliver it to nobody; the rejection is logged with the reason.

        reason: a text that begins with an SMTP code; without one a general text takes its place. The script
        goes on. A 4xx or 5xx code set in the session later wins. Raises in validate_set_binding.
        """
        forbid("discard", ("set_binding",), BINDING_SETTLED)
        text = optional_string("discard", 1, reason, DISCARDED)
        self.discarded = text if REPLY.match(text) else DISCARDED_WITHOUT_CODE
        mark_decision()

    @documented("msg:listener_addr", assumed="IPv6 as `[address]:port`; empty for mail made here")
    def listener_addr(self, flag: Any = ABSENT) -> str:
        """Where the message came in: flag `ip`, `port`, or `all` (nil, absent) for `10.1.2.3:25`."""
        return address_text("listener_addr", self.listener, flag)

    @documented("msg:reception_peer", assumed="as msg:listener_addr")
    def reception_peer(self, flag: Any = ABSENT) -> str:
        """Who sent it to us: flag `ip`, `port`, or `all` (nil, absent) for `10.1.2.3:4711`."""
        return address_text("reception_peer", self.peer, flag)

    @overload
    def routing_domain(self) -> str: ...
    @overload
    def routing_domain(self, *value: Any) -> str: ...
    @documented(
        "msg:routing_domain", assumed="setting gives the new domain in lower case; nil raises"
    )
    def routing_domain(self, *value: Any) -> str:
        """The domain whose queue the message uses, in lower case; with an argument, set it first.

        value: a domain, host or address. In rcptto it holds for every recipient of the transaction. Unset,
        it is the `gateway` of binding and domain, else the recipient's domain.
        """
        if value:
            text = check_string("routing_domain", 1, value[0]).rstrip(".")
            if not DOMAIN.fullmatch(text):
                raise bad_argument("routing_domain", 1, f"'{value[0]}' is not a domain")
            self.route = text.lower()
        if self.route is not None:
            return self.route
        domain = split_address(self.recipient)[1].lower()
        gateway = delivery_option("gateway", self.binding_name or DEFAULT_BINDING, domain)
        return str(gateway).lower() if gateway else domain

    @documented(
        "msg:get_delivery_method",
        assumed="in lower case; before set_binding that of the default binding",
    )
    def get_delivery_method(self) -> str:
        """How the message will be delivered: `esmtp`, `lmtp`, `gcm`, ... as configured, in lower case."""
        domain = split_address(self.recipient)[1].lower()
        method = delivery_option("delivery_method", self.binding_name or DEFAULT_BINDING, domain)
        return str(method or "esmtp").lower()

    def rsrc_get(self, name: Any = ABSENT) -> Any:
        """A resource of a multi-channel message. There are none here: nil."""
        return None

    def is_mcmt(self) -> int:
        """1 for a multi-channel container. There are none here: 0."""
        return 0


def response_text(code: int, text: str) -> str:
    """A reply of one or more lines, each with its code."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").split("\n")
    marked = [f"{code:03d}-{line}" for line in lines[:-1]]
    marked.append(f"{code:03d} {lines[-1]}".rstrip())
    return "\r\n".join(marked)


def address_text(function: str, address: tuple[str, int], flag: Any) -> str:
    """`ip`, `port` or both of an address; empty when there is none."""
    wanted = optional_string(function, 1, flag, "all")
    ip, port = address
    texts = {
        "ip": ip,
        "port": str(port) if ip else "",
        "all": (f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}") if ip else "",
    }
    if wanted not in texts:
        raise bad_argument(function, 1, f"invalid flag '{wanted}' (ip, port or all expected)")
    return texts[wanted]
