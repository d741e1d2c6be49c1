"""The module `alias`: what is behind a recipient, by the SQL queries of its schemes.

The first scheme of `Alias_Schemes` that knows an address decides; what it says is looked up again. An address that was
expanded never comes back, so aliases that name each other end. Source: Momentum's pages of the module and the option.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from inspect import isawaitable
from typing import Any

from moonpost.config.model import Config
from moonpost.phases.addresses import parse_path
from msys.ports import Database

MOST_ADDRESSES = 1000  # behind one recipient; chosen as Postfix's virtual_alias_expansion_limit

MACRO = re.compile(r"%\{([^}]*)\}")


class AliasError(Exception):
    """An alias that can't be expanded: which, and why."""


class Aliases:
    """`moonpost.inbound.interface.Expander` over the configured datasources."""

    def __init__(self, config: Callable[[], Config], database: Database) -> None:
        self._config = config
        self._database = database

    async def expand(self, recipients: Sequence[str], pathway: str) -> dict[str, list[str]]:
        """Alias -> addresses, for the recipients that are aliases. AliasError, PortError: try again later."""
        config = self._config()
        schemes = schemes_of(config)
        expanded: set[str] = set()
        found: dict[str, list[str]] = {}
        for recipient in recipients:
            behind = await self._behind(config, schemes, recipient, pathway, expanded)
            if behind is not None:
                found[recipient] = behind
        return found

    async def _behind(
        self,
        config: Config,
        schemes: Mapping[str, Mapping[str, Any]],
        recipient: str,
        pathway: str,
        expanded: set[str],
    ) -> list[str] | None:
        """The addresses at the end of a recipient's aliases; None when it is no alias."""
        ends: dict[str, None] = {}
        waiting = [recipient]
        while waiting:
            address = waiting.pop(0)
            if address.lower() in expanded:
                continue
            names = config.recipient_option("alias_schemes", _domain(address), pathway) or ()
            behind = await self._first(schemes, names, address)
            if not behind:
                ends[address] = None
                continue
            expanded.add(address.lower())
            waiting += behind
            if len(ends) + len(waiting) > MOST_ADDRESSES:
                raise AliasError(f"{recipient}: more than {MOST_ADDRESSES} addresses behind it")
        if not ends:
            raise AliasError(f"{recipient}: its aliases name each other and nobody else")
        return None if list(ends) == [recipient] else list(ends)

    async def _first(
        self, schemes: Mapping[str, Mapping[str, Any]], names: Sequence[str], address: str
    ) -> list[str]:
        for name in names:
            found = await self._ask(name, schemes[name], address)
            if found:
                return found
        return []

    async def _ask(self, name: str, scheme: Mapping[str, Any], address: str) -> list[str]:
        words = {key: filled(text, address) for key, text in (scheme.get("map") or {}).items()}
        rows = self._database.query(scheme["cache"], scheme["query"], words, nocache=False)
        if isawaitable(rows):
            rows = await rows
        column = scheme.get("column")
        found = []
        for row in rows:
            value = row.get(column) if column else next(iter(row.values()), None)
            if value in (None, ""):
                continue
            path = parse_path(f"<{value}>", _nothing_else)
            if path is None or not path.address or path.parameters:
                raise AliasError(f"{address}: scheme {name} answers `{value}`, which is no address")
            found.append(path.address)
        return found


def schemes_of(config: Config) -> dict[str, Mapping[str, Any]]:
    """The schemes of every alias stanza, by name."""
    return {
        name: scheme
        for stanza in config.modules("alias")
        for name, scheme in (stanza.get("scheme") or {}).items()
    }


def filled(text: str, address: str) -> str:
    """A value of a scheme's map with its macros replaced."""
    localpart, _, domain = address.rpartition("@")
    values = {"localpart": localpart, "domain": domain, "rcptto": address}
    return MACRO.sub(lambda macro: values.get(macro.group(1), macro.group()), text)


def _domain(address: str) -> str:
    return address.rpartition("@")[2]


def _nothing_else(text: str) -> tuple[str, str]:
    """A quoted local part is taken as it is written."""
    return text.strip("<>"), ""
