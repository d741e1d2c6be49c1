"""Which Lua files a command's PATHS mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path


def lua_files(paths: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
    """Folder that was named (or the file's own) and each Lua file in it, in a stable order."""
    for path in paths:
        if path.is_dir():
            for file in sorted(path.rglob("*.lua")):
                yield path, file
        else:
            yield path.parent, path
