"""Tells coverage.py which lines of Lua policy ran: `plugins = moonpost.coverage_plugin` in its configuration.

Policy runs as Python whose lines a map leads back to Lua, or, in the debugger's view, at the lines of the Lua file
itself; both are reported as the `.lua` file. Policy written in Python needs none of this. Loaded by coverage.py only.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import CodeType, FrameType

from coverage import CoveragePlugin, FileReporter, FileTracer
from coverage.plugin_support import Plugins
from coverage.types import TConfigurable, TLineNo

import lua2py
from lua2py.source import SourceFile
from moonpost.policy.deep import with_deep_stack
from msys.lua.linemap import LineMap, registered_maps

NO_LINES = (-1, -1)  # coverage's word for code that stands for nothing in the source
LUA = ".lua"


class PolicyPlugin(CoveragePlugin):
    """Finds the Lua file behind code that is about to run."""

    def file_tracer(self, filename: str) -> FileTracer | None:
        if filename.endswith(LUA):
            return PolicyTracer(filename, None)
        for known, line_map in registered_maps().items():
            if line_map.path.endswith(LUA) and str(Path(known).resolve()) == filename:
                return PolicyTracer(line_map.path, line_map)
        return None

    def file_reporter(self, filename: str) -> FileReporter:
        return PolicyReporter(filename)

    def find_executable_files(self, src_dir: str) -> Iterator[str]:
        """Scripts that never ran count too."""
        for path in sorted(Path(src_dir).rglob(f"*{LUA}")):
            yield str(path)


class PolicyTracer(FileTracer):
    """Leads the lines of one module to its Lua file. line_map: None when they are Lua's own."""

    def __init__(self, path: str, line_map: LineMap | None) -> None:
        self._path = str(Path(path).resolve())
        self._lines = None if line_map is None else line_map.lines

    def source_filename(self) -> str:
        return self._path

    def line_number_range(self, frame: FrameType) -> tuple[TLineNo, TLineNo]:
        if self._lines is None:
            return frame.f_lineno, frame.f_lineno
        line = self._lines.get(frame.f_lineno)
        return NO_LINES if line is None else (line, line)


class PolicyReporter(FileReporter):
    """Which lines of a Lua file can run at all, for the report."""

    def source(self) -> str:
        return self._source.text

    @cached_property
    def _source(self) -> SourceFile:
        return SourceFile(self.filename, Path(self.filename).read_bytes())

    def lines(self) -> set[TLineNo]:
        """Lines with code in both ways of loading. A script that does not compile has none."""
        translation = with_deep_stack(lambda: lua2py.translate(self._source))
        if not translation.ok:
            return set()
        python, line_map = lua2py.load_module(translation, filename=self.filename)
        found = {line_map["lines"].get(str(line)) for line in _lines(python)}
        own, _ = lua2py.load_module(translation, filename=self.filename, view="lua")
        return found & set(_lines(own))


def _lines(code: CodeType) -> Iterator[int]:
    """The lines of all code of a module."""
    yield from (line for _, _, line in code.co_lines() if line)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _lines(constant)


def coverage_init(registry: Plugins, options: TConfigurable) -> None:
    """What coverage.py calls."""
    registry.add_file_tracer(PolicyPlugin())
