"""Sieve scripts: the language compared with Pigeonhole's sieve-test, and what msys.runSieveScript does to a session."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from msys.lua import LuaError
from msys.message import Message
from msys.sieve import SessionMail
from msys.sieve.evaluate import Wishes, evaluate
from msys.sieve.parsing import SieveError, parse
from msys.testing.policy import Policy, policy
from msys.vctx import ValidationContext
from testkit.lua_chunk import results
from testkit.messages import wire

row = pytest.mark.row("msys.runSieveScript")
REQUIRE = (
    'require ["fileinto", "reject", "envelope", "relational", "variables", "copy", "subaddress", "body", '
    '"comparator-i;ascii-numeric"];\n'
)

MAIL = wire(
    "Received: from a.test by b.test; Mon, 1 Jan 2024 00:00:00 +0000",
    "Received: from c.test by a.test; Mon, 1 Jan 2024 00:00:00 +0000",
    'From: "Ann, A." <Ann+List@Example.test>',
    "To: team: bob@one.test, Carl <carl@two.test>;, eve@three.test",
    "Subject:  [list]  A folded",
    "  subject =?utf-8?q?gr=C3=BC=C3=9Fe?=  ",
    "X-Priority: 3 (high)",
    "X-Empty:",
    'Content-Type: multipart/mixed; boundary="b"',
    "",
    "--b",
    "Content-Type: text/plain; charset=iso-8859-1",
    "Content-Transfer-Encoding: quoted-printable",
    "",
    "gr=FC=DFe 100% off",
    "--b",
    "Content-Type: application/octet-stream",
    "Content-Transfer-Encoding: base64",
    "",
    "c2VjcmV0",
    "--b--",
)
SENDER, RECIPIENT = "ann+bounces@example.test", "bob@one.test"

# Conditions; a script files the message into "yes" when one holds. Each is asked of sieve-test, too.
CONDITIONS = """
true
false
not false
not not true
not anyof(false, true)
allof(true, not false)
anyof(false, allof(true, true))
exists "Subject"
exists ["subject", "FROM"]
exists ["subject", "x-none"]
exists "x-empty"
size :over 100
size :over 1K
size :under 1M
size :under 100
header "subject" "[list]  A folded subject grüße"
header :is "subject" "[list]"
header :contains "subject" "FOLDED"
header :contains "subject" "gr"
header :comparator "i;octet" :contains "subject" "FOLDED"
header :comparator "i;octet" :contains "subject" "folded"
header :contains ["x-none", "subject"] ["zzz", "list"]
header :contains "subject" ""
header :contains "x-empty" ""
header :is "x-empty" ""
header :contains "x-none" ""
header :matches "subject" "*folded*"
header :matches "subject" "[list]*"
header :matches "subject" "\\\\[list\\\\]*"
header :matches "subject" "?list?  A*"
header :matches "subject" "?list"
header :matches "x-empty" "*"
header :matches "x-empty" "?"
header :matches "subject" "*gr??????e"
header :comparator "i;ascii-numeric" :is "x-priority" "3"
header :comparator "i;ascii-numeric" :is "x-priority" "03"
header :value "gt" :comparator "i;ascii-numeric" "x-priority" "2"
header :value "lt" :comparator "i;ascii-numeric" "x-priority" "10"
header :value "lt" "x-priority" "10"
header :value "ge" "subject" "[LIST]"
header :value "ne" "x-empty" ""
header :value "gt" :comparator "i;ascii-numeric" "subject" "99999"
header :value "eq" :comparator "i;ascii-numeric" "subject" "abc"
header :count "eq" :comparator "i;ascii-numeric" "received" "2"
header :count "ge" :comparator "i;ascii-numeric" ["received", "from"] "4"
header :count "eq" :comparator "i;ascii-numeric" "x-none" "0"
address "from" "ann+list@example.test"
address :all :is "from" "ANN+LIST@EXAMPLE.TEST"
address :comparator "i;octet" "from" "ann+list@example.test"
address :domain "from" "example.test"
address :localpart "from" "ann+list"
address :user "from" "ann"
address :detail "from" "list"
address :detail "to" ""
address :user "to" "eve"
address :domain :is "to" "two.test"
address :domain "to" ["zzz.test", "three.test"]
address :contains ["from", "to"] "three"
address :matches :localpart "to" "c*l"
address :count "eq" :comparator "i;ascii-numeric" "to" "3"
envelope "from" "ann+bounces@example.test"
envelope :domain "FROM" "Example.Test"
envelope :detail "from" "bounces"
envelope :localpart ["from", "to"] "bob"
envelope :all :is "to" "bob@one.test"
envelope :contains "to" "two"
string :comparator "i;ascii-casemap" "abc" "ABC"
string :comparator "i;octet" "abc" "ABC"
string :matches "a.b.c" "*.*.*"
string :value "gt" :comparator "i;ascii-numeric" "10" "9"
string :count "eq" :comparator "i;ascii-numeric" ["a", "", "b"] "2"
string "a\\\\b" "a\\\\b"
string "say \\"x\\"" "say \\"x\\""
body :text :contains "grüße"
body :contains "100%"
body :raw :contains "gr=FC"
body :raw :contains "c2VjcmV0"
body :content "application" :contains "secret"
body :content "text/plain" :contains "secret"
body :content "" :contains "off"
""".strip().splitlines()

# Whole scripts, asked of sieve-test as well
SCRIPTS = [
    "",
    "# nothing\n/* at\n all */",
    "keep;",
    "stop;",
    "discard;",
    "discard; keep;",
    'fileinto "a"; fileinto "b"; fileinto "a";',
    'fileinto :copy "a";',
    'redirect "x@y.test";',
    'redirect "x@y.test"; redirect "x@y.test"; redirect "z@y.test";',
    'redirect :copy "x@y.test";',
    'redirect "x@y.test"; keep;',
    'reject "not here";',
    'reject text:\nfirst\n..second\n.\n;',
    'if true { fileinto "a"; } elsif true { fileinto "b"; } else { fileinto "c"; }',
    'if false { fileinto "a"; } elsif true { fileinto "b"; } else { fileinto "c"; }',
    'if false { fileinto "a"; } elsif false { fileinto "b"; } else { fileinto "c"; }',
    'if true { if false { stop; } else { fileinto "in"; } } fileinto "out";',
    'if true { fileinto "a"; stop; } fileinto "b";',
    'if true { stop; } elsif true { discard; } discard;',
    'if true {} if false { fileinto "a"; } else { fileinto "b"; }',
    'set "a" "x"; set "B" "${a}${A}"; fileinto "${b}-${none}-${1}";',
    'set :upper "a" "xy"; set :lower :upperfirst "b" "ABC"; set :lowerfirst "c" "ABC"; fileinto "${a}${b}${c}";',
    'set :length "a" "grüße"; fileinto "${a}";',
    'set :quotewildcard "a" "a*b?"; fileinto "${a}";',
    'if string :matches "one.two.three" "*.*" { fileinto "${1}|${2}|${0}"; }',
    'if header :matches "subject" "*  *" { fileinto "${1}"; } ',
    'if string :matches "ab" "??" { if string :matches "x" "y*" {} fileinto "${1}${2}${3}"; }',
    'if not string :matches "ab" "a?" { stop; } else { fileinto "${1}"; }',
    'set "a" "${"; fileinto "${a}x$ {a} ${} $${a}";',
    'if anyof(string :matches "a1" "b*", string :matches "c2" "c*") { fileinto "n${1}"; }',
    'if address :matches "to" "*@*" { fileinto "${1} at ${2}"; }',
    'redirect "${none}a@b.test";',
]  # fmt: skip

BROKEN = [
    "bad;",
    "keep",
    'fileinto "a" "b" "c";',
    'if header "a" { keep; }',
    "if true keep;",
    "else { keep; }",
    'if header :is :contains "a" "b" { keep; }',
    'if header :comparator "i;no-such" "a" "b" { keep; }',
    'require "no-such-extension";',
    'keep; }',
    'fileinto "unfinished;',
    'if header :contains :comparator "i;ascii-numeric" "a" "b" { keep; }',
]  # fmt: skip


@pytest.fixture(scope="module")
def pigeonhole() -> Iterator[Path]:
    """A folder where sieve-test may work; skips without the program."""
    if shutil.which("sieve-test") is None:
        pytest.skip("needs the Debian program sieve-test (dovecot-sieve)")
    with tempfile.TemporaryDirectory(prefix="sieve-") as made:
        os.chmod(made, 0o777)
        (Path(made) / "mail").write_bytes(MAIL)
        yield Path(made)


def asked(folder: Path, script: str) -> Wishes | None:
    """What sieve-test would do; None when it refuses the script."""
    (folder / "script.sieve").write_text(script, encoding="utf-8")
    user = str(os.geteuid() or 65534)  # it refuses to work for root
    settings = {
        "mail_uid": user,
        "mail_gid": str(os.getegid() or 65534),
        "first_valid_uid": "1",
        "first_valid_gid": "1",
        "mail_home": f"{folder}/home",
        "mail_location": f"maildir:{folder}/home",
        "postmaster_address": "postmaster@one.test",
    }
    options = [word for pair in settings.items() for word in ("-o", "=".join(pair))]
    done = subprocess.run(
        [*("sieve-test", *options, "-f", SENDER, "-a", RECIPIENT, "-r", RECIPIENT), "script.sieve", "mail"],
        cwd=folder, capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    if done.returncode != 0:
        assert "error:" in done.stderr, done.stderr
        return None
    found = Wishes(keep=False)
    lines = done.stdout.splitlines()
    for at, line in enumerate(lines):
        word = line.strip()
        if word == "* store message in folder: INBOX":
            found.keep = True
        elif word.startswith("* store message in folder: "):
            found.folders.append(word.removeprefix("* store message in folder: "))
        elif word.startswith("* redirect message to: <"):
            found.redirects.append(word.removeprefix("* redirect message to: <").removesuffix(">"))
        elif word == "* discard":
            found.discarded = True
        elif word.startswith("* reject message with reason: "):
            rest = [word.removeprefix("* reject message with reason: "), *lines[at + 1 :]]
            found.rejection = "\r\n".join(rest[: rest.index("")])
    return found


def ours(script: str) -> Wishes:
    mail = SessionMail(Message(content=MAIL, mailfrom=SENDER, rcptto=RECIPIENT))
    return evaluate(parse(script.encode()), mail, terminal=frozenset())


def same(one: Wishes, other: Wishes) -> bool:
    def shown(wishes: Wishes) -> tuple[object, ...]:
        folders = [f.encode("latin-1", "replace") for f in wishes.folders]
        text = (wishes.rejection or "").replace("\r\n", "??")  # what sieve-test prints
        return wishes.keep, sorted(folders), sorted(wishes.redirects), text

    return shown(one) == shown(other)


@row
@pytest.mark.parametrize("condition", CONDITIONS)
def test_conditions_hold_as_in_pigeonhole(pigeonhole: Path, condition: str) -> None:
    script = f'{REQUIRE}if {condition} {{ fileinto "yes"; }}'
    theirs = asked(pigeonhole, script)
    assert theirs is not None
    assert ours(script).folders == theirs.folders


@row
@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_do_as_in_pigeonhole(pigeonhole: Path, script: str) -> None:
    theirs = asked(pigeonhole, REQUIRE + script)
    assert theirs is not None
    mine = ours(REQUIRE + script)
    assert same(mine, theirs), f"{mine}\n{theirs}"


@row
@pytest.mark.parametrize("script", BROKEN)
def test_mistakes_are_refused_as_in_pigeonhole(pigeonhole: Path, script: str) -> None:
    assert asked(pigeonhole, REQUIRE.replace("\n", " ") + script) is None
    with pytest.raises(SieveError):
        ours(script)


def test_what_pigeonhole_does_otherwise() -> None:
    """RFC 5229 names no comparator for `string`, so RFC 5228's default holds: letters in any case."""
    assert ours(f'{REQUIRE}if string "abc" "ABC" {{ fileinto "yes"; }}').folders == ["yes"]


# --- in a session

ALL = (
    "local c = msys.core local all = c.SIEVEREQ_MSG + c.SIEVEREQ_ENV_FROM + c.SIEVEREQ_ENV_TO"
    " + c.SIEVEREQ_550_OK + c.SIEVEREQ_MSG_BODY "
)


@pytest.fixture
def session() -> Iterator[Policy]:
    msg = Message(content=MAIL, mailfrom=SENDER, rcptto=RECIPIENT)
    vctx = ValidationContext(mess=msg.mess, recipients=[RECIPIENT, "eve@three.test"])
    vctx.begin(250, "ok")
    with policy(message=msg, vctx=vctx) as here:
        yield here


def run(here: Policy, script: str, phase: str = "data_phase1", capabilities: str = "all") -> tuple:
    here.ports.files.content["/policy/test.siv"] = script.encode()
    lua = f'{ALL} return msys.runSieveScript("test.siv", "{phase}", {capabilities})'
    return results(here, lua)


@row
def test_a_script_without_wishes_changes_nothing(session: Policy) -> None:
    assert run(session, "if false { discard; }") == (True, None)
    assert session.call.vctx.code == 250 and session.call.message.discarded is None


@row
def test_reject_sets_the_reply_and_ends_the_script(session: Policy) -> None:
    script = 'if envelope :domain "from" "example.test" { reject "5.7.1 not from there"; } discard;'
    assert run(session, script) == (True, None)
    assert (session.call.vctx.code, session.call.vctx.note) == (550, "5.7.1 not from there")
    assert session.call.message.discarded is None


@row
def test_discard_discards_and_keep_ends_the_script(session: Policy) -> None:
    assert run(session, "keep; discard;") == (True, None)
    assert session.call.message.discarded is None
    assert run(session, "discard; keep;") == (True, None)
    assert session.call.message.discarded.startswith("250 ")


@row
def test_redirect_in_data_changes_the_recipients(session: Policy) -> None:
    assert run(session, 'redirect :copy "also@x.test";') == (True, None)
    assert session.call.vctx.recipients == [RECIPIENT, "eve@three.test", "also@x.test"]
    assert run(session, 'redirect "only@x.test"; discard;') == (True, None)
    assert session.call.vctx.recipients == ["only@x.test"]
    assert session.call.message.discarded is None


@row
def test_redirect_for_one_recipient_changes_its_copy(session: Policy) -> None:
    session.call.phase, session.call.callout = (
        "data_spool_each_rcpt",
        "validate_data_spool_each_rcpt",
    )
    assert run(
        session, 'redirect :copy "also@x.test"; redirect "only@x.test";', "each_rcpt_phase2"
    )[0]
    sent = [recipients for _, _, recipients in session.ports.outbox.submitted]
    assert (session.call.message.rcptto(), sent) == ("also@x.test", [("only@x.test",)])


@row
def test_fileinto_is_left_for_whoever_delivers(session: Policy) -> None:
    assert run(session, 'fileinto "Spam"; fileinto :copy "Log";') == (True, None)
    assert session.call.message.mess == {"sieve_fileinto": "Spam, Log"}
    assert session.call.message.discarded is None


@row
def test_text_of_replies_and_variables_is_utf_8(session: Policy) -> None:
    script = 'if header :matches "subject" "*gr*" { set "rest" "${2}"; } reject "nö: ${rest}";'
    assert run(session, script) == (True, None)
    assert session.call.vctx.note.encode("latin-1").decode() == "nö: üße"
    session.call.vctx.begin()
    assert run(session, 'reject "${not} a variable";') == (True, None)
    assert session.call.vctx.note == "${not} a variable"


@row
@pytest.mark.parametrize(
    ("script", "phase", "capabilities", "words"),
    [
        ("keep;", "data", "0", None),
        ("keep;", "lunch", "all", "unknown phase 'lunch'"),
        ("keep;", "data_phase3", "all", "unknown phase 'data_phase3'"),
        ("keep;", "data_phase2", "c.SIEVEREQ_PHASE_DATA", None),
        ("keep;", "data", "c.SIEVEREQ_PHASE_EHLO", "do not allow phase 'data'"),
        ('if header "a" "b" {}', "data", "0", "'header' needs the capability msys.core.SIEVEREQ_MSG"),
        ("if size :over 1 {}", "data", "all - c.SIEVEREQ_MSG", "'size' needs"),
        ('if body :contains "a" {}', "data", "c.SIEVEREQ_MSG", "core.SIEVEREQ_MSG_BODY"),
        ('if envelope "from" "b" {}', "data", "c.SIEVEREQ_ENV_TO", "core.SIEVEREQ_ENV_FROM"),
        ('if envelope "to" "b" {}', "data", "c.SIEVEREQ_ENV_FROM", "core.SIEVEREQ_ENV_TO"),
        ('if false { reject "x"; }', "data", "0", "core.SIEVEREQ_550_OK"),
        ('redirect "a@b.test";', "spool_phase1", "all", "redirect cannot be used in spool"),
        ("keep;\nbad;", "data", "all", "test.siv: line 2: unknown command 'bad'"),
        ('require "vacation";', "data", "all", "extension 'vacation' is not provided"),
        ('vacation "x";', "data", "all", "extension 'vacation' not loaded"),
        ('if envelope "by" "x" {}', "data", "all", "'by' is neither 'from' nor 'to'"),
        ('fileinto "a"; reject "x";', "data", "all", "wants the message delivered as well"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_false_and_a_text(
    session: Policy, script: str, phase: str, capabilities: str, words: str | None
) -> None:
    ran, text = run(session, script, phase, capabilities)
    assert (ran, text) == (True, None) if words is None else (ran is False and words in text)
    assert session.call.vctx.code == 250 and session.call.message.discarded is None
    assert session.call.vctx.recipients == [RECIPIENT, "eve@three.test"]


@row
def test_a_file_that_cannot_be_read_is_named(session: Policy) -> None:
    ran, text = results(session, 'return msys.runSieveScript("none.siv", "data", 0)')
    assert ran is False and "none.siv" in text and "No such file" in text


@row
def test_arguments_of_runsievescript_are_checked(session: Policy) -> None:
    for arguments, position in (("", 1), ("'a'", 2), ("'a', {}, 0", 2), ("'a', 'data', 'x'", 3)):
        with pytest.raises(LuaError, match=f"bad argument #{position} to 'runSieveScript'"):
            results(session, f"return msys.runSieveScript({arguments})")


@row
def test_without_a_session_there_is_nobody_to_reject(session: Policy) -> None:
    session.call.vctx = None
    assert run(session, 'reject "x";')[1].endswith("there is no session to answer")
    session.call.message = None
    assert run(session, "discard;")[1].endswith("there is no message to do something with")
    assert run(session, 'if exists "subject" { discard; }') == (True, None)


def test_a_script_that_nests_or_grows_without_end_is_stopped(session: Policy) -> None:
    deep = "if true { " * 200 + "keep;" + "}" * 200
    ran, text = run(session, deep)
    assert ran is False and "more than 32" in text
    doubling = 'set "a" "xxxxxxxxxxxxxxxx";' + 'set "a" "${a}${a}";' * 60 + 'reject "done";'
    assert run(session, doubling)[0] is True
