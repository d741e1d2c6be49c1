"""File handles as the io library has them: our own buffers over an unbuffered binary file.

Reading and writing in Lua's formats works on the buffers; only filling and emptying them touches the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from msys.lua.absent import ABSENT
from msys.lua.arguments import integer_arg, optional_number, optional_string, string_arg
from msys.lua.blocking import blocking, failure
from msys.lua.bytestr import to_bytes, to_str
from msys.lua.errors import ArgumentError, RuntimeFault
from msys.lua.numbers import parse_number, to_integer
from msys.lua.userdata import Userdata

BLOCK = 65536  # octets read or written at once: chosen, what a pipe holds
_NUMBER = re.compile(
    rb"[ \t\n\v\f\r]*([+-]?(?:0[xX][0-9a-fA-F]+|[0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?))"
)
_WHENCE = {"set": 0, "cur": 1, "end": 2}
_LONGEST_NUMBER = 200  # octets, LUAI_MAXNUMBER2STR and blanks: what is looked at for `*n`


class LuaFile(Userdata):
    """An open file. `raw` needs read, write, seek, flush and close as `io.FileIO` has them."""

    __slots__ = (
        "_ahead",
        "_closed",
        "_line_buffered",
        "_on_close",
        "_pending",
        "_pending_size",
        "_raw",
    )
    lua_type = "file"
    lua_hidden = frozenset(("is_closed", "read_formats", "write_values"))

    def __init__(self, raw: Any, on_close: Callable[[], Any] | None = None) -> None:
        self._raw = raw
        self._on_close = on_close
        self._ahead = b""  # read, not yet asked for
        self._pending: list[bytes] = []  # written, not yet passed on
        self._pending_size = 0
        self._line_buffered = False
        self._closed = False

    def __del__(self) -> None:
        if not self._closed:
            try:
                self._empty()
                self._raw.close()
            except (OSError, ValueError, AttributeError):
                pass  # nobody is left to tell; Lua's collector is silent too

    def lua_tostring(self) -> str:
        return "file (closed)" if self._closed else f"file (0x{id(self):08x})"

    def is_closed(self) -> bool:
        return self._closed

    def _check(self) -> None:
        if self._closed:
            raise RuntimeFault("attempt to use a closed file")

    # --- reading -----------------------------------------------------------------------------------------

    def _fill(self) -> bool:
        """More bytes ahead; False at the end of the file."""
        if self._pending:
            self._empty()
        block = blocking(lambda: self._raw.read(BLOCK))
        if not block:
            return False
        self._ahead += block
        return True

    def _read_line(self) -> str | None:
        searched = 0
        while (end := self._ahead.find(b"\n", searched)) < 0:
            searched = len(self._ahead)
            if not self._fill():
                if not self._ahead:
                    return None
                end = len(self._ahead)
                break
        line, self._ahead = self._ahead[:end], self._ahead[end + 1 :]
        return to_str(line)

    def _read_count(self, size: int) -> str | None:
        while len(self._ahead) < size and self._fill():
            pass
        if not self._ahead and (size or not self._fill()):
            return None
        found, self._ahead = self._ahead[:size], self._ahead[size:]
        return to_str(found)

    def _read_all(self) -> str:
        while self._fill():
            pass
        found, self._ahead = self._ahead, b""
        return to_str(found)

    def _read_number(self) -> float | int | None:
        while len(self._ahead.lstrip()) < _LONGEST_NUMBER and self._fill():
            pass
        match = _NUMBER.match(self._ahead)
        if match is None:
            self._ahead = self._ahead.lstrip(b" \t\n\v\f\r")
            return None
        self._ahead = self._ahead[match.end() :]
        text = to_str(match.group(1)).lstrip("+")
        return parse_number(text if "x" in text.lower() else _without_octal(text))

    def _read_one(self, wanted: Any, position: int) -> Any:
        if wanted.__class__ is int or wanted.__class__ is float:
            return self._read_count(max(0, to_integer(wanted)))
        if wanted.__class__ is not str or not wanted.startswith("*"):
            raise ArgumentError(position, "read", "invalid option")
        reader = _FORMATS.get(wanted[1:2])
        if reader is None:
            raise ArgumentError(position, "read", "invalid format")
        return reader(self)

    def read(self, *formats: Any) -> Any:
        """One value per format (`*n`, `*a`, `*l`, a count), nil at the first that fails."""
        return self.read_formats(formats, 2)

    def read_formats(self, formats: tuple[Any, ...], first: int) -> Any:
        self._check()
        found = []
        try:
            for position, wanted in enumerate(formats or ("*l",), first):
                found.append(self._read_one(wanted, position))
                if found[-1] is None:
                    break
        except OSError as error:
            return failure(error)
        return found[0] if len(found) == 1 else tuple(found)

    def lines(self, *_: Any) -> Lines:
        """`for line in file:lines()`."""
        self._check()
        return Lines(self, close=False)

    # --- writing -----------------------------------------------------------------------------------------

    def _empty(self) -> None:
        """Pass on what was written."""
        if self._pending:
            data = b"".join(self._pending)
            self._pending.clear()
            self._pending_size = 0
            blocking(lambda: _write_whole(self._raw, data))

    def write(self, *values: Any) -> Any:
        """Strings and numbers, one after the other."""
        return self.write_values(values, 2)

    def write_values(self, values: tuple[Any, ...], first: int) -> Any:
        self._check()
        try:
            if self._ahead:
                self._forget_ahead()
            for position, value in enumerate(values, first):
                data = to_bytes(
                    value if value.__class__ is str else string_arg(value, position, "write")
                )
                self._pending.append(data)
                self._pending_size += len(data)
            if self._pending_size >= BLOCK or self._line_buffered:
                self._empty()
        except OSError as error:
            return failure(error)
        return True

    def _forget_ahead(self) -> None:
        """Back to where Lua believes the file to be."""
        back, self._ahead = len(self._ahead), b""
        if back:
            blocking(lambda: self._raw.seek(-back, 1))

    def flush(self, *_: Any) -> Any:
        self._check()
        try:
            self._empty()
            blocking(self._raw.flush)
        except OSError as error:
            return failure(error)
        return True

    def seek(self, whence: Any = "cur", offset: Any = 0, *_: Any) -> Any:
        """Where the file is then, from its beginning."""
        self._check()
        origin = optional_string(whence, 2, "seek", "cur")
        if origin not in _WHENCE:
            raise ArgumentError(2, "seek", f"invalid option '{origin}'")
        distance = to_integer(optional_number(offset, 3, "seek", 0))
        try:
            self._empty()
            if _WHENCE[origin] == 1:
                distance -= len(self._ahead)
            self._ahead = b""
            return blocking(lambda: self._raw.seek(distance, _WHENCE[origin]))
        except OSError as error:
            return failure(error)

    def setvbuf(self, mode: Any = ABSENT, size: Any = None, *_: Any) -> Any:
        """`full` keeps what is written until there is a block of it; `line` and `no` pass it on at once."""
        self._check()
        wanted = string_arg(mode, 2, "setvbuf")
        if wanted not in ("no", "line", "full"):
            raise ArgumentError(2, "setvbuf", f"invalid option '{wanted}'")
        if size is not None:
            integer_arg(size, 3, "setvbuf")
        self._line_buffered = wanted != "full"
        if self._line_buffered:
            self._empty()
        return True

    def close(self, *_: Any) -> Any:
        self._check()
        try:
            self._empty()
            self._closed = True
            blocking(self._raw.close)
            if self._on_close is not None:
                return self._on_close()
        except OSError as error:
            return failure(error)
        return True


def _without_octal(text: str) -> str:
    """`*n` reads with C's scanf, which knows no octal."""
    sign = "-" if text.startswith("-") else ""
    digits = text.lstrip("-").lstrip("0")
    return sign + (digits if digits[:1].isdigit() else "0" + digits)


def _write_whole(raw: Any, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[raw.write(view) :]


_FORMATS: dict[str, Callable[[LuaFile], Any]] = {
    "n": LuaFile._read_number,
    "l": LuaFile._read_line,
    "a": LuaFile._read_all,
}


class Lines:
    """What `lines` returns: a Lua iterator function that Python can walk too."""

    __slots__ = ("_close", "_file")

    def __init__(self, file: LuaFile, *, close: bool) -> None:
        self._file = file
        self._close = close

    def __call__(self, *_: Any) -> Any:
        if self._file.is_closed():
            raise RuntimeFault("file is already closed")
        line = self._file.read()
        if line.__class__ is tuple:
            raise RuntimeFault(str(line[1]))
        if line is not None:
            return line
        if self._close:
            self._file.close()
        return ()

    def __iter__(self) -> Iterator[Any]:
        while (line := self()) != ():
            yield line
