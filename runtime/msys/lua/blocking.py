"""Work that may block: in the IO pool while policy is running, so that other sessions go on; directly elsewhere."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any, TypeVar

from msys.ports import PortError, current, wait

T = TypeVar("T")


def blocking(job: Callable[[], T]) -> T:
    """The result of `job`."""
    try:
        call = current()
    except LookupError:
        return job()
    return wait(call.ports.pools.run("IO", job)) if call.can_wait else job()


def open_raw(path: str, flags: int) -> Any:
    """A binary file object; OSError when it can't be opened."""
    try:
        call = current()
    except LookupError:
        return os.fdopen(
            os.open(path, flags | os.O_CLOEXEC, 0o666), _PYTHON_MODES[flags & os.O_ACCMODE], 0
        )
    try:
        return wait(call.ports.files.open(path, flags, 0o666))
    except PortError as error:
        number = getattr(errno, error.code, errno.EIO)
        raise OSError(number, os.strerror(number)) from error


_PYTHON_MODES = {os.O_RDONLY: "rb", os.O_WRONLY: "wb", os.O_RDWR: "r+b"}


def failure(error: OSError, name: str = "") -> tuple[None, str, int]:
    """Lua's three results for an operation of the system that failed."""
    number = error.errno or errno.EBADF
    text = os.strerror(number)
    return None, f"{name}: {text}" if name else text, number
