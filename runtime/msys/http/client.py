"""`msys.http.client`: requests to other servers, through the HTTP port.

A request waits without holding up other sessions. Redirects are not followed, certificates are checked.
"""

from __future__ import annotations

from typing import Any

from msys.arguments import bad_argument, check_number, check_string, check_table, optional_string
from msys.catalog.binding import documented
from msys.lua import ABSENT, Table, Userdata
from msys.lua.bytestr import to_bytes, to_str
from msys.named_values import NamedValues
from msys.ports import HttpReply, PortError, current, wait

__all__ = ["Client", "new"]

METHODS = ("GET", "POST", "PUT", "DELETE")
CURL = {  # word of the port -> libcurl's number
    "UNSUPPORTED_PROTOCOL": 1,
    "URL_MALFORMAT": 3,
    "COULDNT_RESOLVE_HOST": 6,
    "COULDNT_CONNECT": 7,
    "WEIRD_SERVER_REPLY": 8,
    "PARTIAL_FILE": 18,
    "OPERATION_TIMEDOUT": 28,
    "SSL_CONNECT_ERROR": 35,
    "GOT_NOTHING": 52,
    "RECV_ERROR": 56,
    "PEER_FAILED_VERIFICATION": 60,
    "FILESIZE_EXCEEDED": 63,
}


class Client(Userdata):
    """An HTTP client; usable for several requests, its headers stay."""

    __slots__ = ("_headers", "_reply", "_timeout_s")
    lua_type = "msys.http.client:client"

    def __init__(self) -> None:
        self._headers: list[tuple[str, str]] = []
        self._timeout_s: float | None = None
        self._reply: HttpReply | None = None

    @documented(
        "client:do_request",
        assumed="true, or nil, a text and libcurl's number; verbs other than GET, POST, PUT, DELETE raise",
    )
    def do_request(
        self, type: str, url: str, data: Any = ABSENT
    ) -> tuple[bool | None, str | None, int | None]:
        """Send a request and wait for the whole reply.

        type: GET, POST, PUT or DELETE. data: the body; nil is none. true when a reply came, whatever its
        status; nil, a text and libcurl's error number when none came. Source: lua.ref.client_do_request.
        """
        verb = check_string("do_request", 1, type).upper()
        if verb not in METHODS:
            raise bad_argument(
                "do_request", 1, f"one of {', '.join(METHODS)} expected, got '{verb}'"
            )
        where = check_string("do_request", 2, url)
        body = to_bytes(optional_string("do_request", 3, data, ""))
        self._reply = None
        try:
            self._reply = wait(
                current().ports.http.request(verb, where, self._headers, body, self._timeout_s)
            )
        except PortError as error:
            return None, str(error), CURL.get(error.code, 56)
        return True, None, None

    @documented("client:get_body", assumed="an empty string before a reply came")
    def get_body(self) -> str:
        """The body of the last reply; empty when none came. Source: lua.ref.client_get_body."""
        return "" if self._reply is None else to_str(self._reply.body)

    @documented("client:get_headers", assumed="an array of lines, the status line first")
    def get_headers(self) -> Table:
        """The lines of the last reply's header, the status line first; for `parse_headers`.

        Source: lua.ref.client_get_headers.
        """
        reply = self._reply
        if reply is None:
            return Table()
        lines = [f"HTTP/1.1 {reply.status} {reply.reason}".rstrip()]
        return Table.array(*lines, *(f"{name}: {value}" for name, value in reply.headers))

    @documented("client:get_status", assumed="nil, nil when no reply came")
    def get_status(self) -> tuple[int | None, str | None]:
        """Status and its text of the last reply; nil when none came. Source: lua.ref.client_get_status."""
        return (None, None) if self._reply is None else (self._reply.status, self._reply.reason)

    @documented(
        "client:parse_headers",
        assumed="without an argument the last reply's; the last of equal names wins; names in any case",
    )
    def parse_headers(self, headers: Any = ABSENT) -> NamedValues:
        """Header lines as name → value; names are found in any case, the last of equal ones wins.

        headers: what `get_headers` gave; without it those of the last reply.
        Source: lua.ref.client_parse_headers.
        """
        given = headers is not ABSENT and headers is not None
        lines = check_table("parse_headers", 1, headers) if given else self.get_headers()
        found = NamedValues()
        at = 1
        while (line := lines[at]) is not None:
            name, colon, value = str(line).partition(":")
            if colon and " " not in name.strip():
                found.put(name.strip(), value.strip())
            at += 1
        return found

    @documented("client:set_header", assumed="headers stay for later requests")
    def set_header(self, header: Any = ABSENT) -> None:
        """Add a header, given as `Name: value`; without an argument (or nil) forget all of them.

        Source: lua.ref.client_set_header.
        """
        if header is ABSENT or header is None:
            self._headers.clear()
            return
        line = check_string("set_header", 1, header)
        name, colon, value = line.partition(":")
        if not colon or not name.strip() or "\r" in line.strip() or "\n" in line.strip():
            raise bad_argument("set_header", 1, "'Name: value' on one line expected")
        self._headers.append((name.strip(), value.strip()))

    @documented("client:set_timeout", assumed="seconds; 0 is no limit")
    def set_timeout(self, number: Any = ABSENT) -> None:
        """How long a whole request may take, in seconds; without an argument, nil or 0: no limit.

        Source: lua.ref.client_set_timeout.
        """
        given = number is not ABSENT and number is not None
        seconds = float(check_number("set_timeout", 1, number)) if given else 0.0
        self._timeout_s = seconds if seconds > 0 else None


@documented("msys.http.client.new")
def new() -> Client:
    """A new client without headers and without a time limit. Source: lua.ref.msys.http.client.new."""
    return Client()
