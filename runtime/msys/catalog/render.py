"""The reference pages and the coverage page, made from rows and docstrings.

    python -m msys.catalog.render [FOLDER]      writes docs/reference/ (default), or FOLDER

A test finds the pages stale and prints this command. The functions are loaded only here: the catalogue
itself knows nothing of them.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from msys.catalog import Result, Row, rows
from msys.catalog.tested import covering

COMMAND = "python -m msys.catalog.render"
FOLDER = Path("docs/reference")
ROOT = Path(__file__).parents[3]

# Why what is missing is missing
REASONS: dict[str, str] = {}

ELEMENTS = re.compile(r"(\w+)<(\w+)>\Z")  # `table<string>`: what a table holds

HEAD = f"<!-- Made by `{COMMAND}` from the catalogue and docstrings; edit those. -->\n"


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _result(result: Result) -> str:
    kinds = " or ".join(ELEMENTS.sub(r"\1 of \2s", kind) for kind in result.kinds)
    return f"{kinds} or nil" if result.optional else kinds


def signature(row: Row) -> str:
    """A row as it is called: `msys.pcre.match(str, pattern)`, `msg.id`."""
    return row.name if row.is_property else f"{row.name}({', '.join(row.params)})"


def results(row: Row) -> str:
    """What a row gives back, in words."""
    if row.results is None:
        return "any number of values"
    return ", ".join(map(_result, row.results)) or "nothing"


def reason(row: Row) -> str:
    """Why a row has no function: the most exact entry of REASONS."""
    for name in row.name, row.package:
        if name in REASONS:
            return REASONS[name]
    return "not provided yet"


def anchor(row: Row) -> str:
    """The heading's anchor, as the usual Markdown renderers make it."""
    return re.sub(r"[^\w -]", "", signature(row).lower()).replace(" ", "-")


def page_of(row: Row) -> str:
    return f"{row.package}.md"


def _bindings() -> tuple[dict[str, Any], dict[str, str]]:
    from msys.catalog.binding import BASIS, BOUND
    from msys.namespace import load_all

    load_all()
    return BOUND, BASIS


def _plain(function: Any) -> Any:
    """The function behind a property or a descriptor."""
    found = getattr(function, "fget", function)
    return inspect.unwrap(found)


def _where(function: Any) -> str:
    """The source file of a function, from the repository's root."""
    path = Path(inspect.getsourcefile(_plain(function)) or "")
    return path.resolve().relative_to(ROOT).as_posix()


def coverage() -> str:
    """The coverage page."""
    bound, basis = _bindings()
    found = rows()
    tests = covering(ROOT / "tests")
    provided = [row for row in found if row.name in bound]
    assumed = [row for row in provided if row.name in basis]
    lines = [
        HEAD,
        "# Coverage",
        "",
        f"Of {len(found)} documented forms, {len(provided)} are provided and {len(found) - len(provided)} are not.",
        f"For {len(assumed)} the documents leave something open; what we decided stands in the last column and is",
        "to be confirmed on a real server. Calling what is not provided raises an error that names it.",
        "The name leads to the function's page. The test is one that fails when the function does nothing; a run of",
        "`pytest -m long tests/long/test_mutation.py` makes each of them do nothing in turn.",
        "",
        "| function | state | basis | code | test |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in found:
        name = f"[`{_escape(signature(row))}`]({page_of(row)}#{anchor(row)})"
        if row.name not in bound:
            lines.append(f"| {name} | missing | {reason(row)} | | |")
            continue
        why = basis.get(row.name, "")
        state = f"assumed: {_escape(why)}" if why else "documented"
        where = _where(bound[row.name])
        code = f"[{Path(where).name}](../../{where})"
        lines.append(f"| {name} | provided | {state} | {code} | {_test(tests, row)} |")
    return "\n".join(lines) + "\n"


def _test(tests: dict[str, list[tuple[str, str]]], row: Row) -> str:
    """The first test of a row. How many others there are would make the page stale with each of them."""
    known = tests.get(row.name, [])
    if not known:
        return "none"
    path, function = known[0]
    return f"[{function}](../../tests/{path})"


def _text(function: Any) -> Iterable[str]:
    """A docstring as paragraphs, without the source note."""
    text = inspect.getdoc(_plain(function)) or ""
    text = re.sub(r"\s*Source:\s+\S+?(?: \([^)]*\))?\.?\s*\Z", "", text)
    return text.splitlines()


def _row(row: Row, bound: dict[str, Any], basis: dict[str, str]) -> Iterable[str]:
    yield f"## `{signature(row)}`"
    yield ""
    yield f"{row.description}."
    yield ""
    facts = [f"Gives {results(row)}", f"since {row.since}"]
    phases = sorted(row.phases)
    if phases and phases != ["any"]:
        facts.append(f"in {', '.join(phases)}")
    if row.deprecated:
        facts.append("deprecated")
    yield "; ".join(facts) + "."
    yield ""
    if row.name not in bound:
        yield f"**Not provided**: {reason(row)}."
        yield ""
        return
    yield from _text(bound[row.name])
    yield ""
    if row.name in basis:
        yield f"*Assumed where the documents are silent: {basis[row.name]}.*"
        yield ""


def package_page(package: str) -> str:
    """The reference page of one package."""
    bound, basis = _bindings()
    lines = [HEAD, f"# `{package}`", ""]
    for row in rows():
        if row.package == package:
            lines += _row(row, bound, basis)
    return "\n".join(lines).rstrip() + "\n"


def pages() -> dict[str, str]:
    """Every page by file name."""
    found = {"coverage.md": coverage()}
    for package in dict.fromkeys(row.package for row in rows()):
        found[f"{package}.md"] = package_page(package)
    return found


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / FOLDER)
