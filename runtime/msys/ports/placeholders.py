"""SQL with any of the documented placeholders, as SQL with `:p1`, `:p2`, …

`?` takes the parameters in order, `:name` and `$name` by key. Quoted strings, quoted names, comments and
`::` casts are left alone. Pure: text in, text and parameters out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

TOKEN = re.compile(
    r"""
    (?P<kept>
        '(?:[^']|'')*' | "(?:[^"]|"")*" | `[^`]*`      # strings and quoted names
      | --[^\n]* | /\*.*?\*/                           # comments
      | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$                # PostgreSQL dollar quotes
      | ::                                             # casts
    )
  | (?P<mark>\?)
  | [:$](?P<name>[A-Za-z_]\w*|\d+)
  | (?P<colon>:)
    """,
    re.VERBOSE | re.DOTALL,
)


class MissingParameter(Exception):
    """A placeholder that no parameter was given for."""


def named(
    sql: str, params: Sequence[Any] | Mapping[str, Any], colon: str = ":"
) -> tuple[str, dict[str, Any]]:
    """The statement with named placeholders, and its parameters by name.

    colon: how a colon that is no placeholder is written (`\\:` for `sqlalchemy.text`).

    `:1` and `$1` take the parameters by number. A name without a parameter is NULL when the parameters
    are given by name (nil in a Lua table is absence), and raises MissingParameter when they are a list.
    """
    bound: dict[str, Any] = {}
    count = 0

    def value_of(name: str) -> Any:
        if isinstance(params, Mapping):
            return params.get(name)
        if name.isdigit() and 0 < int(name) <= len(params):
            return params[int(name) - 1]
        raise MissingParameter(f"no parameter for placeholder '{name}'")

    def one(match: re.Match[str]) -> str:
        nonlocal count
        kept = match["kept"] or match["colon"]
        if kept:
            return kept.replace(":", colon)
        name = match["name"]
        if name is None:
            count += 1
            if isinstance(params, Mapping):
                value = params.get(str(count))
            elif count > len(params):
                raise MissingParameter(
                    f"{len(params)} parameters for {sql.count('?')} placeholders"
                )
            else:
                value = params[count - 1]
        else:
            value = value_of(name)
        key = f"p{len(bound) + 1}"
        bound[key] = value
        return f":{key}"

    return TOKEN.sub(one, sql), bound
