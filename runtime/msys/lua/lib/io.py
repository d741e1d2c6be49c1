"""The io library. Opening goes through the file port while policy is running."""

from __future__ import annotations

import os as _os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from msys.lua.absent import ABSENT
from msys.lua.arguments import any_arg, optional_string, string_arg, wrong_type
from msys.lua.blocking import blocking, failure, open_raw
from msys.lua.bytestr import to_bytes
from msys.lua.environment import present_environment
from msys.lua.errors import ArgumentError, RuntimeFault
from msys.lua.luafile import Lines, LuaFile
from msys.lua.tables import Table


class _Standard:
    """A standard stream, looked up when it is used: whoever redirects `sys.stdout` is heard."""

    def __init__(self, name: str) -> None:
        self._name = name

    def _buffer(self) -> Any:
        return getattr(sys, self._name).buffer

    def read(self, size: int) -> Any:
        return self._buffer().read1(size)

    def write(self, data: Any) -> int:
        stream = self._buffer()
        written = stream.write(data)
        if self._name == "stderr":
            stream.flush()
        return int(written)

    def seek(self, offset: int, whence: int) -> int:
        return int(self._buffer().seek(offset, whence))

    def flush(self) -> None:
        self._buffer().flush()

    def close(self) -> None:
        """Standard streams stay open."""


class StandardFile(LuaFile):
    """Standard input or output: written through at once, never closed."""

    __slots__ = ()

    def __init__(self, name: str) -> None:
        super().__init__(_Standard(name))
        self._line_buffered = True  # the stream below has the buffer, shared with `print`

    def close(self, *_: Any) -> Any:
        return (None, "cannot close standard file")

    def __del__(self) -> None:
        """Nothing to close."""


stdin = StandardFile("stdin")
stdout = StandardFile("stdout")
stderr = StandardFile("stderr")

_defaults: dict[str, LuaFile] = {}


def _files() -> dict[str, LuaFile]:
    """The default input and output of the running environment."""
    env = present_environment()
    if env is None:
        return _defaults
    return env.services.setdefault("lua.io", {})  # type: ignore[no-any-return]


def _default_input() -> LuaFile:
    return _files().get("input", stdin)


def _default_output() -> LuaFile:
    return _files().get("output", stdout)


# fopen's mode -> O_* flags; a `b` is allowed anywhere after the letter
_FLAGS = {
    "r": _os.O_RDONLY,
    "r+": _os.O_RDWR,
    "w": _os.O_WRONLY | _os.O_CREAT | _os.O_TRUNC,
    "w+": _os.O_RDWR | _os.O_CREAT | _os.O_TRUNC,
    "a": _os.O_WRONLY | _os.O_CREAT | _os.O_APPEND,
    "a+": _os.O_RDWR | _os.O_CREAT | _os.O_APPEND,
}


def _open(path: str, mode: str) -> LuaFile:
    flags = _FLAGS.get(mode.replace("b", ""))
    if flags is None:
        raise OSError(22, "Invalid argument")
    if "\0" in path:
        path = path.partition("\0")[0]  # C's end of the name
    return LuaFile(open_raw(path, flags))


def open(filename: Any = ABSENT, mode: Any = "r", *_: Any) -> Any:
    """A file, or nil, why not, and the system's number for it."""
    path = string_arg(filename, 1, "open")
    try:
        return _open(path, optional_string(mode, 2, "open", "r"))
    except OSError as error:
        return failure(error, path)


def read_whole(path: str) -> str:
    """A file's content for `dofile`; standard input when the name is empty."""
    file = _open(path, "r") if path else stdin
    text: str = file.read("*a")
    if path:
        file.close()
    return text


def close(file: Any = ABSENT, *_: Any) -> Any:
    if file is ABSENT:
        return _default_output().close()
    return _file_arg(file, "close").close()


def _file_arg(value: Any, function: str) -> LuaFile:
    if isinstance(value, LuaFile):
        return value
    raise wrong_type(value, 1, function, "FILE*")


def read(*formats: Any) -> Any:
    return _default_input().read_formats(formats, 1)


def write(*values: Any) -> Any:
    return _default_output().write_values(values, 1)


def flush(*_: Any) -> Any:
    return _default_output().flush()


def lines(filename: Any = None, *_: Any) -> Lines:
    """The lines of a file that is closed at its end; of the default input without a name."""
    if filename is None or filename is ABSENT:
        return _default_input().lines()
    path = string_arg(filename, 1, "lines")
    try:
        return Lines(_open(path, "r"), close=True)
    except OSError as error:
        raise ArgumentError(1, "lines", failure(error, path)[1]) from None


def _redirect(which: str, mode: str, file: Any, default: Callable[[], LuaFile]) -> LuaFile:
    if file is None or file is ABSENT:
        return default()
    if file.__class__ is str:
        try:
            file = _open(file, mode)
        except OSError as error:
            raise ArgumentError(1, which, failure(error, file)[1]) from None
    _files()[which] = _file_arg(file, which)
    return default()


def input(file: Any = None, *_: Any) -> LuaFile:
    return _redirect("input", "r", file, _default_input)


def output(file: Any = None, *_: Any) -> LuaFile:
    return _redirect("output", "w", file, _default_output)


def type(value: Any = ABSENT, *_: Any) -> str | None:
    """`file`, `closed file`, or nil for anything else."""
    if isinstance(any_arg(value, 1, "type"), LuaFile):
        return "closed file" if value.is_closed() else "file"
    return None


def tmpfile(*_: Any) -> Any:
    """A file that is gone when it is closed."""
    try:
        return LuaFile(blocking(lambda: tempfile.TemporaryFile(buffering=0)))
    except OSError as error:
        return failure(error)


def programs_allowed() -> bool:
    """Whether scripts may start programs: off unless the environment's owner says otherwise."""
    env = present_environment()
    return env is not None and bool(env.services.get("lua.programs"))


def popen(command: Any = ABSENT, mode: Any = "r", *_: Any) -> Any:
    text = string_arg(command, 1, "popen")
    if not programs_allowed():
        raise RuntimeFault("'popen' is disabled by the configuration")
    if optional_string(mode, 2, "popen", "r")[:1] == "w":
        process = subprocess.Popen(
            ["/bin/sh", "-c", to_bytes(text)], stdin=subprocess.PIPE, bufsize=0
        )
        raw = process.stdin
    else:
        process = subprocess.Popen(
            ["/bin/sh", "-c", to_bytes(text)], stdout=subprocess.PIPE, bufsize=0
        )
        raw = process.stdout

    def closed() -> bool:
        blocking(process.wait)
        return True

    return LuaFile(raw, closed)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "close": close,
    "flush": flush,
    "input": input,
    "lines": lines,
    "open": open,
    "output": output,
    "popen": popen,
    "read": read,
    "tmpfile": tmpfile,
    "type": type,
    "write": write,
}


def library() -> Table:
    return Table({**FUNCTIONS, "stdin": stdin, "stdout": stdout, "stderr": stderr})
