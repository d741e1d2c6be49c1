"""`msys.httpclnt`: the HTTP request of a push delivery as policy may change it, and its outcome.

Changes go into the parts of the request; `request_finalize` builds the bytes that are sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msys.arguments import bad_argument, check_number, check_string, truth
from msys.catalog.binding import documented
from msys.constants import DELIVERY_PERMFAILED, DELIVERY_SUCCESS
from msys.ecstring import EcString
from msys.lua import Table, Userdata
from msys.lua.bytestr import ascii_lower
from msys.running import panic

if TYPE_CHECKING:
    from msys.message import Message

HTTP_INTERNAL_OK = 0
HTTP_INTERNAL_FAIL = 1

__all__ = [
    "HTTP_INTERNAL_FAIL",
    "HTTP_INTERNAL_OK",
    "HttpRequest",
    "HttpResponse",
    "HttpSession",
    "http_status_classifier",
]


@dataclass(slots=True, eq=False)
class HttpRequest(Userdata):
    """A request that is about to be sent; `data` is its whole text once it was finalised."""

    method: str = "POST"
    uri: str = "/"
    version: str = "HTTP/1.1"
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: str = ""
    data: str = ""
    changed: bool = True

    def __getitem__(self, key: Any) -> Any:
        return getattr(self, key) if key in FIELDS else None

    def serialise(self) -> None:
        """Build `data`; a Content-Length that the changes made wrong is put right, and logged."""
        length = str(len(self.body))
        for at, (name, value) in enumerate(self.headers):
            if ascii_lower(name) == "content-length" and value.strip() != length:
                panic(
                    f"request_finalize: Content-Length was {value.strip()}, the body has {length}"
                )
                self.headers[at] = (name, length)
        lines = [f"{self.method} {self.uri} {self.version}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        self.data = "\r\n".join([*lines, "", self.body])
        self.changed = False


FIELDS = ("method", "uri", "version", "body", "data")


class HttpResponse(Userdata):
    """`sess.response`: the answer to a request. `status_code` is an ec_string, as in Momentum."""

    __slots__ = (
        "body", "content_length", "data", "headers", "status_code", "status_reason", "version"
    )  # fmt: skip
    lua_type = "msys.httpclnt:response"
    lua_fields = frozenset(__slots__)

    def __init__(self, status: int, reason: str, headers: list[tuple[str, str]], body: str) -> None:
        self.version = "HTTP/1.1"
        self.status_code, self.status_reason = EcString(str(status)), EcString(reason)
        lines = [f"{name}: {value}" for name, value in headers]
        self.headers = Table(dict(headers))
        self.body, self.content_length = body, len(body)
        self.data = "\r\n".join([f"HTTP/1.1 {status} {reason}", *lines, "", body])


class HttpSession(Userdata):
    """`sess` of http_request_eval and http_response_eval."""

    __slots__ = ("connh", "ipaddr", "message", "request", "response")
    lua_type = "msys.httpclnt:session"
    lua_fields = frozenset({"connh", "ipaddr", "request", "response"})

    def __init__(
        self, request: HttpRequest, message: Message | None = None, ipaddr: str = ""
    ) -> None:
        self.request = request
        self.response: Any = None
        self.message = message
        self.connh = self
        self.ipaddr = ipaddr

    @documented("sess:request_add_header", assumed="returns nothing")
    def request_add_header(self, header: str, value: str | float, replace: Any) -> None:
        """Set a header; `replace` 1 or true puts it in place of those of its name, 0 or false adds one.

        Takes effect with `request_finalize`. Source: lua.ref.sess_request_add_header.
        """
        name = check_string("request_add_header", 1, header)
        text = check_string("request_add_header", 2, value)
        if any(mark in name + text for mark in "\r\n"):
            raise bad_argument("request_add_header", 2, "a header cannot contain a line end")
        if truth(replace) and replace != 0:
            self._delete(name)
        self.request.headers.append((name, text))
        self.request.changed = True

    @documented("sess:request_delete_header", assumed="deletes all of that name; returns nothing")
    def request_delete_header(self, header: str) -> None:
        """Delete every header of this name. Takes effect with `request_finalize`.

        Source: lua.ref.sess_request_delete_header.
        """
        self._delete(check_string("request_delete_header", 1, header))
        self.request.changed = True

    def _delete(self, header: str) -> None:
        wanted = ascii_lower(header)
        self.request.headers[:] = [h for h in self.request.headers if ascii_lower(h[0]) != wanted]

    @documented(
        "sess:request_finalize",
        assumed="anything that was changed is built, whatever `update` says",
    )
    def request_finalize(self, update: Any) -> None:
        """Build the request that is sent. A pending change is never lost, also when `update` is 0.

        Source: lua.ref.sess_request_finalize.
        """
        if self.request.changed or (truth(update) and update != 0):
            self.request.serialise()

    @documented(
        "sess:request_set_body",
        assumed="a Content-Length left wrong is put right by request_finalize",
    )
    def request_set_body(self, request: str) -> None:
        """Replace the body. Takes effect with `request_finalize`. Source: lua.ref.sess_request_set_body."""
        self.request.body = check_string("request_set_body", 1, request)
        self.request.changed = True


@documented("msys.httpclnt.http_status_classifier", assumed="2xx is success, all else permanent")
def http_status_classifier(status: float) -> int:
    """`DELIVERY_SUCCESS` for 2xx, else `DELIVERY_PERMFAILED`. Source: lua.ref.msys.httpclnt.http_status_classifier."""
    code = check_number("http_status_classifier", 1, status)
    return DELIVERY_SUCCESS if 200 <= code < 300 else DELIVERY_PERMFAILED
