"""Virus scans as policy calls them: statuses, codes, contexts, and engines that do not answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from msys.accept import Accept
from msys.lua import LuaError
from msys.ports import PortError, VirusReport
from msys.testing.policy import Policy, policy
from msys.vctx import ValidationContext
from testkit.lua_chunk import results
from testkit.messages import NESTED, message, wire

row = pytest.mark.row
CLEAN, INFECTED, UNSCANNABLE, ERROR, NO_ENGINE, TOO_LONG, CONTAINER = range(7)
INFECTED_MAIL = wire("Subject: bill", "", "EICAR is in here")


@pytest.fixture
def av() -> Iterator[Policy]:
    """A call with an infected message; `clamav` and `csapi` know EICAR."""
    msg = message(INFECTED_MAIL)
    with policy(message=msg, vctx=ValidationContext(mess=msg.mess), accept=Accept()) as here:
        here.ports.scanners.engines = ["clamav", "csapi"]
        here.ports.scanners.viruses = {b"EICAR": "Test.Eicar"}
        yield here


def mail(av: Policy, content: bytes) -> None:
    assert av.call.message is not None
    av.call.message.content = content


@row("msys.av.engines")
def test_engines_are_listed_in_the_order_of_the_configuration(av: Policy) -> None:
    lua = 'require("msys.av") local names = msys.av.engines() return #names, names[1], names[2]'
    assert results(av, lua) == (2, "clamav", "csapi")
    av.ports.scanners.engines = []
    assert results(av, lua) == (0, None, None)


@row("msys.av.scan")
def test_scan_finds_a_virus_and_says_where(av: Policy) -> None:
    found = results(av, 'return msys.av.scan("clamav", msg, vctx)')
    assert found == (INFECTED, "Test.Eicar", "clamav", "Test.Eicar FOUND")
    lua = """
        return vctx:get(msys.core.VCTX_MESS, "clamav_status_info"), vctx:exists(msys.core.VCTX_MESS, "clamav_status"),
          msg:context_get(msys.core.ECMESS_CTX_MESS, "clamav_status")"""
    assert results(av, lua) == ("Test.Eicar", 1, "")


@row("msys.av.scan")
def test_scan_of_clean_mail_sets_no_context(av: Policy) -> None:
    mail(av, wire("Subject: x", "", "harmless"))
    assert results(av, "return msys.av.scan()") == (CLEAN, None, None, "OK")
    assert av.call.message is not None and av.call.message.mess == {}


@row("msys.av.scan")
def test_without_a_name_engines_are_asked_up_to_the_first_find(av: Policy) -> None:
    assert results(av, "return msys.av.scan()")[2] == "clamav"
    assert [name for name, _, _ in av.ports.scanners.asked] == ["clamav"]
    av.ports.scanners.down["clamav"] = PortError("TIMEOUT", "clamd gave no answer")
    status, info, engine, code = results(av, "return msys.av.scan(nil)")
    assert (status, info, engine) == (INFECTED, "Test.Eicar", "csapi")
    assert code == "AVS_RESULT_VIRUS_FOUND"


@row("msys.av.scan")
def test_an_engine_that_fails_outweighs_a_clean_one(av: Policy) -> None:
    mail(av, wire("Subject: x", "", "harmless"))
    av.ports.scanners.down["clamav"] = PortError("TIMEOUT", "clamd gave no answer")
    assert results(av, "return msys.av.scan()") == (ERROR, "clamd gave no answer", None, None)
    assert "clamav: clamd gave no answer; not scanned" in av.ports.log.text
    assert av.call.message is not None
    assert av.call.message.mess == {
        "clamav_status": "error",
        "clamav_status_info": "clamd gave no answer",
    }


@row("msys.av.scan")
def test_csapi_calls_a_failure_clean_and_tells_by_its_code(av: Policy) -> None:
    av.ports.scanners.down["csapi"] = PortError("UNREACHABLE", "no connection")
    status, info, engine, code = results(av, 'return msys.av.scan("csapi")')
    assert (status, info, engine, code) == (
        CLEAN,
        "no connection",
        None,
        "AVS_RESULT_SCANFILE_FAILURE",
    )


@row("msys.av.scan")
def test_what_cannot_be_looked_into_is_unscannable(
    av: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for verdict, csapi_code in (
        ("encrypted", "DEC_RESULT_ENCRYPTED_CONTAINER_DETECTED"),
        ("limit", "DEC_RESULT_MAXIMUM_EXTRACT_SIZE_EXCEEDED"),
    ):
        report = VirusReport(verdict, "Heuristics.X", "Heuristics.X FOUND")
        monkeypatch.setattr(av.ports.scanners, "virus", lambda *_, report=report: report)
        found = results(av, 'return msys.av.scan("clamav")')
        assert found == (UNSCANNABLE, "Heuristics.X", None, "Heuristics.X FOUND")
        assert results(av, 'return msys.av.scan("csapi")') == (
            CLEAN,
            "Heuristics.X",
            None,
            csapi_code,
        )


@row("msys.av.scan")
def test_scan_names_are_checked(av: Policy) -> None:
    assert results(av, 'return (msys.av.scan(("x"):rep(41)))') == (TOO_LONG,)
    status, info, engine, code = results(av, 'return msys.av.scan("fsecure")')
    assert (status, engine, code) == (NO_ENGINE, None, None) and "'fsecure'" in info
    for lua, words in (
        ("msys.av.scan({})", "bad argument #1 to 'scan' (string expected, got table)"),
        ("msys.av.scan('')", "bad argument #1 to 'scan'"),
        ("msys.av.scan('clamav', 5)", "bad argument #2 to 'scan' (message expected, got number)"),
        ("msys.av.scan('clamav', msg, {})", "bad argument #3 to 'scan'"),
    ):
        with pytest.raises(LuaError) as caught:
            results(av, f"return {lua}")
        assert words in str(caught.value)


@row("msys.av.scan")
def test_scan_without_an_engine_says_so(av: Policy) -> None:
    av.ports.scanners.engines = []
    assert results(av, "return msys.av.scan()")[:2] == (NO_ENGINE, "no virus engine is configured")


@row("msys.av.scan")
def test_scan_without_a_message_or_its_content_raises() -> None:
    with policy() as here, pytest.raises(LuaError, match="no message is given"):
        results(here, "return msys.av.scan()")
    early = policy("validate_rcptto", phase="rcptto", message=message(b""))
    with early as here, pytest.raises(LuaError, match="in rcptto: there is no content"):
        results(here, "return msys.av.scan()")


@row("msys.av.scan")
def test_the_context_variable_can_be_renamed(av: Policy) -> None:
    av.ports.scanners.modules["clamav"] = {"context_variable": "virus"}
    results(av, "return msys.av.scan('clamav')")
    assert av.call.message is not None
    assert av.call.message.mess == {"virus": "", "virus_info": "Test.Eicar"}


@row("msys.av.scan")
def test_pcall_around_a_scan_works(av: Policy) -> None:
    assert results(av, "return pcall(msys.av.scan, 'clamav')")[:2] == (True, INFECTED)


@row("msys.av.scan_part")
def test_scan_part_takes_the_part_first_and_decodes_it(av: Policy) -> None:
    mail(av, NESTED)
    av.ports.scanners.viruses = {b"%PDF-1.4": "Bad.Pdf"}
    lua = """
        local part, seen = msg:mime(), {}
        while part do
          seen[#seen + 1] = (msys.av.scan_part(part, "clamav", vctx))
          part = part.thread
        end
        return unpack(seen)"""
    assert results(av, lua) == (CONTAINER, CONTAINER, CLEAN, CLEAN, CLEAN, CLEAN, INFECTED)
    assert av.call.message is not None and av.call.message.mess["clamav_status_info"] == "Bad.Pdf"


@row("msys.av.scan_part")
def test_scan_part_of_a_message_means_its_top_part(av: Policy) -> None:
    assert results(av, "return msys.av.scan_part(msg)")[:2] == (INFECTED, "Test.Eicar")
    assert av.ports.scanners.asked[-1][1] == b"EICAR is in here\r\n"
    mail(av, wire("Subject: empty", ""))
    assert results(av, "return msys.av.scan_part(msg)") == (CLEAN, None, None, "Empty file")


@row("msys.av.scan_part")
def test_scan_part_needs_a_part(av: Policy) -> None:
    for argument in "", "nil", "'clamav'":
        with pytest.raises(LuaError, match="bad argument #1 to 'scan_part'"):
            results(av, f"return msys.av.scan_part({argument})")
    assert results(av, "return msys.av.scan_part(msg:mime(), 'none')")[0] == NO_ENGINE
