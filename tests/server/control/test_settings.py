"""What the configuration says about the console's sockets."""

from __future__ import annotations

from pathlib import Path

from moonpost.config.model import Config, examine
from moonpost.control.access import Authorization
from moonpost.control.login import Login
from moonpost.control.server import ControlSettings
from moonpost.control.settings import account_journal, control_sockets


def nobody(listen: str) -> Login:
    raise AssertionError(f"no login is asked for at {listen}")


def of(text: str, path: str = "/etc/moonpost/a.conf") -> Config:
    config, problems = examine(path, text=text)
    assert not [problem for problem in problems if problem.severity == "error"]
    return config


def test_sockets_are_private_and_beside_the_configuration_by_default() -> None:
    assert control_sockets(of('Control_Listener { Listen "console.sock" {} }'), nobody) == [
        ControlSettings("/etc/moonpost/console.sock", 0o600, 60.0, Authorization())
    ]
    assert control_sockets(of(""), nobody) == []


def test_a_socket_takes_its_options() -> None:
    config = of(
        """
        Authorization { Role "watcher" { allow = ( "^config (get|show)" ) } }
        Control_Listener {
          timeout = 5
          Listen "/run/a" { file_mode = 0660 enable_authorization = true }
          Listen "/run/b" { enable = false }
        }
        """
    )
    assert control_sockets(config, nobody) == [
        ControlSettings(
            "/run/a", 0o660, 5.0, Authorization(True, {"watcher": ["^config (get|show)"]})
        )
    ]


def test_the_account_log_is_the_loggers(tmp_path: Path) -> None:
    assert account_journal(of("")) is None
    assert account_journal(of('ec_logger { acctlog = "cluster:///x" }')) is None
    assert account_journal(of(f'ec_logger {{ mainlog = "{tmp_path}/m" }}')) is not None


def test_logins_are_checked_where_the_listener_says_so() -> None:
    async def login(user: str, password: str) -> None: ...

    asked = []
    config = of(
        'Control_Listener { Listen "a" { enable_authentication = true } Listen "b" {} }',
    )
    found = control_sockets(config, lambda listen: asked.append(listen) or login)  # type: ignore[func-returns-value]
    assert [settings.login for settings in found] == [login, None]
    assert asked == ["a"]
