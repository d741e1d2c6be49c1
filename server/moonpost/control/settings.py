"""From the Control_Listener stanzas to what each console socket needs to know."""

from __future__ import annotations

import os
from collections.abc import Callable

from moonpost.config.model import Config
from moonpost.control.access import Authorization, Journal
from moonpost.control.login import Login
from moonpost.control.server import ControlSettings

SCOPE = "Control_Listener"
FILE_MODE = 0o600  # decided: the original's 0660 lets a whole group stop the server


def control_sockets(config: Config, login_at: Callable[[str], Login]) -> list[ControlSettings]:
    """One for each `Listen` of the Control_Listener; a relative path is relative to its file.

    login_at: who checks the logins of the `Listen` of that name, where `Enable_Authentication` asks for them.
    """
    found = []
    for listener in config.root.named(SCOPE.lower()):
        for listen in listener.named("listen"):
            if listen.get("enable") is False or listener.get("enable") is False:
                continue
            mode = listen.get("file_mode") or listener.get("file_mode")
            name = listen.instance or ""
            found.append(
                ControlSettings(
                    path=os.path.join(listen.place.source.folder, name),
                    file_mode=FILE_MODE if mode is None else mode,
                    idle_time_s=float(config.listener_option("timeout", SCOPE, name)),
                    authorization=Authorization(
                        enabled=config.listener_option("enable_authorization", SCOPE, name),
                        roles=_roles(config),
                    ),
                    login=login_at(name)
                    if config.listener_option("enable_authentication", SCOPE, name)
                    else None,
                )
            )
    return found


def _roles(config: Config) -> dict[str, list[str]]:
    return {
        role.instance or "": role.get("allow") or []
        for authorization in config.root.named("authorization")
        for role in authorization.named("role")
    }


def account_journal(config: Config) -> Journal | None:
    """The account log of the first logger; None when no logger is configured."""
    logger = config.module("ec_logger")
    if not logger or not logger["acctlog"] or "://" in logger["acctlog"]:
        return None
    return Journal(logger["acctlog"], logger["acctlog_log_mode"])
