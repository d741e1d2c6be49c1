"""Compiled policy on disk, keyed by everything its text depends on.

A directory of mode 0700 that must belong to us: what lies in it is executed. Entries are a `.py` file, which tracebacks
and debuggers show, and a `.json` file beside it. No pickle.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Any


class CacheRefused(Exception):
    """The cache directory is not safe to execute from."""


def key_of(*parts: object) -> str:
    """One key from everything that matters."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=list).encode()).hexdigest()[:32]


class CompileCache:
    """Get and put by key; several processes may use one directory."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.stat()
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise CacheRefused(
                f"compile cache {directory}: owner {found.st_uid}, mode {stat.S_IMODE(found.st_mode):04o}; "
                f"it must belong to us with mode 0700, or be removed"
            )
        self.directory = directory

    def path(self, key: str, suffix: str) -> Path:
        return self.directory / f"{key}{suffix}"

    def get(self, key: str) -> dict[str, Any] | None:
        """The JSON of an entry; None when there is none or it cannot be read."""
        try:
            data: dict[str, Any] = json.loads(self.path(key, ".json").read_bytes())
        except (OSError, ValueError):
            return None
        return data

    def put(self, key: str, data: dict[str, Any], python: str | None = None) -> None:
        """Write an entry whole: the `.py` first, the `.json` that announces it last."""
        if python is not None:
            self._write(self.path(key, ".py"), python.encode("utf-8"))
        self._write(self.path(key, ".json"), json.dumps(data, separators=(",", ":")).encode())

    def _write(self, path: Path, content: bytes) -> None:
        handle, temporary = tempfile.mkstemp(dir=self.directory)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
