"""A pdb that knows policy only: stops in Lua lines (or in the Python made of them) and steps over everything else.

The code to debug was compiled with the file names and lines of the view, see docs/debugging.md; here is what pdb itself
would do otherwise: stop in our own code, refuse Lua comments, end the process with a traceback.
"""

from __future__ import annotations

import linecache
import pdb
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any

import lua2py
from lua2py.source import SourceFile
from moonpost.policy.deep import with_deep_stack
from msys.lua.linemap import registered_maps

PREPARING = ("init", "rsrc_setup")  # run while policy is loaded: only a breakpoint stops there
POLICY = "policy."  # how the names of all modules of policy begin


class Left(SystemExit):
    """The debugger was told to quit. No Exception: neither pcall nor the server may go on after it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A breakpoint of the command line: `FILE:LINE`, or `FILE:LINE, CONDITION`."""

    file: str
    line: int
    condition: str | None = None

    @classmethod
    def parse(cls, text: str) -> Wanted:
        """ValueError when it is none."""
        found = re.fullmatch(r"(.+):(\d+)\s*(?:,\s*(.+))?", text)
        if found is None:
            raise ValueError(f"-b {text}: expected FILE:LINE or FILE:LINE, CONDITION")
        return cls(found[1], int(found[2]), found[3])


class PolicyDebugger(pdb.Pdb):
    """Give `about_to_run` to whoever runs policy; it stops at the first callout, or at the wanted breakpoints."""

    def __init__(
        self, wanted: list[Wanted], folders: list[Path], view: str = "lua", **given: Any
    ) -> None:
        super().__init__(nosigint=True, skip=["*"], **given)
        self._wanted = list(wanted)
        self._folders = folders
        self._view = view
        self._stop_at_first = not wanted

    def begin(self) -> None:
        """Policy is going to be loaded: breakpoints in main chunks count from here on."""
        self.reset()
        self.botframe = sys._getframe()
        self._set_stopinfo(self.botframe, None, -1)  # type: ignore[attr-defined]
        self._set_wanted(final=False)
        if self.breaks:
            sys.settrace(self.trace_dispatch)

    def about_to_run(self, function: Callable[..., Any], callout: str) -> None:
        """A function of policy is called next."""
        self._set_wanted(final=True)
        if self._stop_at_first and callout not in PREPARING:
            self._stop_at_first = False
            self.set_step()
            sys.settrace(self.trace_dispatch)
        elif self.breaks:
            sys.settrace(self.trace_dispatch)

    # --- which code counts -------------------------------------------------------------------------------

    def is_skipped_module(self, module_name: str | None) -> bool:
        return not (module_name or "").startswith(POLICY)

    def get_stack(
        self, f: FrameType | None, t: TracebackType | None
    ) -> tuple[list[tuple[FrameType, int]], int]:
        """The frames of policy; those of the server between and below them are of no use here."""
        stack, at = super().get_stack(f, t)
        kept = [one for one in stack if not self.is_skipped_module(_module(one[0]))]
        return (kept, len(kept) - 1) if kept else (stack, at)

    def user_call(self, frame: FrameType, argument_list: Any) -> None:
        """Go on to the function's first line: before it there is nothing to see."""

    # --- files and lines ---------------------------------------------------------------------------------

    def lookupmodule(self, filename: str) -> str | None:
        """The file that `policy.lua` or `dnsbl/policy.lua` means."""
        for path in self._files():
            if path == filename or path.endswith(f"/{filename.lstrip('./')}"):
                show_source(path)
                return path
        return super().lookupmodule(filename)

    def _files(self) -> Iterator[str]:
        yield from registered_maps()
        for folder in self._folders:
            yield from (str(path) for path in sorted(folder.rglob("*.lua")))

    def checkline(self, filename: str, lineno: int) -> int:
        """The line where a breakpoint there would stop: itself or the next one with code; 0 when there is none."""
        show_source(filename)
        lines = executable_lines(Path(filename))
        found = next((line for line in sorted(lines) if line >= lineno), 0)
        if found == 0:
            print(f"*** {filename} has no code at or after line {lineno}", file=self.stdout)
        elif found != lineno:
            print(f"line {lineno} has no code; the next one with code is {found}", file=self.stdout)
        return found

    def _set_wanted(self, *, final: bool) -> None:
        """Set breakpoints of the command line as soon as their files are known; say which never are."""
        for wanted in tuple(self._wanted):
            place = self._place(wanted)
            if place is None and not final:
                continue
            self._wanted.remove(wanted)
            if place is None:
                self.message(f"*** no policy file is called {wanted.file}; no breakpoint was set")
                continue
            filename, at = place
            line = self.checkline(filename, at)
            problem = line and self.set_break(filename, line, cond=wanted.condition)
            if problem:
                self.message(f"*** {problem}")

    def _place(self, wanted: Wanted) -> tuple[str, int] | None:
        """File and line as Python knows them; None as long as the file is not known."""
        if self._view == "lua" or not wanted.file.endswith(".lua"):
            found = self.lookupmodule(wanted.file)
            return None if found is None else (found, wanted.line)
        for filename, line_map in registered_maps().items():
            if _same(line_map.source, wanted.file):
                lines = sorted(
                    (lua, python) for python, lua in line_map.lines.items() if lua >= wanted.line
                )
                return (filename, lines[0][1]) if lines else None
        return None

    def do_break(self, arg: str, temporary: Any = 0) -> None:
        """b FILE:LINE, as pdb has it. In the view of Python a Lua line means the Python line made of it."""
        if self._view == "py" and ".lua:" in arg:
            try:
                place = self._place(Wanted.parse(arg))
            except ValueError:
                place = None
            if place is not None:
                _, comma, condition = arg.partition(",")
                arg = f"{place[0]}:{place[1]}{comma}{condition}"
        super().do_break(arg, temporary)

    do_b = do_break

    # --- the end -----------------------------------------------------------------------------------------

    def set_quit(self) -> None:
        super().set_quit()
        raise Left(0)

    def do_run(self, arg: str) -> None:
        """Start anew: not from here."""
        self.message("*** leave with q and give the command again")

    do_restart = do_run


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _same(shown: str, given: str) -> bool:
    given = given.lstrip("./")
    return shown == given or shown.endswith(f"/{given}") or given.endswith(f"/{shown}")


def show_source(filename: str) -> None:
    """Let `l` show a Lua file whatever its bytes are: Python's own reading expects UTF-8."""
    path = Path(filename)
    if path.suffix == ".lua" and filename not in linecache.cache and path.is_file():
        raw = path.read_bytes()
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
        # No time stamp: the text of the running code stays the one that was loaded.
        linecache.cache[filename] = (len(raw), None, text.splitlines(keepends=True), filename)


def executable_lines(path: Path) -> set[int]:
    """Lines of a policy file that have code, in its own numbering."""
    try:
        if path.suffix == ".lua":
            source = SourceFile(path.name, path.read_bytes())
            translation = with_deep_stack(lambda: lua2py.translate(source))
            code, _ = lua2py.load_module(translation, filename=str(path), view="lua")
        else:
            code = compile(path.read_bytes(), str(path), "exec")
    except (OSError, SyntaxError, ValueError):
        return set()
    return set(_lines(code))


def _lines(code: CodeType) -> Iterator[int]:
    # A code object's first line is the head of its function: executing it is the business of the code around.
    yield from (line for _, _, line in code.co_lines() if line and line != code.co_firstlineno)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant.co_firstlineno
            yield from _lines(constant)
