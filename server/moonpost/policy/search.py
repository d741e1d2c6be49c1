"""Which file a script's `source` or a `require` means, and whether it may be run.

Names use `.` or `/` between folders and have no `.lua`. Nothing outside the search path is reached: no `..`, no NUL, no
link that leads out.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

GENERATED = re.compile(
    r"\(sha256 [0-9a-f]{12}\), translated by moonpost"
)  # first line of every module we write


class SourceRefused(Exception):
    """A script that must not be loaded: which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Found:
    """A source file: where it is, and how people see it."""

    path: Path
    shown: str  # relative to its search directory
    language: str  # lua, python


def relative_names(name: str) -> list[str]:
    """The paths a name may mean, without suffix, best first."""
    return [name] if "/" in name else [name.replace(".", "/")]


def candidates(name: str, roots: Sequence[Path]) -> list[Path]:
    """Every file that `name` could be, in the order they are tried."""
    if name.startswith("/"):
        return [Path(name)]
    found = []
    for root in roots:
        for relative in relative_names(name):
            found += [
                root / f"{relative}.lua",
                root / f"{relative}.py",
                root / relative / "init.lua",
            ]
    return found


def find(name: str, roots: Sequence[Path], *, allow_writable: bool = False) -> Found | None:
    """The file `name` means; None when there is none. Raises SourceRefused for a name or file that is not allowed."""
    if "\0" in name or ".." in name.replace("/", ".").split("...") or "/../" in f"/{name}/":
        raise SourceRefused(f"source {name!r}: '..' and NUL are not allowed in a script's name")
    for path in candidates(name, roots):
        if not path.is_file():
            continue
        root = next((r for r in roots if path.is_relative_to(r)), path.parent)
        if not path.resolve().is_relative_to(root.resolve()):
            raise SourceRefused(
                f"{path}: leads out of {root} through a link; put the file itself there"
            )
        _check_mode(path, allow_writable)
        language = "lua" if path.suffix == ".lua" else "python"
        if language == "lua":
            _check_twin(path)
        return Found(path, str(path.relative_to(root)), language)
    return None


def is_generated(path: Path) -> bool:
    """Whether a `.py` file was written by the compiler."""
    with path.open(encoding="utf-8", errors="replace") as file:
        return GENERATED.search(file.readline()) is not None


def _check_twin(path: Path) -> None:
    twin = path.with_suffix(".py")
    if twin.is_file() and not is_generated(twin):
        raise SourceRefused(
            f"{path}: {twin.name} beside it was not made from it by moonpost; keep one of them"
        )


def _check_mode(path: Path, allow_writable: bool) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o022 and not allow_writable:
        raise SourceRefused(
            f"{path}: mode {mode:04o} lets others change it, so it is not run; "
            f"chmod go-w it, or set allow_writable_policy = true"
        )
