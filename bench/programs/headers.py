"""The header loop of headers.lua as a careful person writes it in Python, on the same API."""

from __future__ import annotations

import re
from typing import Any

import msys
from msys.lua import Table

LIST = re.compile(r"list-[0-9]+")

NAMES = (
    "Received", "From", "To", "Cc", "Subject", "Date", "Message-ID", "Reply-To", "Sender", "Precedence",
    "List-Id", "List-Unsubscribe", "X-Mailer", "X-Priority", "Importance", "Return-Path", "Organization",
    "In-Reply-To", "References", "MIME-Version",
)  # fmt: skip


def validate_data(self: Any, msg: Any, ac: Any, vctx: Any) -> int:
    count = length = bulk = 0
    longest = ""
    for name in NAMES:
        for value in msg.header(name).values():
            count += 1
            length += len(value)
            if len(value) > len(longest):
                longest = value
            if "bulk" in value.lower() or LIST.match(value):
                bulk += 1
    vctx.set(msys.core.VCTX_MESS, "count", f"{count}/{length}")
    vctx.set(msys.core.VCTX_MESS, "longest", longest)
    if bulk > 0:
        vctx.set(msys.core.VCTX_MESS, "bulk", str(bulk))
    return msys.core.VALIDATE_CONT


msys.registerModule("headers", Table({"validate_data": validate_data}))
