"""What identifies this compiler: its release, and a hash of everything its output depends on."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from importlib.resources import files
from importlib.resources.abc import Traversable


@cache
def release() -> str:
    """The version of the distribution."""
    try:
        return installed_version("moonpost")
    except PackageNotFoundError:
        return "unreleased"


@cache
def fingerprint() -> str:
    """A hash over the compiler's own files and the catalogue: the key of caches of its output."""
    digest = hashlib.sha256(release().encode())
    for package in ("lua2py", "msys.catalog"):
        for name, data in sorted(_contents(files(package), package)):
            digest.update(f"{name}\0{len(data)}\0".encode())
            digest.update(data)
    return digest.hexdigest()


def _contents(folder: Traversable, name: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        path = f"{name}/{entry.name}"
        if entry.is_dir():
            found += _contents(entry, path)
        elif entry.name.endswith((".py", ".toml", ".tsv")):
            found.append((path, entry.read_bytes()))
    return found
