"""`moonpost console` against a running `moonpost serve`, as two processes."""

from __future__ import annotations

import smtplib
import stat
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Running  # type: ignore[import-not-found]


def greeting(running: Running) -> str:
    with smtplib.SMTP("127.0.0.1", running.port, timeout=20) as client:
        client.ehlo("client.example.test")
        return client.mail("ann@example.test")[1].decode()


def test_the_socket_is_the_owners(running: Running) -> None:
    assert stat.S_IMODE((running.folder / "var" / "c.sock").stat().st_mode) == 0o600


def test_version_and_help(running: Running) -> None:
    assert running.console("version").stdout == f"moonpost version: {version('moonpost')}\n"
    assert "config reload" in running.console("help").stdout


def test_options_are_read_and_set(running: Running) -> None:
    done = running.console("config", "set", "retry_interval", "77")
    assert (done.returncode, done.stderr) == (0, "")
    assert running.console("config", "get", "retry_interval").stdout == "Retry_Interval = 77\n"
    wrong = running.console("config", "get", "no_such_option")
    assert wrong.returncode == 1
    assert "no_such_option" in wrong.stderr


def test_a_command_of_a_script_runs_as_policy(running: Running) -> None:
    done = running.console("greet", "you", "Žofie")
    assert done.stdout.splitlines()[0].endswith("3 greet you")
    assert done.stdout.splitlines()[1] == "Grüße, Žofie"


def test_a_command_that_fails_says_which_lua_line(running: Running) -> None:
    done = running.console("greet", "you")
    assert done.returncode == 1
    assert "mine.lua:14: the command has no word 2; cc.argc is 2" in done.stderr
    assert "mine.lua:14" in running.console("paniclog").stdout


def test_chunks_are_evaluated_in_the_running_policy(running: Running) -> None:
    assert running.console("scriptlet", "eval", "print('a') return 6 * 7").stdout == "a\n42\n"
    assert running.console("scriptlet", "eval", "return nothing.at_all").returncode == 1


def test_what_the_server_counts_is_shown(running: Running) -> None:
    assert running.console("mailq").returncode == 0
    assert "IO" in running.console("threads", "stats").stdout
    assert "0 counters listed." in running.console("counter", "list").stdout
    generations = running.console("scriptlet", "generations").stdout
    assert generations.splitlines()[0].split() == ["Generation", "Current", "Sessions"]


def test_several_commands_come_from_standard_input(running: Running) -> None:
    done = running.console(stdin="version\n# a remark\npid\nquit\nno such thing\n")
    assert done.stdout.splitlines()[1] == str(running.process.pid)
    assert done.returncode == 0


def test_an_edited_script_is_in_force_after_a_reload(running: Running) -> None:
    assert greeting(running) == "first"
    text = running.script.read_text(encoding="utf-8")
    running.script.write_text(text.replace('"first"', '"second"'), encoding="utf-8")
    assert running.console("config", "reload").stdout.splitlines()[-1] == "Reconfigure complete."
    assert greeting(running) == "second"
    assert running.console("greet", "a", "b").stdout.startswith("second 3")


def test_broken_policy_is_refused_and_the_old_one_stays(running: Running) -> None:
    text = running.script.read_text(encoding="utf-8")
    before = greeting(running)
    running.script.write_text(text + "\nlocal = 1\n", encoding="utf-8")
    done = running.console("config", "reload")
    running.script.write_text(text, encoding="utf-8")
    assert done.returncode == 1
    assert "mine.lua:17:7" in done.stderr
    assert "Module 'scriptlet' instance 'scriptlet' initialization failed" in done.stderr
    assert done.stderr.splitlines()[-1] == "Reconfigure failed."
    assert greeting(running) == before


def test_a_broken_configuration_is_refused(running: Running) -> None:
    text = running.config.read_text(encoding="utf-8")
    running.config.write_text(text + "\nno_such_option = 1\n", encoding="utf-8")
    done = running.console("config", "reload")
    running.config.write_text(text, encoding="utf-8")
    assert done.returncode == 1
    assert "no_such_option" in done.stderr
    assert running.console("pid").returncode == 0


def test_nobody_at_an_address_is_said(running: Running) -> None:
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "moonpost", "console", "/nowhere/c.sock", "version"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "no console at /nowhere/c.sock: No such file or directory\n"


def test_shutdown_stops_the_server(running: Running) -> None:
    assert running.console("shutdown").stdout == "shutting down\n"
    assert running.process.wait(30) == 0
    assert not (running.folder / "var" / "c.sock").exists()
