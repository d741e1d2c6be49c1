"""Which user a message is sent as, when the receiving server wants a login.

Pure. Options say it for a queue; message contexts of the same names say it for one message, as the module
outbound_smtp_auth of Momentum has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moonpost.outbound.auth import Credentials

LOGIN = ("outbound_smtp_auth_type", "outbound_smtp_auth_user", "outbound_smtp_auth_pass")

Login = Mapping[str, str]  # by these names


class NoLogin(Exception):
    """Policy that was asked for a login failed: the message is not sent without one."""


def credentials_of(options: Login, context: Mapping[str, Any]) -> Credentials | None:
    """Who to log in as; None: nobody. context: of the message, which goes before the options."""
    mechanism, user, password = (
        str(context.get(name) or options.get(name) or "") for name in LOGIN
    )
    return Credentials(user, password, mechanism.upper()) if user else None
