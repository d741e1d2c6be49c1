"""Io objects: files and other byte streams that policy opens, and the builder that turns bytes into a message.

Opening goes through the ports; reading and writing run in the IO pool, so other sessions go on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from msys.arguments import bad_argument, check_integer, check_string
from msys.lua import ABSENT, Userdata
from msys.lua.bytestr import to_bytes, to_str
from msys.lua.errors import RuntimeFault
from msys.ports import wait
from msys.running import ports

if TYPE_CHECKING:
    from msys.message import Message

T = TypeVar("T")
POOL = "IO"


class IoObject(Userdata):
    """An open stream. Closed when collected; after that, using it raises."""

    lua_type = "msys.core:_io_object"
    lua_hidden = frozenset(("read_all",))

    def __init__(self, stream: Any, name: str = "") -> None:
        self._stream = stream
        self._name = name

    def write(self, data: Any, length: Any = ABSENT) -> int:
        """Write `data`, or its first `length` bytes; the number of bytes written. May wait."""
        content = to_bytes(check_string("write", 1, data))
        if length is not ABSENT and length is not None:
            content = content[: max(0, check_integer("write", 2, length))]
        written: int | None = self._in_pool("write", lambda stream: stream.write(content))
        return len(content) if written is None else written

    def read(self, what: Any = ABSENT) -> str | None:
        """A line without its end (nil, absent, `*l`), everything (`*a`), or that many bytes; nil at the end.

        May wait.
        """
        if what is ABSENT or what is None or what == "*l":
            line = self._in_pool("read", lambda stream: stream.readline())
            return to_str(line).removesuffix("\n").removesuffix("\r") if line else None
        if what == "*a":
            return to_str(self.read_all())
        count = check_integer("read", 1, what)
        if count < 0:
            raise bad_argument("read", 1, "a number of bytes, *l or *a expected")
        content = self._in_pool("read", lambda stream: stream.read(count))
        return to_str(content) if content or not count else None

    def read_all(self) -> bytes:
        """Everything from here on."""
        return bytes(self._in_pool("read", lambda stream: stream.read()))

    def close(self) -> bool:
        """Close it; true, also when it was closed before."""
        stream, self._stream = self._stream, None
        if stream is not None:
            wait(ports().pools.run(POOL, stream.close))
        return True

    def _in_pool(self, name: str, job: Callable[[Any], T]) -> T:
        stream = self._stream
        if stream is None:
            raise RuntimeFault(f"'{name}': {self._name or 'this io object'} is closed")
        try:
            return wait(ports().pools.run(POOL, lambda: job(stream)))
        except OSError as error:
            raise RuntimeFault(f"'{name}': {self._name}: {error.strerror or error}") from None

    def __del__(self) -> None:
        if self._stream is not None:
            self._stream.close()


class MessageBuilder(Userdata):
    """Takes the bytes of a message; `close` makes them the content of the message it was opened for."""

    lua_type = "msys.core:_io_object"

    def __init__(self, message: Message) -> None:
        self._message = message
        self._pieces: list[str] = []
        self._open = True

    def write(self, data: Any, length: Any = ABSENT) -> int:
        """Append `data`, or its first `length` bytes; the number of bytes taken."""
        if not self._open:
            raise RuntimeFault("'write': this message is built already")
        piece = check_string("write", 1, data)
        if length is not ABSENT and length is not None:
            piece = piece[: max(0, check_integer("write", 2, length))]
        self._pieces.append(piece)
        return len(piece)

    def close(self) -> bool:
        """Hand the content over. True, also when it was closed before."""
        if self._open:
            self._open = False
            self._message.raw("".join(self._pieces))
        return True
