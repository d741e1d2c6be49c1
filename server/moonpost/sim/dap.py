"""Debugging policy from an editor, by the Debug Adapter Protocol: debugpy listens, on this machine only.

debugpy is an optional extra. Over stdio a small process of ours carries bytes between the editor and debugpy.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

STDIO = "stdio"


class Refused(Exception):
    """A debugger that cannot be opened: why, and what to do."""


def address_of(text: str) -> tuple[str, int]:
    """`127.0.0.1:5678`, `[::1]:5678`, `localhost:5678`. Raises Refused for anything else."""
    host, colon, port = text.rpartition(":")
    host = host.strip("[]")
    if not colon or not port.isdigit() or int(port) > 65_535:
        raise Refused(f"--dap {text}: expected HOST:PORT, as in 127.0.0.1:5678, or stdio")
    try:
        loopback = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise Refused(
            f"--dap {text}: whoever reaches a debugger can run anything, so it listens on loopback "
            f"only; use 127.0.0.1:{port}, and a tunnel from elsewhere (ssh -L {port}:127.0.0.1:{port})"
        )
    return host, int(port)


def attach(where: str, folders: Sequence[Path]) -> None:
    """Listen, and wait until an editor has attached and set its breakpoints. folders: where policy lies."""
    stdio = where == STDIO
    host, port = ("127.0.0.1", 0) if stdio else address_of(where)
    # What debugpy takes for the user's own code; the rest is not stepped into. Read when it starts.
    os.environ["IDE_PROJECT_ROOTS"] = os.pathsep.join(map(str, folders))
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = (
        "1"  # frozen modules of Python do not matter here
    )
    try:
        import debugpy
    except ImportError:
        raise Refused(
            "the Debug Adapter Protocol needs debugpy: pip install 'moonpost[debug]'"
        ) from None
    debugpy.configure(subProcess=False)  # else it takes hold of the compiler's process as well
    try:
        host, port = debugpy.listen((host, port))
    except RuntimeError as error:
        raise Refused(f"--dap {where}: {error}") from None
    if stdio:
        _carry(port)
    else:
        print(f"waiting for a debugger to attach to {host}:{port}", file=sys.stderr, flush=True)
    debugpy.wait_for_client()


def _carry(port: int) -> None:
    """Hand standard input and output to a process that connects them with debugpy; ours go to standard error.

    It ends when debugpy has said its last word, which is after the end of this process.
    """
    subprocess.Popen([sys.executable, "-m", "moonpost.sim.relay", str(port)])
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
