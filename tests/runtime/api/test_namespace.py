"""The names Lua text reaches: tables of packages, require, tolerant calls, and what is not provided."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

import msys
from msys import namespace
from msys.catalog import by_name, rows
from msys.catalog.binding import BASIS, BOUND
from msys.catalog.tested import covering
from msys.lua import LuaError, Table, call, returns_nothing
from msys.lua.environment import Environment
from msys.missing import Missing
from msys.testing.policy import policy

namespace.load_all()
TESTS = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def env() -> Environment:
    made = Environment()
    namespace.install(made)
    return made


def at(env: Environment, path: str):
    here = env.globals
    for part in path.split("."):
        here = here[part]
    return here


PLAIN = [row for row in rows() if not row.is_method and not row.is_property]


@pytest.mark.parametrize("row", PLAIN, ids=lambda row: row.key)
def test_every_plain_row_can_be_called_from_lua(env: Environment, row) -> None:
    assert callable(at(env, row.name))


def test_every_row_has_a_function() -> None:
    assert [row.key for row in rows() if row.name not in BOUND] == []


def test_every_row_has_a_test_marked_with_it() -> None:
    marked = covering(TESTS)
    assert [row.key for row in rows() if row.name not in marked] == []
    assert sorted(set(marked) - set(by_name())) == [], "marks that name no row"


def test_what_a_future_row_lacks_says_so() -> None:
    with pytest.raises(LuaError, match=r"msys\.audit is not provided by this version of moonpost"):
        Missing("msys.audit")()


def test_misspelt_python_names_are_no_attributes() -> None:
    with pytest.raises(AttributeError):
        _ = msys.validate.dkim.misspelt
    with pytest.raises(AttributeError):
        _ = msys.nothing_of_the_kind


def test_every_export_is_there_for_the_type_checker_too() -> None:
    source = inspect.getsource(msys)
    for name in msys.EXPORTS:
        assert f" as {name}\n" in source or f"    {name} = " in source, name
        assert getattr(msys, name) is not None


@pytest.mark.parametrize(
    "row", [row for row in rows() if row.name in BOUND], ids=lambda row: row.key
)
def test_bound_functions_say_what_they_do_and_take_what_the_row_says(row) -> None:
    function = BOUND[row.name]
    text = inspect.getdoc(function) or ""
    assert len(text) > 15, row.name
    if row.is_property:
        return
    parameters = [p for p in inspect.signature(function).parameters.values() if p.name != "self"]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return
    needed = sum(p.default is p.empty for p in parameters)
    assert needed <= row.required or row.required == 0, f"{row.key}: {needed} arguments are needed"
    if row.most is not None:
        assert len(parameters) >= row.most, f"{row.key}: takes {len(parameters)} arguments"


@pytest.mark.parametrize(
    "row",
    [row for row in rows() if row.name in BOUND and row.results == ()],
    ids=lambda row: row.key,
)
def test_functions_without_results_are_annotated_so(row) -> None:
    assert returns_nothing(BOUND[row.name]), row.name


def test_why_a_behaviour_is_assumed_is_said_in_words() -> None:
    assert all(len(why) > 3 for why in BASIS.values())
    assert len(BASIS) > 50


def test_require_finds_every_package(env: Environment) -> None:
    for name in (
        "msys",
        "msys.core",
        "msys.pcre",
        "msys.extended.message",
        "json",
        "thread",
        "opendkim.dkim",
    ):
        assert isinstance(env.loaded[name], Table), name
    assert env.loaded["msys.datasource"] is env.loaded["msys.db"] is at(env, "msys.db")
    assert env.loaded["msys.validate.opendkim"] is at(env, "msys.validate.opendkim")


def test_constants_are_there(env: Environment) -> None:
    assert at(env, "msys.core.VALIDATE_CONT") == msys.core.VALIDATE_CONT
    assert at(env, "msys.counter.STRICT") == 0
    assert at(env, "json.ERROR_DEPTH") == 1
    assert at(env, "opendkim.dkim.DKIM_STAT_NOKEY") == 3
    assert at(env, "thread.MUTEX_RECURSIVE") == 1
    assert at(env, "msys.gcm.GCM_UNKNOW") == 11


def test_calls_from_lua_drop_extra_arguments_and_fill_missing_ones(env: Environment) -> None:
    with policy(environment=env):
        assert call(at(env, "msys.base64.encode"), "a", None, None, "extra") == ("YQ==",)
        with pytest.raises(LuaError, match="bad argument #1 to 'match'"):
            at(env, "msys.pcre.match")()
        assert call(at(env, "msys.gauge_cache.define"), "g", 1, 1) == ()


def test_each_environment_has_tables_of_its_own(env: Environment) -> None:
    other = Environment()
    namespace.install(other)
    at(other, "msys.pcre")["match"] = None
    assert callable(at(env, "msys.pcre.match"))


def returned(function) -> int | None:
    """How many values the annotation promises; None when it does not say."""
    text = str(inspect.unwrap(getattr(function, "fget", function)).__annotations__["return"])
    if text == "None":
        return 0
    tree = ast.parse(text, mode="eval").body
    if isinstance(tree, ast.Subscript) and ast.unparse(tree.value) == "tuple":
        assert isinstance(tree.slice, ast.Tuple)
        return len(tree.slice.elts)
    return None if text in ("Any", "Result", "MatchResult", "matching.MatchResult") else 1


@pytest.mark.parametrize("name", sorted(BOUND))
def test_functions_give_as_many_results_as_their_row_says(name: str) -> None:
    wanted = {None if row.results is None else len(row.results) for row in by_name()[name]}
    promised = returned(BOUND[name])
    if promised is not None and None not in wanted:
        assert promised in wanted, f"{name}: the row says {wanted}, the annotation {promised}"
