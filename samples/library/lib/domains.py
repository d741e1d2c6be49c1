"""domains.lua (sha256 b78a1b359985), translated by moonpost 0.1.0."""

from __future__ import annotations

from typing import Any

from msys.lua import Table, first, module, seeall, string

# Shared by several scripts: what we know of mail domains.
M = module("library.lib.domains", seeall)

FREE = Table({"freemail.example.test": True, "webmail.example.test": True})


# The domain of an address in lower case; an empty string when it has none.
def of(address: Any = None, *_: Any) -> str:
    return string.lower(first(string.match(address, "@([^@]+)$")) or "")


M["of"] = of


def is_free(domain: Any = None, *_: Any) -> bool:
    return FREE[domain] is True


M["is_free"] = is_free
