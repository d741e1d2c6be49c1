"""Refuses mail whose display name is somebody else's address. Written in Python, as policy may be from the start."""

from __future__ import annotations

import re
from email.utils import parseaddr

import msys
from msys.lua import Table

ADDRESS = re.compile(r"[\w.+-]+@(?P<domain>[\w-]+(?:\.[\w-]+)+)")


def pretended(sender: str) -> str:
    """The address that a From value shows to people, when mail programs would hide another domain behind it."""
    name, address = parseaddr(sender)
    shown = ADDRESS.search(name)
    domain = address.rpartition("@")[2]
    if shown is None or shown["domain"].lower() == domain.lower():
        return ""
    return shown[0]


def validate_data(
    self: msys.Session, msg: msys.Message, ac: msys.Accept, vctx: msys.ValidationContext
) -> int:
    sender = msg.header("From")[1]
    if sender is not None and (address := pretended(sender)):
        vctx.set_code(550, f"5.7.1 this mail is not from {address}")
        return msys.core.VALIDATE_DONE
    return msys.core.VALIDATE_CONT


msys.registerModule("python_policy", Table({"validate_data": validate_data}))
