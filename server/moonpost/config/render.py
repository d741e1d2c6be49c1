"""Writes docs/reference/configuration.md from the tables: `python -m moonpost.config.render`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Final

from moonpost.config.diagnostics import RULES
from moonpost.config.options import CONSEQUENTIAL, HARMLESS, OWN, YES, OptionRow, options
from moonpost.config.scopes import GLOBAL, GROUPS, SCOPES, ScopeRow
from moonpost.config.values import LISTS, SCALARS

PAGE: Final = Path(__file__).parents[3] / "docs" / "reference" / "configuration.md"
COMMAND: Final = "python -m moonpost.config.render"

_SUPPORT: Final = {
    YES: "yes",
    HARMLESS: "no effect",
    CONSEQUENTIAL: "refused",
    OWN: "moonpost's own",
}


def page() -> str:
    """The whole page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    rows = list(options().values())
    counts = {name: sum(row.support == name for row in rows) for name in _SUPPORT}
    yield from (
        "# Configuration reference",
        "",
        f"Made from the tables by `{COMMAND}`; do not edit. How to write a configuration is in",
        "[configuration.md](../configuration.md).",
        "",
        f"{len(rows)} options: {counts[YES]} provided, {counts[OWN]} of moonpost's own, "
        f"{counts[HARMLESS]} accepted without effect, {counts[CONSEQUENTIAL]} refused.",
        "",
        "- **yes**: moonpost does what the option says.",
        "- **no effect**: accepted and listed at the start; mail is treated the same.",
        "- **refused**: a value other than the default keeps the server from starting, unless",
        "  `accept_missing` names the option.",
        "- **moonpost's own**: not known to Momentum.",
        "",
        "Options marked with † take effect at the next start.",
        "",
        "## Types",
        "",
    )
    yield from _types()
    yield from ("", "## Groups of scopes", "")
    for name, scopes in GROUPS.items():
        if name == "module":
            yield "- **module**: every module"
        else:
            yield f"- **{name}**: {', '.join(SCOPES[scope].name for scope in scopes)}"
    for section, group in groupby(rows, lambda row: row.section):
        yield from ("", f"## Options: {section}", "")
        yield "| Option | Type | Default | Scopes | Support | Meaning |"
        yield "| --- | --- | --- | --- | --- | --- |"
        yield from map(_option, group)
    yield from (
        "",
        "## Scopes",
        "",
        "| Scope | Name | Stands in | Support |",
        "| --- | --- | --- | --- |",
    )
    yield from (_scope(row) for row in SCOPES.values() if row.name != GLOBAL)
    yield from ("", "## Diagnostics", "")
    for code, rule in RULES.items():
        yield f"- **{code}** ({rule.severity}): {rule.title}. {rule.explain}"


def _types() -> Iterator[str]:
    for name, (_, wanted) in SCALARS.items():
        yield f"- `{name}`: {_cell(wanted)}"
    for name, (_, wanted) in LISTS.items():
        yield f"- `{name}`: a list of {_cell(wanted)}"
    yield "- `dict`: a dictionary `[ key = value ]`"
    yield "- `a or b`: one of several; a word that is no type stands for itself"


def _option(row: OptionRow) -> str:
    cells = (
        f"`{row.name}`" + ("" if row.dynamic else " †"),
        " or ".join(row.type.split("|")),
        f"`{row.default_text}`" if row.default_text and row.default_text != "unset" else "",
        ", ".join(_scope_name(word) for word in row.scopes_text.split()),
        _SUPPORT[row.support],
        row.meaning,
    )
    return f"| {' | '.join(map(_cell, cells))} |"


def _scope_name(word: str) -> str:
    return f"**{word}**" if word in GROUPS else SCOPES[word].name


def _scope(row: ScopeRow) -> str:
    support = {YES: "yes", HARMLESS: "no effect"}.get(row.support, "refused")
    kind = " (module)" if row.module else ""
    return f"| {row.name}{kind} | {row.naming} | {', '.join(row.parents)} | {support} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
