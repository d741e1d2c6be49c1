"""policy.lua (sha256 02594dbd4a76), translated by moonpost 0.1.0."""

from __future__ import annotations

import msys
from msys.lua import Table, add, cstr, lt, print, tostring

# What was learned at connect is still known when the data arrives: `self` belongs to the session.

mod = Table()


def validate_connect(self: msys.Session, ac: msys.Accept, vctx: msys.ValidationContext) -> int:
    self["began"] = msys.core.get_now_ts()
    self["messages"] = 0
    return msys.core.VALIDATE_CONT


mod["validate_connect"] = validate_connect


def validate_mailfrom(
    self: msys.Session, str_: msys.EcString, ac: msys.Accept, vctx: msys.ValidationContext
) -> int:
    self["messages"] = add(self["messages"], 1)
    return msys.core.VALIDATE_CONT


mod["validate_mailfrom"] = validate_mailfrom


def validate_data(
    self: msys.Session, msg: msys.Message, ac: msys.Accept, vctx: msys.ValidationContext
) -> int:
    msg.header("X-Session", f"message {cstr(self['messages'])} of {tostring(msg.conn_id)}")
    if lt(msys.core.get_now_ts(), self["began"]):
        print(f"the clock went back in session {tostring(msg.conn_id)}")
    return msys.core.VALIDATE_CONT


mod["validate_data"] = validate_data

msys.registerModule("state", mod)
