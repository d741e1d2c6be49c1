"""The accept construct: the connection as policy sees it, and what hangs on it.

Plain data that the server fills; counting sessions goes through the ports. Knows nothing of sockets.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, cast, overload

from msys.arguments import bad_argument, check_string
from msys.catalog.binding import documented
from msys.constants import AF_INET, AF_INET6, P_ESMTP
from msys.identity import NO_ID, Id
from msys.lua import ABSENT, Userdata
from msys.lua.errors import RuntimeFault
from msys.running import ports

if TYPE_CHECKING:
    from msys.message import Message
    from msys.vctx import ValidationContext

SERVICES = frozenset(("SMTP", "ECStream", "Control", "ECmmove2", "ECCluster", "inbound_cidr"))


class SocketAddress(Userdata):
    """One end of a connection. `tostring` gives `10.1.2.3:25`, for IPv6 `2001:db8::1.25`.

    Published scripts take IPv6 text apart at the last dot.
    """

    __slots__ = ("ip", "port")
    lua_type = "msys.core:_ec_sockaddr"

    def __init__(self, ip: str, port: int = 0) -> None:
        self.ip = ip
        self.port = port

    @property
    def family(self) -> int:
        """AF_INET or AF_INET6."""
        return AF_INET6 if ":" in self.ip else AF_INET

    def as_string(self) -> str:
        if not self.ip:
            return ""
        return f"{self.ip}.{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"

    def __str__(self) -> str:
        return self.as_string()


class CommandConstruct(Userdata):
    """A console command: `argc`, and `argv` counted from 0 with the command's name at 0."""

    __slots__ = ("argv",)
    lua_type = "msys.core:_control_command_construct"
    lua_fields = frozenset(("argc", "argv"))

    def __init__(self, words: list[str]) -> None:
        self.argv = ArgumentVector(words)

    @property
    def argc(self) -> int:
        return len(self.argv)


class ArgumentVector(Userdata):
    """The words of a console command, counted from 0. An index outside raises: in Momentum it crashes."""

    __slots__ = ("_words",)
    lua_type = "msys.core:_char_pp"

    def __init__(self, words: list[str]) -> None:
        self._words = list(words)

    def __getitem__(self, key: Any) -> str:
        if isinstance(key, int | float) and not isinstance(key, bool) and key == int(key):
            at = int(key)
            if 0 <= at < len(self._words):
                return self._words[at]
        raise RuntimeFault(
            f"argv[{key}] is out of range: the command has argv[0] to argv[{len(self) - 1}]"
        )

    def __setitem__(self, key: Any, value: Any) -> None:
        raise RuntimeFault("argv cannot be changed")

    def __len__(self) -> int:
        return len(self._words)


class MessageConstruct(Userdata):
    """The transaction of an SMTP session: `ctx` its validation context, `message` the message.

    Before MAIL FROM there is no message: it reads as nil. The types say otherwise, because policy asks for it
    in later phases and does not check; indexing nil is Lua's own error then.
    """

    __slots__ = ("_accept",)
    lua_type = "msys.core:_message_construct"
    lua_fields = frozenset(("ctx", "message"))

    def __init__(self, accept: Accept) -> None:
        self._accept = accept

    @property
    def ctx(self) -> ValidationContext:
        return cast("ValidationContext", self._accept.vctx)

    @property
    def message(self) -> Message:
        return cast("Message", self._accept.message)


class Accept(Userdata):
    """One inbound connection.

    remote, local: (address, port) of both ends. listener: the name sessions are counted under.
    capabilities: the lines of the EHLO answer after the greeting; the server reads them back.
    vctx, message: what `accept_construct_get_message_construct` hands out.
    """

    lua_type = "msys.core:_accept_construct"
    lua_fields = frozenset(("remote_addr", "local_addr", "protocol", "conn_id"))
    lua_hidden = frozenset(("message_construct",))

    def __init__(
        self,
        *,
        remote: tuple[str, int] = ("", 0),
        local: tuple[str, int] = ("", 0),
        protocol: int = P_ESMTP,
        conn_id: Id = NO_ID,
        listener: str = "",
        capabilities: list[str] | None = None,
    ) -> None:
        self.remote_addr = SocketAddress(*remote)
        self.local_addr = SocketAddress(*local)
        self.protocol = protocol
        self.conn_id = conn_id
        self.listener = listener
        self.capabilities: list[str] = [] if capabilities is None else capabilities
        self.vctx: ValidationContext | None = None
        self.message: Message | None = None

    def message_construct(self) -> MessageConstruct | None:
        """The transaction; None when this is no SMTP session."""
        return MessageConstruct(self) if self.protocol == P_ESMTP else None

    @documented("ac:esmtp_capability_add", assumed="a line with the same keyword is replaced")
    def esmtp_capability_add(self, name: Any) -> None:
        """Add a line to the EHLO answer of this session.

        name: the line, a keyword with or without arguments (`SIZE 104857600`). Only text: the server does
        not start enforcing it. After EHLO it shows from the next EHLO on. Raises outside SMTP sessions.
        """
        line = self._capability("esmtp_capability_add", name)
        for at, there in enumerate(self.capabilities):
            if _keyword(there) == _keyword(line):
                self.capabilities[at] = line
                return
        self.capabilities.append(line)

    @documented(
        "ac:esmtp_capability_remove",
        assumed="matched by keyword without case; one that is absent is ignored",
    )
    def esmtp_capability_remove(self, name: Any) -> None:
        """Take a line from the EHLO answer of this session.

        name: its keyword. Taking STARTTLS or AUTH away only hides it. Raises outside SMTP sessions.
        """
        line = self._capability("esmtp_capability_remove", name)
        self.capabilities[:] = [
            there for there in self.capabilities if _keyword(there) != _keyword(line)
        ]

    def _capability(self, name: str, value: Any) -> str:
        line = check_string(name, 1, value).strip(" ")
        if self.protocol != P_ESMTP:
            raise RuntimeFault(f"'{name}': this session did not come from an SMTP listener")
        if not line or any(mark in line for mark in "\r\n"):
            raise bad_argument(name, 1, "one line of text expected")
        return line

    @overload
    def inbound_session_count(self) -> int: ...
    @overload
    def inbound_session_count(self, cidr: Any, service_type: Any = ...) -> int: ...
    @documented(
        "ac:inbound_session_count",
        assumed="counts this session too; an unknown service or network raises",
    )
    def inbound_session_count(self, cidr: Any = ABSENT, service_type: Any = ABSENT) -> int:
        """How many sessions are open.

        cidr: nil or absent counts the connecting address at this listener; `/24` the network around it;
        `10.0.0.0/8` or an address that network. service_type: `SMTP` unless given (`ECStream`,
        `Control`, ...), case-sensitive; with either argument all listeners of the service count.
        """
        service = "SMTP"
        if service_type is not ABSENT and service_type is not None:
            service = check_string("inbound_session_count", 2, service_type)
            if service not in SERVICES:
                raise bad_argument("inbound_session_count", 2, f"unknown service '{service}'")
        given = (
            None
            if cidr is ABSENT or cidr is None
            else check_string("inbound_session_count", 1, cidr)
        )
        listener = self.listener if given is None and service_type in (ABSENT, None) else None
        return ports().sessions.count(self._network(given), service, listener)

    def _network(self, cidr: str | None) -> str:
        """`cidr` as a network in full, relative to the connecting address."""
        text = cidr or ""
        host, slash, mask = text.partition("/")
        host = host or self.remote_addr.ip
        if host == "localhost":
            host = "::1" if ":" in self.remote_addr.ip else "127.0.0.1"
        try:
            return str(ipaddress.ip_network(f"{host}/{mask}" if slash else host, strict=False))
        except ValueError as error:
            raise bad_argument("inbound_session_count", 1, str(error)) from None

    def pbp_inbound_session_count_service(self, service: Any, mask: Any = ABSENT) -> int:
        """`inbound_session_count` with its arguments the other way round, as policy libraries call it."""
        return self.inbound_session_count(None if mask is ABSENT else mask, service)


def _keyword(line: str) -> str:
    return line.partition(" ")[0].upper()
