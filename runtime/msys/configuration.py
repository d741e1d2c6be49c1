"""`msys.config`: the console's `config` command for policy, through the configuration port."""

from __future__ import annotations

from typing import Any

from msys.arguments import bad_argument, check_string
from msys.catalog.binding import documented
from msys.lua import Table, tostring
from msys.ports import current

__all__ = ["config"]

ACTIONS = ("get", "eval", "set", "unset")


def _shown(value: Any) -> Any:
    """An option as Lua sees it: text; a list is an array of text; unset is nil."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return Table.array(*map(_shown, value))
    return tostring(value)


@documented(
    "msys.config",
    assumed="values are text as configured, lists arrays of it; unset or unknown is nil and the console's "
    "text; get, eval, set and unset only",
)
def config(action: str, *parameters: Any) -> tuple[Any, str]:
    """Read or change the live configuration: the words of the console's `config` command.

    action: get (that scope only), eval (with fallback and default), set or unset; another raises.
    The option's value (nil when unset or unknown) and what the console would print. A change lasts until
    the next reload. Source: lua.ref.msys.config.
    """
    verb = check_string("config", 1, action)
    if verb not in ACTIONS:
        raise bad_argument("config", 1, f"one of {', '.join(ACTIONS)} expected, got '{verb}'")
    words = [
        tostring(word) if isinstance(word, bool) else check_string("config", number, word)
        for number, word in enumerate(parameters, 2)
    ]
    value, text = current().ports.configuration.command([verb, *words])
    return _shown(value), text
