"""Where `print` writes: to the running call's output, to the paniclog, or to standard output outside of any call."""

from __future__ import annotations

import sys

from msys.lua.bytestr import to_bytes
from msys.ports import current


def write_line(line: str) -> None:
    """One line of `print`."""
    try:
        call = current()
    except LookupError:
        write_standard(line + "\n")
        return
    if call.output is not None:
        call.output(line)
    else:
        call.ports.log.panic("scriptlet", line, "notice")


def write_standard(text: str) -> None:
    """Bytes to standard output, whatever its encoding."""
    stream = sys.stdout
    buffer = getattr(stream, "buffer", None)
    if buffer is None:
        stream.write(text)
    else:
        buffer.write(to_bytes(text))
