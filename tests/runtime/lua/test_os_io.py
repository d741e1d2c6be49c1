"""The os and io libraries, compared with lua5.1 where the outside gives both the same."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from msys import lua as L
from msys.lua import Environment, LuaExit, Table, environment, io, pcall
from testkit.oracle import ask_lua, literal, needs_lua, show_all
from testkit.vectors import Vector, agree


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@needs_lua
def test_dates_and_times() -> None:
    formats = [
        "%c",
        "%Y-%m-%d %H:%M:%S",
        "!%x %X",
        "%d/%b/%Y:%H:%M:%S %z",
        "%%",
        "%",
        "plain",
        "",
        "%j %U %w %a %A %p",
        "%e|%D|%T",
    ]
    stamps: list[Any] = [0, 1, 86399, 951782400, 1700000000, 1700000000.9, "1700000000", -1, 2**31]
    vectors: list[Vector] = [("os.date", [f, s]) for f in formats for s in stamps]
    whole = {"year": 2024, "month": 2, "day": 29, "hour": 13, "min": 5, "sec": 7}
    changes: list[dict[str, Any]] = [
        {},
        {"month": 13},
        {"day": 0},
        {"hour": None},
        {"sec": "30"},
        {"isdst": False},
        {"year": 1960},
        {"min": 90},
    ]
    changes += [{"day": None}, {"month": None}, {"year": None}, {"sec": "x"}, {"day": 1.9}]
    for change in changes:
        table = {key: value for key, value in {**whole, **change}.items() if value is not None}
        vectors.append(("os.time", [table]))
    vectors += [
        ("os.difftime", [5, 3]),
        ("os.difftime", [5]),
        ("os.difftime", []),
        ("os.time", ["x"]),
        ("os.date", [{}]),
        ("os.date", ["%c", "x"]),
    ]
    vectors += [
        ("os.getenv", ["TZ"]),
        ("os.getenv", ["SURELY_NOT_SET"]),
        ("os.getenv", []),
        ("os.setlocale", []),
        ("os.setlocale", ["C"]),
    ]
    vectors += [
        ("os.remove", ["/nonexistent/x"]),
        ("os.rename", ["/nonexistent/x", "/nonexistent/y"]),
        ("os.setlocale", ["xx_YY"]),
    ]
    agree(vectors)


def test_date_table() -> None:
    found = L.os.date("!*t", 1709211907)
    assert {key: found[key] for key in ("year", "month", "day", "hour", "min", "sec", "wday", "yday", "isdst")} == {
        "year": 2024, "month": 2, "day": 29, "hour": 13, "min": 5, "sec": 7, "wday": 5, "yday": 60, "isdst": False,
    }  # fmt: skip
    assert L.os.time(found) == 1709211907
    assert abs(L.os.time() - time.time()) < 2 and L.os.clock() > 0


def test_setenv_of_the_dialect(lua: Environment) -> None:
    assert L.os.setenv("MOONPOST_TEST", "1") is True and L.os.getenv("MOONPOST_TEST") == "1"
    L.os.setenv("MOONPOST_TEST", "2", False)
    assert L.os.getenv("MOONPOST_TEST") == "1"
    L.os.setenv("MOONPOST_TEST", None)
    assert L.os.getenv("MOONPOST_TEST") is None
    assert L.os.setenv("a=b", "1") == (None, "a=b: Invalid argument", 22)


def test_remove_rename_and_tmpname(tmp_path: Path) -> None:
    name = L.os.tmpname()
    assert os.path.exists(name) and L.os.rename(name, str(tmp_path / "moved")) is True
    assert L.os.remove(str(tmp_path / "moved")) is True
    (tmp_path / "folder").mkdir()
    assert L.os.remove(str(tmp_path / "folder")) is True
    assert L.os.remove(str(tmp_path / "none")) == (
        None,
        f"{tmp_path}/none: No such file or directory",
        2,
    )


def test_programs_are_off_unless_allowed(lua: Environment) -> None:
    assert pcall(L.os.execute, "true") == (False, "'execute' is disabled by the configuration")
    assert pcall(io.popen, "true") == (False, "'popen' is disabled by the configuration")
    assert L.os.execute() == 0
    environment().services["lua.programs"] = True
    assert (L.os.execute(), L.os.execute("exit 3"), L.os.execute("kill -9 $$")) == (1, 768, 9)
    pipe = io.popen("echo one; echo two")
    assert list(pipe.lines()) == ["one", "two"] and pipe.close() is True
    pipe = io.popen("cat >/dev/null", "w")
    assert pipe.write("x") is True and pipe.close() is True


def test_exit_is_no_error() -> None:
    with pytest.raises(LuaExit) as caught:
        pcall(L.os.exit, 3)
    assert caught.value.code == 3


# --- files ----------------------------------------------------------------------------------------------------

CONTENT = "first line\nsecond\n\n 12.5 0x1F -7e2 abc\nlast without end"


@needs_lua
@pytest.mark.parametrize(
    "steps",
    [
        [
            "read()",
            "read('*l')",
            "read('*l')",
            "read('*n', '*n', '*n', '*n')",
            "read('*a')",
            "read('*a')",
            "read()",
            "read(0)",
        ],
        ["read(5)", "read(0)", "read(1000)", "read(5)", "read(0)"],
        ["read('*a')", "read('*l')", "read('*a')"],
        [
            "seek()",
            "seek('end')",
            "read()",
            "seek('set', 6)",
            "read('*l')",
            "seek('cur', -3)",
            "read(2)",
            "seek('cur')",
        ],
        ["read('*l', 3, '*n')", "read('x')"],
        ["read('*x')"],
        ["write('a', 1, 2.5)", "seek('cur')", "seek('set')", "read()"],
        ["write({})"],
        ["read(3)", "write('XYZ')", "seek('set')", "read('*a')"],
        ["setvbuf('no')", "setvbuf('full', 1024)", "setvbuf('odd')"],
        ["seek('bad')"],
        ["flush()", "close()", "read()"],
        ["lines()()", "read()", "lines()()"],
    ],
)
@pytest.mark.parametrize("mode", ["r", "r+", "a+", "rb", "w+"])
def test_file_methods(tmp_path: Path, steps: list[str], mode: str) -> None:
    if mode in ("r", "rb") and any("write" in step for step in steps):
        steps = [step for step in steps if "write" not in step]
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.write_text(CONTENT)
    theirs.write_text(CONTENT)
    prelude = f"local f = assert(io.open({literal(str(theirs))}, {literal(mode)}))"
    expected = ask_lua([f"f:{step}" for step in steps], prelude)
    file = io.open(str(ours), mode)
    for step, answer in zip(steps, expected, strict=True):
        name, _, arguments = step.partition("(")
        outer, again = (arguments[:-2], True) if arguments.endswith(")()") else (arguments, False)
        args = eval(f"({outer.rstrip(')')},)" if outer.rstrip(")") else "()", {}, {})
        args = tuple(Table() if arg == {} else arg for arg in args)
        made = pcall(L.invoke, file, name, *args)
        if again:
            made = pcall(made[1])
        shown = show_all(made).replace(str(ours), str(theirs))
        assert _without_position(shown) == _without_position(answer), step
    if not file.is_closed():
        file.close()


def _without_position(answer: str) -> str:
    """Without the number of the argument: generated code knows that these are method calls."""
    import re

    return re.sub(r"bad argument #\d to '\w+'", "bad argument", answer)


@needs_lua
def test_opening_and_its_failures(tmp_path: Path) -> None:
    missing = str(tmp_path / "none" / "x")
    vectors: list[Vector] = [
        ("io.open", [missing]), ("io.open", [missing, "w"]), ("io.open", [missing, "q"]), ("io.open", []), ("io.open", [None]),
        ("io.lines", [missing]), ("io.input", [missing]), ("io.output", [missing]), ("io.type", [5]), ("io.type", []), ("io.close", [5]),
    ]  # fmt: skip
    agree(vectors)


def test_default_files_and_lines(tmp_path: Path) -> None:
    path = str(tmp_path / "f")
    io.output(path)
    assert io.write("one\n", 2, "\n") is True
    assert io.type(io.output()) == "file"
    io.close()
    io.output(io.stdout)
    assert list(io.lines(path)) == ["one", "2"]
    io.input(path)
    assert io.read() == "one" and io.read("*n") == 2
    io.input().close()
    assert pcall(io.read)[1] == "attempt to use a closed file"
    io.input(io.stdin)
    step = io.lines(path)
    assert [step(), step(), step()] == ["one", "2", ()]
    assert pcall(step) == (False, "file is already closed")


def test_standard_output_is_shared_with_print(capfdbinary: Any) -> None:
    io.write("a\xff", 1)
    L.print("b", None, 2.5, True)
    assert io.stdout.write("c") is True and io.stdout.flush() is True
    assert io.stdout.close() == (None, "cannot close standard file")
    import sys

    sys.stdout.flush()
    assert capfdbinary.readouterr().out == b"a\xff1b\tnil\t2.5\ttrue\nc"


def test_large_files_are_written_and_read_in_blocks(tmp_path: Path) -> None:
    path = str(tmp_path / "large")
    file = io.open(path, "w")
    for _ in range(3000):
        file.write("x" * 99, "\n")
    file.close()
    assert os.path.getsize(path) == 300000
    assert sum(len(line) for line in io.lines(path)) == 297000
    assert len(io.open(path).read("*a")) == 300000
    assert io.type(file) == "closed file" and L.tostring(file) == "file (closed)"
    temporary = io.tmpfile()
    temporary.write("gone")
    temporary.seek("set")
    assert temporary.read("*a") == "gone"
