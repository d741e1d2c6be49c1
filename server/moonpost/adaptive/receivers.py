"""The rules that stand below those of policy: a versioned file that moonpost ships, or the operator's own.

A file is TOML: `version`, `date`, an `aliases` table, and for each domain `responses` (as in registerRules) and
`configuration` (a number, or [low, high]).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from msys.adaptive import DomainRules, Response, parse_action, parse_trigger
from msys.lua.bytestr import to_bytes
from msys.pcre_engine import BadPattern, compiled

VERSION: Final = 1
SHIPPED: Final = "receivers.toml"


class BadRules(ValueError):
    """A file of rules that cannot be used; the text names file and place."""


def read_receivers(path: str | None) -> Mapping[str, DomainRules | str]:
    """Rules by domain, aliases as text. path: None for the shipped file. BadRules says why it cannot be used."""
    try:
        if path is None:
            text = files("moonpost.adaptive").joinpath(SHIPPED).read_text(encoding="utf-8")
        else:
            text = Path(path).read_text(encoding="utf-8")
        return _read(tomllib.loads(text), path or SHIPPED)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRules(f"{path or SHIPPED}: {error}") from None


def _read(table: Mapping[str, Any], where: str) -> dict[str, DomainRules | str]:
    if table.get("version") != VERSION:
        raise BadRules(
            f"{where}: version {table.get('version')}, and this moonpost reads {VERSION}"
        )
    found: dict[str, DomainRules | str] = {}
    for domain, entry in table.items():
        if domain in ("version", "date"):
            continue
        if domain == "aliases":
            found |= {str(name).lower(): str(target).lower() for name, target in entry.items()}
            continue
        try:
            responses = [_response(row) for row in entry.get("responses", ())]
            configuration = {
                option.lower(): tuple(value) if isinstance(value, list) else value
                for option, value in entry.get("configuration", {}).items()
            }
        except (BadPattern, KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadRules(f"{where}: {domain}: {error}") from None
        found[domain.lower()] = DomainRules(responses, configuration)
    return found


def _response(row: Mapping[str, Any]) -> Response:
    code, words = row["code"], row["action"]
    compiled(to_bytes(code), False)
    events, seconds = parse_trigger(row.get("trigger", "1"))
    pairs = [parse_action(*words[at : at + 2]) for at in range(0, len(words) - 1, 2)]
    actions = tuple(action for action in pairs if action is not None)
    if len(words) % 2 or len(actions) < len(words) / 2 or not words:
        raise ValueError(f"{code}: ( {' '.join(map(str, words))} ) is no run of actions")
    return Response(code, events, seconds, actions, row.get("message", ""))
