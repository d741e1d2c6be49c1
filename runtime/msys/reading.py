"""`msys.readfile`, through the files port."""

from __future__ import annotations

from msys.arguments import check_string
from msys.catalog.binding import documented
from msys.lua.bytestr import to_str
from msys.ports import PortError, current, wait

__all__ = ["readfile"]


@documented(
    "msys.readfile",
    assumed="relative paths are looked for in the configuration's search path, then the working directory",
)
def readfile(filename_or_uri: str) -> tuple[str | None, str | None]:
    """The whole content of a file or URI; nil and the reason when it cannot be read.

    Schemes beside plain paths and `file://` must be allowed by the configuration. Waits.
    Source: lua.ref.msys.readfile.
    """
    path = check_string("readfile", 1, filename_or_uri)
    try:
        return to_str(wait(current().ports.files.read(path))), None
    except PortError as error:
        return None, str(error)
