"""Makes one function of the catalogue do nothing, and tells which tests call which: a pytest plugin.

`-p testkit.mutation` reads two environment variables. MUTATE names a row whose function answers nil instead of working.
CALLED_BY names a file that gets one line `row<tab>test` for each row that each test calls. It must be loaded before
`msys` is: what decorates functions is exchanged.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from msys.catalog import binding, by_name

TARGET = os.environ.get("MUTATE", "")
RECORD = os.environ.get("CALLED_BY", "")

_seen: set[tuple[str, str]] = set()
_failed: set[str] = set()  # tests that the recording itself disturbs: they prove nothing
_plain = binding.documented


def _nothing(name: str) -> Any:
    """What a function that does nothing answers: nil as often as its row has results."""
    counts = [len(row.results) for row in by_name()[name] if row.results is not None]
    count = max(counts, default=0)
    return tuple([None] * count) if count > 1 else None


def _idle(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def nothing(*_: Any, **__: Any) -> Any:
        return _nothing(name)

    return nothing


def _recorded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def watched(*args: Any, **named: Any) -> Any:
        _seen.add((name, os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]))
        return function(*args, **named)

    return watched


def _documented(name: str, *, assumed: str = "") -> Callable[[Any], Any]:
    bind = _plain(name, assumed=assumed)

    def around(function: Any) -> Any:
        if name == TARGET and callable(function):
            return bind(_idle(name, function))
        if RECORD and callable(function):
            return bind(_recorded(name, function))
        return bind(function)

    return around


binding.documented = _documented


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for mark in item.iter_markers("row"):
            _seen.add((mark.args[0], item.nodeid))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        _failed.add(report.nodeid)


def pytest_sessionfinish() -> None:
    if RECORD:
        lines = sorted(f"{name}\t{test}\n" for name, test in _seen if test not in {"", *_failed})
        Path(RECORD).write_text("".join(lines), encoding="utf-8")
