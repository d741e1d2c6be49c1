"""Files for policy: whole reads and handles, off the event loop, for the schemes that are allowed.

A relative path is looked for in the configuration's search path, then in the working directory.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Sequence
from typing import IO, Any
from urllib.parse import unquote

from msys.lua.bytestr import to_bytes
from msys.ports import Http, PortError

READ_MAX = 256 * 1024 * 1024  # chosen: refuse to fill memory with a file that was given by mistake

MODES = {os.O_RDONLY: "rb", os.O_WRONLY: "wb", os.O_RDWR: "r+b"}


def port_error(error: OSError, path: str) -> PortError:
    """The error as policy sees it: the errno name, and text that names the path once."""
    code = errno.errorcode.get(error.errno or 0, "EIO")
    return PortError(code, f"{path}: {os.strerror(error.errno or errno.EIO)}")


class PolicyFiles:
    """The Files port.

    search_path: directories for relative paths. schemes: URI schemes that may be read; `http` and
    `https` need `http`.
    """

    def __init__(
        self,
        search_path: Sequence[str] = (),
        schemes: Sequence[str] = ("file",),
        http: Http | None = None,
    ) -> None:
        self._search_path = tuple(search_path)
        self._schemes = frozenset(schemes)
        self._http = http

    def resolve(self, path: str) -> str:
        if "\0" in path:
            raise PortError("EINVAL", "a path cannot contain a NUL")
        if os.path.isabs(path):
            return path
        for folder in self._search_path:
            found = os.path.join(folder, path)
            if os.path.exists(to_bytes(found)):
                return found
        return os.path.abspath(path)

    def read(self, uri: str) -> Awaitable[bytes]:
        scheme, path = self._split(uri)
        if scheme in ("http", "https"):
            return self._get(uri)
        return asyncio.to_thread(_read, self.resolve(path))

    def open(self, uri: str, flags: int, mode: int) -> Awaitable[Any]:
        scheme, path = self._split(uri)
        if scheme != "file":
            raise PortError("EPROTONOSUPPORT", f"{uri}: '{scheme}' can only be read whole")
        return asyncio.to_thread(_open, self.resolve(path), flags, mode)

    def _split(self, uri: str) -> tuple[str, str]:
        """Scheme and path; `file` when there is no scheme."""
        scheme, found, rest = uri.partition("://")
        if not found or "/" in scheme:
            return "file", uri
        scheme = scheme.lower()
        if scheme not in self._schemes:
            allowed = ", ".join(sorted(self._schemes))
            raise PortError(
                "EPROTONOSUPPORT",
                f"{uri}: scheme '{scheme}' is not allowed (allowed: {allowed})",
            )
        return scheme, unquote(rest, encoding="latin-1")

    async def _get(self, uri: str) -> bytes:
        if self._http is None:
            raise PortError("EPROTONOSUPPORT", f"{uri}: no HTTP client here")
        asked = self._http.request("GET", uri, (), b"", 60.0)
        reply = asked if not isinstance(asked, Awaitable) else await asked
        if reply.status != 200:
            raise PortError("EIO", f"{uri}: {reply.status} {reply.reason}")
        return reply.body


def _read(path: str) -> bytes:
    try:
        with open(to_bytes(path), "rb") as file:
            if os.fstat(file.fileno()).st_size > READ_MAX:
                raise PortError("EFBIG", f"{path}: {os.strerror(errno.EFBIG)}")
            return file.read(READ_MAX)
    except OSError as error:
        raise port_error(error, path) from None


def _open(path: str, flags: int, mode: int) -> IO[bytes]:
    try:
        descriptor = os.open(to_bytes(path), flags | os.O_CLOEXEC, mode)
        access = MODES[flags & os.O_ACCMODE]
        return os.fdopen(descriptor, "ab" if flags & os.O_APPEND else access)
    except OSError as error:
        raise port_error(error, path) from None
