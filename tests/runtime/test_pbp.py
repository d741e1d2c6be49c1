"""msys.pbp and msys.log: what public scripts use of the default policy."""

from __future__ import annotations

import pytest

from msys import core, pbp
from msys.accept import Accept
from msys.log import log
from msys.lua import LuaError, Table
from msys.ports import PortError
from msys.testing.policy import policy
from msys.vctx import ValidationContext


def test_white_lists_are_context_variables() -> None:
    vctx = ValidationContext()
    pbp.set_whitelist(vctx, core.VCTX_CONN, "good", True)
    pbp.set_whitelist(vctx, "own", True)
    pbp.set_whitelist(vctx, core.VCTX_MESS, "mail", True)
    assert vctx.exists(core.VCTX_CONN, "dp_whitelist_good") == 1
    assert vctx.exists(core.VCTX_MESS, "dp_whitelist_mail") == 1
    for names in ("own", Table.array("x", "mail"), Table({"honor_whitelist": Table.array("good")})):
        assert pbp.check_whitelist(vctx, names) is True
    for names in (None, "x", Table(), Table({"honor_whitelist": Table()})):
        assert pbp.check_whitelist(vctx, names) is False
    pbp.set_whitelist(vctx, "own", False)
    assert pbp.check_whitelist(vctx, "own") is False


def test_a_name_that_leads_back_is_confirmed() -> None:
    accept, vctx = Accept(remote=("192.0.2.7", 25)), ValidationContext()
    with policy() as here:
        here.ports.dns.add("7.2.0.192.in-addr.arpa", "PTR", ["Mail.example.test."])
        here.ports.dns.add("mail.example.test", "A", ["192.0.2.1", "192.0.2.7"])
        assert pbp.fcdns_check(accept, vctx) == (True, None, None)
        assert vctx.conn == {"reverse_dns": "mail.example.test", "fcdns_status": "true"}
        here.ports.dns.add("mail.example.test", "A", ["192.0.2.1"])
        assert pbp.fcdns_check(accept, vctx) == (False, None, None)
        assert vctx.conn["fcdns_status"] == "false"
        here.ports.dns.add("mail.example.test", "A", PortError("SERVFAIL", "no"))
        assert pbp.fcdns_check(accept, vctx) == (False, None, "SERVFAIL")
        assert pbp.fcdns_check(Accept(remote=("192.0.2.8", 25)), vctx) == (False, "NXDOMAIN", None)
        assert vctx.conn["reverse_dns"] == ""
        with pytest.raises(LuaError, match="no peer address"):
            pbp.fcdns_check(Accept(), vctx)


def test_sizes_have_units() -> None:
    assert [pbp.size_in_bytes(size) for size in ("30m", "1.5k", 7, "2G", "10b")] == [
        31457280,
        1536,
        7,
        2147483648,
        10,
    ]
    with pytest.raises(LuaError, match="is not a size"):
        pbp.size_in_bytes("big")


def test_log_levels() -> None:
    with policy() as here:
        log(core.LOG_WARNING, "one")
        log(core.LOG_ERR, "two")
        log(99, "three")
        assert [(text, level) for _, text, level in here.ports.log.lines] == [
            ("one", "warning"),
            ("two", "error"),
            ("three", "debug"),
        ]
