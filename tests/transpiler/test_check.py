"""The rules of `check`, each by the scripts it speaks about and those it keeps silent about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lua2py.check import check, known, nils
from lua2py.diagnostics import Diagnostic, table
from lua2py.parse import parse
from lua2py.scopes import resolve
from lua2py.source import SourceFile
from lua2py.suggest import nearest
from msys.catalog import by_name, callouts


def checked(text: str, **options: object) -> list[Diagnostic]:
    source = SourceFile.of_text(text, "policy.lua")
    chunk, found = parse(source)
    assert chunk, [one.message for one in found]
    return check(source, chunk, resolve(chunk), **options)  # type: ignore[arg-type]


def said(text: str, **options: object) -> list[str]:
    """`line:code piece-of-source` for each finding."""
    return [
        f"{one.span.line}:{one.code} {text[one.span.start : one.span.end]}"
        for one in checked(text, **options)
    ]


def module(body: str, callout: str = "function mod:validate_data(msg, ac, vctx)") -> str:
    """A module with one callout of that body on lines 3 and following."""
    return (
        f'require("msys.core")\nlocal mod = {{}}\n{callout}\n{body}\nreturn msys.core.VALIDATE_CONT\nend\n'
        'msys.registerModule("policy", mod)\n'
    )


GOOD = """
-- A policy as the manuals write them.
require("msys.core")
require("msys.extended.message")
local pcre = require("msys.pcre")
local core, limits = msys.core, { ["example.com"] = 010 } -- moonpost: allow L202
local mod = {}
seen = 0

local function note(msg, key, value)
  if msg:context_exists(core.ECMESS_CTX_MESS, key) == 0 then
    msg:context_set(msys.core.ECMESS_CTX_MESS, key, value)
  end
end

function mod.helper(text)
  local found = pcre.match(text, "^(?P<user>[^@]+)@")
  return found and found.user or nil
end

function mod:init()
  msys.timer.every(60, function() seen = 0 end, "reset")
  return true
end

function mod:validate_connect(ac, vctx)
  vctx:set(msys.core.VCTX_CONN, "peer", tostring(ac.remote_addr))
  return msys.core.VALIDATE_CONT
end

function mod:validate_rcptto(msg, str, accept, vctx)
  local text = tostring(str)
  if text == "x" or mod.helper(msg:rcptto()) == nil then
    vctx:set_code(550, "5.1.1 unknown")
    return msys.core.VALIDATE_DONE
  elseif limits[msg:rcptto()] then
    return self:decide(vctx)
  else
    while true do
      seen = seen + 1
      if seen > 3 then return msys.core.VALIDATE_CONT end
    end
  end
end

function mod:validate_data_spool_each_rcpt(msg, ac, vctx)
  note(msg, "stage", "spool")
  local subject = msg:header("Subject")
  for i = 1, #subject do
    if subject[i] == "" then break end
  end
  pcall(function() msg:header("X-Seen", seen) end)
  msys.log(core.LOG_INFO, "done")
  do return core.VALIDATE_CONT end
end

function mod:core_log_delivery_v1(msg, dr, now, text, length)
  print(msg:context_get(msys.core.ECMESS_CTX_MESS, "stage"))
end

msys.registerModule("policy", mod)
"""


def test_well_written_policy_has_no_finding() -> None:
    assert said(GOOD, script_name="policy", provided=set(by_name()) | known.functions()) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("msys.pcre.mach('a', 'b')", ["1:L301 mach"]),
        ("msys.core.match('a', 'b')", []),
        ("local p = require('msys.pcre') p.mach(1, 2)", ["1:L301 mach"]),
        ("local m = msys local f = m.dnsLokup", ["1:L301 dnsLokup"]),
        ("msys.dnslookup('a')", ["1:L301 dnslookup"]),
        ("msys.pcer.match('a', 'b')", ["1:L301 pcer"]),
        ("x = msys.core.VALIDATE_CNT", ["1:L309 VALIDATE_CNT"]),
        ("msys.other.thing(1)", ["1:L302 other"]),
        ("require('msys.other') msys.other.thing(1)", []),
        ("msys.mine = {} function msys.mine.f() end msys.mine.f()", []),
        ("module('msys.mine', package.seeall) msys.mine.f()", []),
        ("local msys = {} msys.whatever()", []),
        ("msys = {} msys.pcre.mach()", []),
        ("function f(msys) return msys.pcre.mach() end", []),
        ("x = VCTX_MESS", ["1:L308 VCTX_MESS"]),
        ("VCTX_MESS = 1 x = VCTX_MESS", []),
        ("local recipient = 1 print(recipent)", ["1:L310 recipent"]),
        ("print(stirng.rep('a', 2))", ["1:L310 stirng"]),
        ("print(other_scripts_table)", []),
        ("local domain = 1 print(domains)", []),
        ("msys.core.ec_message_explode(nil)", ["1:L302 ec_message_explode"]),
        ("require('curl') c = curl.anything()", []),
        ("local abc = 1 print(abd)", []),
    ],
)
def test_names(text: str, expected: list[str]) -> None:
    if text == "msys.core.match('a', 'b')":  # a name that one other package has is suggested
        (one,) = checked(text)
        assert one.help == "did you mean `msys.pcre.match`?"
        return
    assert said(text) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("msg:heder('a')", ["4:L303 heder"]),
        ("msg:something_else('a')", ["4:L302 something_else"]),
        ("vctx:set_cod(1, 'a')", ["4:L303 set_cod"]),
        ("local part = msg:makePart('text/plain') part:anything()", []),
        ("msg = other() msg:heder('a')", []),
        ("local m = msg m:heder('a')", []),
        ("msys.getClassMetaTable('x') msg:heder('a')", []),
    ],
)
def test_methods_of_what_a_callout_is_given(body: str, expected: list[str]) -> None:
    assert [one for one in said(module(body)) if "L406" not in one] == expected


def test_helpers_know_what_every_call_gives_them() -> None:
    helper = "local function look(m, what) return m:heder(what) end "
    assert said(helper + module("look(msg, 'a')")) == ["1:L303 heder"]
    assert said(helper + module("look(msg, 'a') look(other, 'a')")) == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("vctx:set_code(550)", ["4:L304 vctx:set_code(550)"]),
        ("vctx:set_code(reply())", []),
        ("vctx:set_code(550, 'a', 'b')", ["4:L313 vctx:set_code(550, 'a', 'b')"]),
        ("msys.pcre.match('a')", ["4:L304 msys.pcre.match('a')"]),
        ("msys.pcre.replace('a', 'b', 'c', 1)", []),
        ("msys.config('get', 'domain', 'a', 'b')", []),
        ("msys.expurgate.scan()", []),
        ("msg:text('a')", []),
        ("msg:makeBoundary(1, 2, 3, 4)", []),
        ("local f = pcall f(msys.pcre.match)", []),
    ],
)
def test_numbers_of_arguments(body: str, expected: list[str]) -> None:
    assert said(module(body)) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("if msg:context_exists(0, 'a') then end", ["4:L311 msg:context_exists(0, 'a')"]),
        ("if x and not msg:context_exists(0, 'a') then end", ["4:L311 msg:context_exists(0, 'a')"]),
        ("while (vctx:exists(0, 'a')) do end", ["4:L311 vctx:exists(0, 'a')"]),
        ("if msg:context_exists(0, 'a') == 1 then end", []),
        ("if msg:inject('a', 'b') then end", []),
    ],
)
def test_zero_is_true(body: str, expected: list[str]) -> None:
    assert said(module(body)) == expected


NIL_FAILS = [
    ("print(msg:header('From')[1]:lower())", ["4:L314 msg:header('From')[1]"]),
    ("local all = msg:header('From') print('x' .. all[1])", ["4:L314 all[1]"]),
    ("local all = msg:header('From') if #all > 0 then print('x' .. all[1]) end", []),
    ("local one = msg:header('From')[1] if one then print(one:lower()) end", []),
    ("local one = msg:header('From')[1] or '' print(one:lower())", []),
    ("for i, one in ipairs(msg:header('From')) do print(one:lower()) end", []),
    ("local user = msg:mailfrom():match('^(.-)@') print('x' .. user)", ["4:L314 user"]),
    (
        "local text = msg:mailfrom() print(text:match('@(.*)'):lower())",
        ["4:L314 text:match('@(.*)')"],
    ),
    ("local u, d = msg:mailfrom():match('(.*)@(.*)') print(#d)", ["4:L314 d"]),
    ("local u, d = msg:mailfrom():match('(.*)@(.*)') if u then print(#d) end", []),
    (
        "local u, d = msg:mailfrom():match('(.*)@(.*)') local t = u and {} if t then print(#d) end",
        [],
    ),
    ("local text = msg:mailfrom() if text:find('@') then print(#text:match('@(.*)')) end", []),
    ("local text = msg:mailfrom() assert(#text > 1) print(#text:match('.'))", []),
    ("print(#msg:mailfrom():match('^%s*(.-)%s*$'))", []),
    ("print(tonumber(msg:mailfrom()) + 1)", ["4:L314 tonumber(msg:mailfrom())"]),
    ("print(tonumber(msg:mailfrom()) < 1)", ["4:L314 tonumber(msg:mailfrom())"]),
    ("print(tonumber(msg:mailfrom()) == 1)", []),
    ("print((tonumber(msg:mailfrom()) or 0) + 1)", []),
    ("local file = io.open('x') file:close()", ["4:L314 file"]),
    ("local file = assert(io.open('x')) file:close()", []),
    ("local file = io.open('x') if not file then error('no x') end file:close()", []),
    ("local file = io.open('x') pcall(function() file:close() end)", []),
    (
        "local row = msys.db.fetch_row('db', 'q') for k in pairs(row) do print(k) end",
        ["4:L314 row"],
    ),
    ("local row = msys.db.fetch_row('db', 'q') row = row or {} print(row.name)", []),
    ("local found = msys.pcre.match('a', 'b') print(found.user)", ["4:L314 found"]),
    ("local found = msys.dnsLookup('a.example', 'a') print(found[1])", ["4:L314 found"]),
    ("print(string.upper(os.getenv('HOME')))", ["4:L314 os.getenv('HOME')"]),
]


@pytest.mark.parametrize(("body", "expected"), NIL_FAILS)
def test_nil_where_nil_fails(body: str, expected: list[str]) -> None:
    assert said(module(body)) == expected


def test_a_rule_that_breaks_is_told_as_a_mistake_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(subject: object) -> Iterator[Diagnostic]:
        raise KeyError("x")

    monkeypatch.setattr("lua2py.check.RULES", (broken, nils.nil_where_it_fails))
    text = module("print(tonumber(msg:mailfrom()) + 1)")
    assert [one.code for one in checked(text)] == ["L299", "L314"]


def test_the_string_of_a_callout_equals_no_string() -> None:
    callout = "function mod:validate_ehlo(str, ac, vctx)"
    assert said(module("if str == 'a' or 'b' ~= str then end", callout)) == [
        "4:L312 str == 'a'",
        "4:L312 'b' ~= str",
    ]
    assert said(module("str = tostring(str) if str == 'a' then end", callout)) == []


PHASES = [
    ("validate_connect(ac, vctx)", "vctx:add_recipient('a@b')", "add_recipient"),
    ("validate_rcptto(msg, str, ac, vctx)", "msg:header('a')", "header"),
    ("validate_set_binding(msg)", "msg:code(550, 'a')", "code"),
    ("validate_data(msg, ac, vctx)", "msg:binding('a')", "binding"),
    (
        "validate_data(msg, ac, vctx)",
        "msys.validate.dkim.sign(msg, vctx)",
        "msys.validate.dkim.sign",
    ),
    ("validate_ehlo(str, ac, vctx)", "msys.cidr.define('a', {})", "msys.cidr.define"),
    ("validate_connect(ac, vctx)", "vctx:tarpit(3)", ""),
    ("validate_data(msg, ac, vctx)", "vctx:tarpit(3)", ""),
    ("validate_set_binding(msg)", "msg:binding('a')", ""),
    ("validate_data(msg, ac, vctx)", "print(msg:binding())", ""),
    ("validate_rcptto(msg, str, ac, vctx)", "msg:context_set(1, 'a', 'b')", ""),
    ("core_final_validation(msg, ac, vctx)", "msys.validate.dkim.sign(msg, vctx)", ""),
    ("core_final_validation(msg, ac, vctx)", "msg:header('a')", ""),
    ("core_log_delivery_v1(msg, dr, now)", "msg:header('a')", ""),
    ("init()", "msys.cidr.define('a', {})", ""),
    (
        "validate_connect(ac, vctx)",
        "msys.timer.after(1, function() msys.cidr.define('a', {}) end)",
        "",
    ),
]


@pytest.mark.parametrize(("callout", "body", "place"), PHASES)
def test_phases(callout: str, body: str, place: str) -> None:
    found = [one for one in said(module(body, f"function mod:{callout}")) if "L408" not in one]
    assert found == ([f"4:L305 {place}"] if place else [])


def test_phases_are_followed_through_helpers() -> None:
    text = """
local mod = {}
local function deep(m) m:header("a") end
function mod.middle(m) pcall(deep, m) end
function mod:validate_rcptto(msg, str, ac, vctx) deep(msg) mod.middle(msg) return msys.core.VALIDATE_CONT end
function mod:validate_data(msg, ac, vctx) mod.middle(msg) return msys.core.VALIDATE_CONT end
msys.registerModule("policy", mod)
"""
    (one,) = [found for found in checked(text) if found.code == "L305"]
    assert one.span.line == 3
    assert one.message == "`msg:header` is not available in validate_rcptto (through deep)"
    assert one.help == "it belongs to: data, data_spool, data_spool_each_rcpt, set_binding"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return msys.core.VALIDATE_CONT", []),
        ("", ["1:L401 end"]),
        ("return", ["1:L401 return"]),
        ("if x then return 0 end", ["1:L401 end"]),
        ("if x then return 0 else return 1 end", []),
        ("if x then return 0 elseif y then return 1 end", ["1:L401 end"]),
        ("if x then return 0 else error('a') end", []),
        ("for i = 1, 2 do return 0 end", ["1:L401 end"]),
        ("while true do if x then return 0 end end", []),
        ("while true do if x then break end end", ["1:L401 end"]),
        ("while true do for i = 1, 2 do break end end", []),
        ("repeat return 0 until true", []),
        ("repeat if x then break end return 0 until true", ["1:L401 end"]),
        ("do return 0 end", []),
        ("return helper(vctx)", []),
        ("f(function() return end) return 0", []),
        ("return nil", ["1:L402 nil"]),
        ("return true", ["1:L402 true"]),
        ("return 'CONT'", ["1:L402 'CONT'"]),
        ("return msys.core.VALIDATE_AGAIN", ["1:L410 msys.core.VALIDATE_AGAIN"]),
    ],
)
def test_callouts_end_with_a_verdict(body: str, expected: list[str]) -> None:
    text = f"local mod = {{}} function mod:validate_data_spool(msg, ac, vctx) {body} end msys.registerModule('p', mod)"
    assert said(text) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return true", []),
        ("", ["1:L408 end"]),
        ("return 0", ["1:L408 return 0"]),
        ("return ready()", []),
    ],
)
def test_init_returns_true(body: str, expected: list[str]) -> None:
    text = f"local mod = {{}} function mod:init() {body} end msys.registerModule('p', mod)"
    assert said(text) == expected


FUNCTION = "function(self, msg) return 0 end"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("msys.registerModule('p', {})", ["1:L404 msys.registerModule"]),
        (f"msys.registerModule('p', {{validate_data = {FUNCTION}}})", []),
        (f"local f = {FUNCTION} msys.registerModule('p', {{validate_data = f}})", []),
        (f"local m = {{}} m.validate_dat = {FUNCTION} msys.registerModule('p', m)", ["1:L403 validate_dat"]),
        (f"local m = {{}} m.validate_world = {FUNCTION} msys.registerModule('p', m)", ["1:L403 validate_world"]),
        (f"local m = {{}} m.smpp_submit = {FUNCTION} msys.registerModule('p', m)", []),
        (f"local m = {{}} m.validate_user = {FUNCTION} m.validate_data = function(self) return m.validate_user() end "
         "msys.registerModule('p', m)", []),
        ("local m = {} fill(m) msys.registerModule('p', m)", []),
        ("local m = {} for k in f do m[k] = 1 end msys.registerModule('p', m)", []),
        ("local m = make() msys.registerModule('p', m)", []),
        ("local m = {} function m.validate_data(msg, ac) return 0 end msys.registerModule('p', m)", ["1:L407 msg"]),
        ("local m = {} function m.validate_data(self, msg) return 0 end msys.registerModule('p', m)", []),
        ("local m = {} function m:validate_mailfrom(msg, str, ac, vctx) vctx:set_code(1, '') return 0 end "
         "msys.registerModule('p', m)", ["1:L411 vctx"]),
        ("local m = {} function m:validate_mailfrom(str, ac, vctx, more) return 0 end msys.registerModule('p', m)", []),
        ("local m = {} function m.validate_mailfrom(self, str, ac, vctx) vctx:set_code(1, '') return 0 end "
         "msys.registerModule('p', m)", []),
        ("local m = {} function m:validate_data() return 0 end\nfunction m:validate_data() return 0 end "
         "msys.registerModule('p', m)", ["1:L409 validate_data"]),
    ],
)  # fmt: skip
def test_modules(text: str, expected: list[str]) -> None:
    assert said(text) == expected


def test_module_and_script_have_one_name() -> None:
    text = module("")
    assert said(text, script_name="policy") == []
    assert said(text, script_name="other") == ['7:L405 "policy"']


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("function f() count = 1 end", ["1:L406 count"]),
        ("count = 0 function f() count = 1 end", []),
        ("local count function f() count = 1 end", []),
        ("function f() a, b = 1, 2 a = 3 end", ["1:L406 a"]),
        ("function f() function g() end end", ["1:L406 g"]),
        ("function f() _G.count = 1 end", []),
        ("setfenv(1, {}) function f() count = 1 end", []),
    ],
)
def test_globals_set_in_functions(text: str, expected: list[str]) -> None:
    assert said(text) == expected


def test_what_is_not_provided_and_what_is_deprecated() -> None:
    provided = set(by_name()) - {"msys.snmpTrap", "msg:header"}
    text = module("msys.snmpTrap({})\nmsg:header('a')")
    assert said(text, provided=provided) == ["4:L306 msys.snmpTrap", "5:L306 header"]
    old = next(
        row.name
        for forms in by_name().values()
        for row in forms
        if row.deprecated and not row.receiver
    )
    assert [one.split()[0] for one in said(f"x = {old}", provided=provided)] == ["1:L307"]


def test_a_comment_silences_a_finding() -> None:
    assert said("function f() count = 1 end -- moonpost: allow L406") == []
    assert said("-- moonpost: allow L406\nfunction f() count = 1 end") == []


def test_every_rule_is_tested_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    codes = {code for code in table() if code[:2] in ("L3", "L4")}
    assert {code for code in codes if code not in text} == set()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("validate_dat", "validate_data"),
        ("VALIDATE_DATA", "validate_data"),
        ("zebra", ""),
        ("", ""),
    ],
)
def test_nearest(name: str, meant: str) -> None:
    assert nearest(name, callouts()) == meant


def test_known_names_repeat_nothing_of_the_catalogue() -> None:
    assert not known._listed("function") & set(by_name())
    assert not known._listed("method") & set(by_name())
    assert not known._listed("hook") & set(callouts())


def test_known_constants_are_those_of_the_runtime() -> None:
    constants = pytest.importorskip("msys.constants")
    theirs = {
        name
        for name in vars(constants)
        if name.isupper() and isinstance(getattr(constants, name), int | str)
    }
    assert theirs <= known.members("msys.core")
