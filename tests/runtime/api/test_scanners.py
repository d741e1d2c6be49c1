"""The anti-spam packages: one engine behind all of them, each in its vendor's words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from msys.accept import Accept
from msys.lua import LuaError, Table
from msys.ports import PortError, SpamReport
from msys.scanning import level
from msys.testing.policy import Policy, policy
from msys.vctx import ValidationContext
from testkit.lua_chunk import results
from testkit.messages import NESTED, PLAIN, message, wire

row = pytest.mark.row

PASS = SpamReport("rspamd", "pass", 1.5, 6, 15, ("OK_TEST",), "t1")
LATER = SpamReport("rspamd", "later", 3, 6, 15, ("RATE",))
MARK = SpamReport("rspamd", "mark", 10.5, 6, 15, ("SOMETHING", "PHISHING", "URIBL_BLACK"))
REJECT = SpamReport("rspamd", "reject", 20, 6, 15, ("ALL_SPAM",))
BULK = SpamReport("spamd", "pass", 0.5, 5, 15, ("BULK_MAIL",))
VIRUS = SpamReport("rspamd", "reject", 30, 6, 15, ("CLAM_VIRUS",))

MODULES = {
    "msys.brightmail.scan": "brightmail",
    "msys.cloudmark.score": "cloudmark",
    "msys.commtouch.diagnose": "commtouch_ctasd",
    "msys.expurgate.scan": "eleven",
    "msys.symantec_beik.scan": "beik",
}


@pytest.fixture
def spam() -> Iterator[Policy]:
    """A call with a message; every module is configured, its engine passes the message."""
    msg = message()
    vctx = ValidationContext(mess=msg.mess, recipients=["bob@example.test", "eve@example.test"])
    with policy(message=msg, vctx=vctx, accept=Accept()) as here:
        for module in MODULES.values():
            here.ports.scanners.modules[module] = {}
        judge(here, PASS)
        yield here


def judge(spam: Policy, report: SpamReport) -> None:
    for module in MODULES.values():
        spam.ports.scanners.reports[module] = report


def contexts(spam: Policy) -> dict[str, str]:
    assert spam.call.message is not None and spam.call.vctx.mess == spam.call.message.mess
    return spam.call.message.mess


# --- what all of them do


@pytest.mark.parametrize(
    "function", [pytest.param(name, marks=row(name), id=name) for name in MODULES]
)
def test_the_engine_gets_the_content_and_the_envelope(spam: Policy, function: str) -> None:
    spam.call.message.conn["ehlo_domain"] = "client.test"
    results(spam, f'require("{function.rpartition(".")[0]}") return {function}()')
    module, content, envelope = spam.ports.scanners.asked[0]
    assert (module, content) == (MODULES[function], PLAIN)
    assert envelope is not None and envelope.recipients == ("bob@example.test", "eve@example.test")
    assert (envelope.sender, envelope.ip) == ("ann@example.test", "198.51.100.7")
    assert (envelope.helo, envelope.id) == ("client.test", str(spam.call.message.id))


@pytest.mark.parametrize(
    ("function", "failed"),
    [
        pytest.param(name, failed, marks=row(name), id=name)
        for name, failed in (
            ("msys.brightmail.scan", (None, None, None, None)),
            ("msys.cloudmark.score", (None,)),
            ("msys.commtouch.diagnose", (None,)),
            ("msys.expurgate.scan", ("unknown", "normal", "unknown", "normal")),
        )
    ],
)
def test_an_engine_that_is_down_or_not_configured_is_logged(
    spam: Policy, function: str, failed: tuple[object, ...]
) -> None:
    module = MODULES[function]
    spam.ports.scanners.down[module] = PortError("TIMEOUT", "rspamd gave no answer")
    assert results(spam, f"return {function}()") == failed
    assert spam.ports.log.lines[-1][:2][0] == module
    assert "rspamd gave no answer" in spam.ports.log.text
    del spam.ports.scanners.modules[module]
    assert results(spam, f"return {function}()") == failed
    assert f'no engine is configured: add a stanza `scanner "{module}"' in spam.ports.log.text


@pytest.mark.parametrize(
    "function", [pytest.param(name, marks=row(name), id=name) for name in MODULES]
)
def test_arguments_are_checked_and_inferred(spam: Policy, function: str) -> None:
    for arguments, words in (("5", "#1"), ("msg, 'x'", "#2")):
        with pytest.raises(LuaError, match=f"bad argument {words} to '{function.split('.')[-1]}'"):
            results(spam, f"return {function}({arguments})")
    last = "vctx" if function == "msys.symantec_beik.scan" else "accept, vctx"
    assert results(spam, f"return {function}(msg, {last})")
    assert results(spam, f"return {function}(nil, nil, nil)")
    with policy() as empty, pytest.raises(LuaError, match="no message is given"):
        results(empty, f"return {function}()")
    early = policy("validate_rcptto", phase="rcptto", message=message(b""))
    with early as here, pytest.raises(LuaError, match="cannot be used in rcptto"):
        results(here, f"return {function}()")


def test_scores_become_a_level() -> None:
    def of(score: float, mark_at: float = 6, reject_at: float = 15) -> int:
        return level(SpamReport("x", "pass", score, mark_at, reject_at))

    assert [of(s) for s in (-5, 0, 3, 6, 10.5, 15, 99)] == [0, 0, 40, 80, 90, 100, 100]
    assert of(5, 5, 5) == 100 and of(2.5, 5, 5) == 40 and of(1, 0, 0) == 100


# --- brightmail


@row("msys.brightmail.scan")
def test_brightmail_names_a_destination_rules_and_a_tracker(spam: Policy) -> None:
    verdict, default, rules, tracker = results(
        spam, "return msys.brightmail.scan(msg, accept, vctx)"
    )
    assert (verdict, default) == ("inbox", True)
    assert rules.isdigit() and tracker == "rspamd 1.50 t1"


@row("msys.brightmail.scan")
@pytest.mark.parametrize("report", [MARK, REJECT, LATER])
def test_brightmail_calls_spam_what_the_engine_marks_or_rejects(
    spam: Policy, report: SpamReport
) -> None:
    judge(spam, report)
    verdict, default, rules, _ = results(spam, "return msys.brightmail.scan()")
    assert (verdict, default) == (("inbox", True) if report is LATER else ("spam", False))
    assert len(rules.split()) == len(report.symbols)


@row("msys.brightmail.scan")
def test_brightmail_keeps_its_verdict_and_knows_own_destinations(spam: Policy) -> None:
    judge(spam, MARK)
    spam.ports.scanners.modules["brightmail"] = {"destinations": ["mark = quarantine"]}
    assert results(spam, "return msys.brightmail.scan()")[:2] == ("quarantine", False)
    judge(spam, PASS)
    assert results(spam, "return msys.brightmail.scan()")[:2] == ("quarantine", False)
    assert len(spam.ports.scanners.asked) == 1


@row("msys.brightmail.scan")
def test_brightmail_leaves_the_reason_of_a_failure_in_a_context(spam: Policy) -> None:
    spam.ports.scanners.down["brightmail"] = PortError("TIMEOUT", "too slow")
    results(spam, "return msys.brightmail.scan()")
    assert contexts(spam) == {"brightmail::error": "too slow"}
    spam.ports.scanners.modules["brightmail"] = {"sieve_prefix": "bm"}
    results(spam, "return msys.brightmail.scan()")
    assert contexts(spam)["bm::error"] == "too slow"


@row("msys.brightmail.scan")
def test_only_the_first_bytes_go_to_an_engine_with_a_limit(spam: Policy) -> None:
    spam.ports.scanners.modules["brightmail"] = {"max_size": 20}
    results(spam, "return msys.brightmail.scan()")
    assert spam.ports.scanners.asked[0][1] == PLAIN[:20]


# --- cloudmark

SCORE = 'require("msys.cloudmark") return msys.cloudmark.score(msg, accept, vctx)'


@row("msys.cloudmark.score")
def test_cloudmark_scores_on_its_scale(spam: Policy) -> None:
    spam.ports.scanners.modules["cloudmark"] = {"minimumscore": 80}
    (found,) = results(spam, SCORE)
    assert (found["score"], found["is_spam"], found["rescan"]) == (20, None, None)
    assert (found["category"], found["category-desc"]) == (1, "legitimate")
    judge(spam, MARK)
    (found,) = results(spam, SCORE)
    assert (found["score"], found["is_spam"]) == (90, True)
    assert (found["category-desc"], found["sub-category-desc"]) == ("phishing", "links")
    assert "e=rspamd" in found["analysis"]
    kept = contexts(spam)
    assert kept["cmae-score"] == "90" and kept["cmae-analysis"] == found["analysis"]
    assert kept["cmae-isspam"] == kept["cmae-is_spam"] == "true"
    assert kept["cmae-subcategory-desc"] == kept["cmae-sub-category-desc"] == "links"
    assert kept["cmae-category"] == str(found["category"])


@row("msys.cloudmark.score")
def test_cloudmark_calls_nothing_spam_without_a_minimum(spam: Policy) -> None:
    judge(spam, REJECT)
    (found,) = results(spam, SCORE)
    assert (found["score"], found["is_spam"], found["category-desc"]) == (100, None, "spam")
    assert "cmae-isspam" not in contexts(spam)


@row("msys.cloudmark.score")
def test_cloudmark_asks_to_see_some_mail_again(spam: Policy) -> None:
    judge(spam, LATER)
    (found,) = results(spam, SCORE)
    assert found["rescan"] == "yes" and contexts(spam)["cmae-rescan"] == "1"


@row("msys.cloudmark.analyze")
@pytest.mark.parametrize("report", [PASS, LATER, MARK, REJECT, BULK, VIRUS])
def test_cloudmark_reads_its_own_analysis(spam: Policy, report: SpamReport) -> None:
    judge(spam, report)
    (found,) = results(spam, SCORE)
    spam.call.message.mess.clear()
    spam.ports.scanners.asked.clear()
    spam.environment.globals["header"] = found["analysis"]
    (again,) = results(spam, "return msys.cloudmark.analyze(header, msg, vctx)")
    assert dict(again) == dict(found) and not spam.ports.scanners.asked
    assert contexts(spam)["cmae-score"] == str(found["score"])
    assert "cmae-analysis" not in contexts(spam)


@row("msys.cloudmark.analyze")
def test_cloudmark_cannot_read_other_headers(spam: Policy) -> None:
    for header in "", "v=2.0 cv=abc c=1", "v=moonpost1; e=x; s=1":
        assert results(spam, f"return msys.cloudmark.analyze('{header}')") == (None,)
    assert "not written by moonpost" in spam.ports.log.text and contexts(spam) == {}
    for argument in "", "nil", "{}":
        with pytest.raises(LuaError, match="bad argument #1 to 'analyze'"):
            results(spam, f"return msys.cloudmark.analyze({argument})")


# --- commtouch


@row("msys.commtouch.diagnose")
@pytest.mark.parametrize(
    ("report", "kind", "threat"),
    [
        (PASS, "Unknown", "non-virus"),
        (MARK, "Suspected", "high"),
        (REJECT, "Spam", "non-virus"),
        (BULK, "Bulk", "non-virus"),
        (VIRUS, "Spam", "virus"),
        (SpamReport("rspamd", "mark", 7, 6, 15, ("MIME_BAD_ATTACHMENT",)), "Suspected", "medium"),
    ],
)
def test_commtouch_classes(spam: Policy, report: SpamReport, kind: str, threat: str) -> None:
    judge(spam, report)
    (found,) = results(spam, 'require("msys.commtouch") return msys.commtouch.diagnose()')
    assert isinstance(found, Table)
    assert (found["class"], found["virus-threat"]) == (kind, threat)
    assert found["ref-id"].startswith(f"{report.engine}:{spam.call.message.id}")
    assert contexts(spam) == {f"commtouch-{key}": value for key, value in found.items()}


@row("msys.commtouch.diagnose")
def test_commtouch_asks_the_virus_engine_too(spam: Policy) -> None:
    spam.ports.scanners.engines = ["clamav"]
    spam.ports.scanners.viruses = {b"Dear Bob": "Test.Bob"}
    lua = "return msys.commtouch.diagnose()['virus-threat']"
    assert results(spam, lua) == ("virus",)
    spam.ports.scanners.down["clamav"] = PortError("TIMEOUT", "too slow")
    assert results(spam, lua) == ("unknown",)


# --- expurgate

EXPURGATE = """
    require("msys.expurgate")
    local major, minor, third, fourth = msys.expurgate.scan(msg, accept, vctx)
    return major .. "", minor .. "", tostring(third), tostring(fourth)"""


def bounce() -> bytes:
    return NESTED.replace(b"message/rfc822", b"message/delivery-status")


@row("msys.expurgate.scan")
@pytest.mark.parametrize(
    ("report", "content", "major", "minor"),
    [
        (PASS, PLAIN, "clean", "normal"),
        (LATER, PLAIN, "clean", "normal"),
        (MARK, PLAIN, "suspect", "url"),
        (REJECT, PLAIN, "spam", "normal"),
        (BULK, PLAIN, "bulk", "normal"),
        (PASS, wire("Subject: x", "", " "), "clean", "empty-body"),
        (PASS, wire("From: a@b.test", ""), "clean", "empty"),
        (PASS, wire("Subject: x", "", "hi there"), "clean", "almost-empty"),
        (PASS, NESTED, "clean", "normal"),
        (PASS, bounce(), "clean", "bounce"),
    ],
)
def test_expurgate_results(
    spam: Policy, report: SpamReport, content: bytes, major: str, minor: str
) -> None:
    judge(spam, report)
    spam.call.message.content = content
    if minor == "bounce":
        spam.call.message.sender = ""
    assert results(spam, EXPURGATE) == (major, minor, major, minor)
    kept = contexts(spam)
    assert (kept["eleven-result"], kept["eleven-result-subtype"]) == (major, minor)
    assert kept["eleven-majorscore"].isdigit() and kept["eleven-minorscore"].isdigit()


@row("msys.expurgate.scan")
def test_expurgate_results_are_text_and_number_in_either_order(spam: Policy) -> None:
    judge(spam, REJECT)
    lua = """
        local a, b, c, d = msys.expurgate.scan()
        local e = msys.expurgate
        local words = { spam = "by text" }
        return a == "spam", a == e.TYPE_SPAM, e.TYPE_SPAM == c, c ~= e.TYPE_CLEAN, a == "clean",
          b == "normal", b == e.SUBTYPE_NORMAL, d ~= e.SUBTYPE_SUSPECT_URL, words[a], type(a),
          string.format("%s/%s", a, b), a == true"""
    assert results(spam, lua) == (
        *(True, True, True, True, False),
        *(True, True, True, "by text", "string"),
        *("spam/normal", False),
    )


@row("msys.expurgate.scan")
def test_expurgate_looks_for_viruses_when_it_is_told_to(spam: Policy) -> None:
    spam.ports.scanners.engines = ["clamav"]
    spam.ports.scanners.viruses = {b"Dear Bob": "Test.Bob"}
    assert results(spam, EXPURGATE)[:2] == ("clean", "normal")
    spam.ports.scanners.modules["eleven"] = {"enable_antivir": True}
    assert results(spam, EXPURGATE)[:2] == ("dangerous", "virus")
    assert contexts(spam)["eleven-majorscore"] == "5"


@row("msys.expurgate.scan")
def test_expurgate_leaves_its_failure_in_the_contexts(spam: Policy) -> None:
    spam.ports.scanners.down["eleven"] = PortError("TIMEOUT", "too slow")
    lua = """
        local major, minor = msys.expurgate.scan()
        return major == msys.expurgate.TYPE_UNKNOWN, minor == msys.expurgate.SUBTYPE_NORMAL"""
    assert results(spam, lua) == (True, True)
    assert contexts(spam) == {
        "eleven-majorscore": "error",
        "eleven-result": "error",
        "eleven-minorscore": "too slow",
        "eleven-result-subtype": "too slow",
    }


# --- symantec_beik


@row("msys.symantec_beik.scan")
def test_beik_answers_with_a_code_first(spam: Policy) -> None:
    lua = 'require("msys.symantec_beik") return msys.symantec_beik.scan(msg, vctx)'
    assert results(spam, lua) == (1, "inbox", 1, "rspamd 1.50 t1")
    judge(spam, MARK)
    code, destination, default, tracker = results(spam, lua)
    assert (code, destination, default) == (1, "is-spam", 0)
    assert tracker == f"rspamd 10.50 {spam.call.message.id}"


@row("msys.symantec_beik.scan")
def test_beik_failures_are_code_zero_and_a_text(spam: Policy) -> None:
    spam.ports.scanners.down["beik"] = PortError("TIMEOUT", "too slow")
    lua = "return msys.symantec_beik.scan()"
    assert results(spam, lua) == (0, "too slow", None, None)
    del spam.ports.scanners.modules["beik"]
    code, text, _, _ = results(spam, lua)
    assert code == 0 and "no engine is configured" in text
