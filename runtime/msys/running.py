"""What API functions ask about the policy call they run in.

Outside a call (the server using the same classes) there is no phase and nothing is forbidden.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from msys.lua.errors import RuntimeFault
from msys.ports import Ports, current

BEFORE_DATA = frozenset(("connect", "ehlo", "auth", "mailfrom", "rcptto", "rcptto_list"))


def phase() -> str:
    """The phase word of the catalogue, empty outside policy."""
    try:
        return current().phase
    except LookupError:
        return ""


def ports() -> Ports:
    """The way outside; a Lua error where there is none."""
    try:
        return current().ports
    except LookupError:
        raise RuntimeFault("no policy is running: there is nothing outside to reach") from None


def panic(text: str, level: str = "warning") -> None:
    """One line of the panic log, if there is one."""
    try:
        log = current().ports.log
    except LookupError:
        return
    log.panic("scriptlet", text, level)


def forbid(name: str, phases: Collection[str], why: str) -> None:
    """Raise when the running phase is one of `phases`."""
    if (now := phase()) in phases:
        raise RuntimeFault(f"'{name}' cannot be used in {now}: {why}")


def default_charset() -> str:
    """The charset of text that names none: option `default_charset`, else us-ascii."""
    try:
        return str(current().ports.configuration.option("default_charset") or "us-ascii")
    except LookupError:
        return "us-ascii"


def delivery_option(option: str, binding: str, domain: str) -> Any:
    """A delivery option of binding and domain; None where there is no configuration or no such option."""
    try:
        return current().ports.configuration.delivery_option(option, binding, domain)
    except LookupError:
        return None


def mark_decision() -> None:
    """Let the session remember which line of policy decided."""
    try:
        vctx = current().vctx
    except LookupError:
        return
    if vctx is not None:
        vctx.mark()


def early_in_reception(message: Any) -> bool:
    """Whether `message` is the session's, and its content has not come in yet."""
    try:
        call = current()
    except LookupError:
        return False
    return call.message is message and call.phase in BEFORE_DATA


def host_name() -> str:
    """What this server calls itself: option `hostname`."""
    try:
        return str(current().ports.configuration.option("hostname") or "localhost")
    except LookupError:
        return "localhost"
