"""A pytest plugin: with CI=true a skipped test fails the run, unless `tests/allowed_skips.txt` names it.

On a developer's machine a Debian program may be missing and its tests are skipped by name; where all of them are
installed a skip means that a test does not test any more.
"""

from __future__ import annotations

import fnmatch
import os
from pathlib import Path

import pytest

ALLOWED = Path(__file__).parent.parent / "allowed_skips.txt"


def allowed_patterns(text: str) -> list[str]:
    """Patterns over test ids, one a line; text after ` # ` is the reason."""
    lines = (line.partition(" # ")[0].strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


class Skips:
    """Collects what was skipped."""

    def __init__(self, patterns: list[str]) -> None:
        self._patterns = patterns
        self.surprising: list[str] = []

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if not report.skipped or hasattr(report, "wasxfail"):
            return
        if not any(fnmatch.fnmatchcase(report.nodeid, pattern) for pattern in self._patterns):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
            self.surprising.append(f"{report.nodeid}: {reason}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.surprising and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.surprising:
            terminalreporter.section("skipped, and not in tests/allowed_skips.txt", red=True)
            for line in self.surprising:
                terminalreporter.line(line)


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get("CI") == "true":
        config.pluginmanager.register(Skips(allowed_patterns(ALLOWED.read_text("utf-8"))))
