"""Files: includes, directories, search path, read-only and local changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from moonpost.config.model import examine
from moonpost.config.read import default_search_path

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_files(**files: str) -> str:
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/")
            path = path.with_name(path.name + ".conf")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return str(tmp_path / "main.conf")

    return write_files


def test_includes_are_read_in_place(write: Write) -> None:
    main = write(
        main='retry_interval = 1 include "sub/a.conf" Binding b { include "b.conf" }',
        sub__a='retry_interval = 2 include "c.conf"',
        sub__c="gateway = beside.the.including.file",
        b="retry_interval = 3",
    )
    config, problems = examine(main)
    assert not problems
    assert config.option("retry_interval") == 2
    assert config.option("gateway") == "beside.the.including.file"
    assert config.delivery_option("retry_interval", "b", "d") == 3


def test_a_directory_is_read_in_lexical_order_without_dot_files(
    write: Write, tmp_path: Path
) -> None:
    main = write(main='include "d"', d__b="retry_interval = 2", d__a="retry_interval = 1")
    (tmp_path / "d" / ".c.conf").write_text("broken {")
    (tmp_path / "d" / "sub").mkdir()
    config, problems = examine(main)
    assert not problems
    assert config.option("retry_interval") == 2


def test_the_search_path_comes_after_the_including_file(write: Write, tmp_path: Path) -> None:
    main = write(
        main='include "x.conf" include "y.conf"',
        x="retry_interval = 1",
        far__x="retry_interval = 2",
        far__y="max_retries = 3",
    )
    config, problems = examine(main, [str(tmp_path / "far")])
    assert not problems
    assert (config.option("retry_interval"), config.option("max_retries")) == (1, 3)


def test_relative_paths_are_relative_to_their_file(write: Write, tmp_path: Path) -> None:
    main = write(main='pidfile = "a.pid" include "sub/s.conf"', sub__s='spoolbase = "spool"')
    config, _ = examine(main)
    assert config.option("pidfile") == str(tmp_path / "a.pid")
    assert config.option("spoolbase") == str(tmp_path / "sub/spool")


def test_what_is_included_twice_is_read_only(write: Write) -> None:
    main = write(main='include "a.conf" include "a.conf" readonly_include "b.conf"', a="", b="")
    config, _ = examine(main)
    assert [source.readonly for source in config.sources] == [False, False, True, True]


def test_a_missing_file_and_a_circle_are_told(write: Write, tmp_path: Path) -> None:
    main = write(
        main='include "no.conf"\ninclude "a.conf"\ninclude "http://x/y"', a='include "main.conf"'
    )
    _, problems = examine(main)
    told = "\n".join(problem.render() for problem in problems)
    assert [(problem.code, problem.place.line) for problem in problems] == [
        ("C503", 1),
        ("C503", 3),
        ("C504", 1),
    ]
    assert "`no.conf` cannot be included: no such file or directory" in told
    assert f"looked in {tmp_path}" in told


def test_a_main_file_that_is_not_there_is_told() -> None:
    _, problems = examine("/nowhere/ecelerity.conf")
    assert (
        problems[0].message == "`/nowhere/ecelerity.conf` cannot be read: No such file or directory"
    )


def test_mistakes_name_the_included_file(write: Write) -> None:
    main = write(main='include "a.conf"', a="\nretry_interval = never")
    _, problems = examine(main)
    assert str(problems[0].place).endswith("a.conf:2:18")


def test_search_path_of_the_original() -> None:
    assert default_search_path({}, "node1")[1] == "/opt/msys/ecelerity/etc/conf/node1"
    assert default_search_path({"EC_CONF_SEARCH_PATH": "/a:/b"}, "node1") == ["/a", "/b"]
