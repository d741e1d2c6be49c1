"""Policy that people maintain in Python: loaded, reloaded, blamed and refused as Lua is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from moonpost.policy.bridge import Bridge
from moonpost.policy.host import Host
from moonpost.policy.interface import Outcome, PolicyState
from moonpost.policy.loader import Loader, LoaderSettings, LoadFailed, ScriptStanza
from msys.accept import Accept
from msys.testing.fakes import fake_ports
from msys.vctx import ValidationContext

HEAD = "import msys\nfrom msys.lua import Table, require\n"
CALLOUT = """
def validate_connect(self, ac, vctx):
    {body}
    return msys.core.VALIDATE_CONT

msys.registerModule("policy", Table({{"validate_connect": validate_connect}}))
"""


def policy(body: str, head: str = HEAD) -> str:
    return head + CALLOUT.format(body=body)


SAYS = policy('vctx.set(msys.core.VCTX_CONN, "said", "{}")')


def write(folder: Path, text: str | bytes, name: str = "policy.py") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(0o644)
    return path


@asynccontextmanager
async def running(folder: Path, *, compiled: bool = False) -> AsyncIterator[Host]:
    loader = Loader(LoaderSettings((folder,), folder / "cache", compiled=compiled))
    host = Host(fake_ports(), Bridge(), loader)
    try:
        await host.start([ScriptStanza("policy", "policy")])
        yield host
    finally:
        await host.stop()
        await loader.close()


async def connect(host: Host) -> tuple[Outcome, ValidationContext]:
    vctx, accept = ValidationContext(), Accept()
    accept.vctx = vctx
    answer = host.current().run(
        "validate_connect", PolicyState(accept=accept, vctx=vctx), (accept, vctx)
    )
    return (answer if isinstance(answer, Outcome) else await answer), vctx


def with_policy(
    folder: Path, scenario: Callable[[Host], Awaitable[None]], *, compiled: bool = False
) -> None:
    async def play() -> None:
        async with running(folder, compiled=compiled) as host:
            await scenario(host)

    asyncio.run(play())


@pytest.mark.parametrize("compiled", [False, True])
def test_a_folder_with_python_alone_is_policy(tmp_path: Path, compiled: bool) -> None:
    write(tmp_path, SAYS.replace("{}", "hello"))

    async def scenario(host: Host) -> None:
        assert (await connect(host))[1].conn == {"said": "hello"}

    with_policy(tmp_path, scenario, compiled=compiled)


def test_a_change_is_found_by_content_and_adopted(tmp_path: Path) -> None:
    write(tmp_path, SAYS.replace("{}", "one"))

    async def scenario(host: Host) -> None:
        assert not (await host.reload(only_if_changed=True)).changed
        write(tmp_path, "# moved down\n" + SAYS.replace("{}", "two"))
        assert (await host.reload(only_if_changed=True)).changed
        assert (await connect(host))[1].conn == {"said": "two"}

    with_policy(tmp_path, scenario)


def test_the_line_that_decided_is_the_one_of_the_python_file(tmp_path: Path) -> None:
    write(tmp_path, policy('vctx.set_code(550, "no")'))

    async def scenario(host: Host) -> None:
        for _ in range(2):  # after a reload as well: the old generation takes no map with it
            assert (await connect(host))[1].changed_at == ("policy.py", 5)
            assert (await host.reload()).changed

    with_policy(tmp_path, scenario)


# body of the callout -> what is told, in Python's words
FAILURES = {
    "{}['x']": "policy.py:5: KeyError: 'x'",
    "None.x": "policy.py:5: AttributeError: 'NoneType' object has no attribute 'x'",
    "int('x')": "policy.py:5: ValueError: invalid literal for int() with base 10: 'x'",
    "1 + None": "policy.py:5: TypeError: unsupported operand type(s) for +: 'int' and 'NoneType'",
    "__import__('json').loads('{')": "policy.py:5: JSONDecodeError: ",
    "assert False, 'never'": "policy.py:5: AssertionError: never",
    "raise msys.LuaError('own words')": "own words",
    "return helper": "policy.py:5: NameError: name 'helper' is not defined",
}


@pytest.mark.parametrize("body", FAILURES)
def test_an_error_is_told_in_the_words_of_python(tmp_path: Path, body: str) -> None:
    write(tmp_path, policy(body))

    async def scenario(host: Host) -> None:
        error = (await connect(host))[0].error
        assert error is not None
        assert FAILURES[body] in error.text
        assert error.where == "policy.py:5"
        assert error.kind == "error"
        assert "policy.py:5: in function 'validate_connect'" in error.traceback

    with_policy(tmp_path, scenario)


# what a file holds -> what the operator reads
UNLOADABLE = {
    b"def f(:\n": "policy.py:1:7: SyntaxError: invalid syntax\n   1 | def f(:\n     |       ^",
    b"x = '\xff'\n": "policy.py",
    b"x = 1\0\n": "policy.py",
    b"import no_such_module\n": "policy.py:1: ModuleNotFoundError: No module named 'no_such_module'",
    b"1 / 0\n": "policy.py:1: ZeroDivisionError: division by zero",
}


@pytest.mark.parametrize("content", UNLOADABLE)
def test_what_cannot_be_loaded_is_told_and_the_old_policy_stays(
    tmp_path: Path, content: bytes
) -> None:
    write(tmp_path, SAYS.replace("{}", "old"))

    async def scenario(host: Host) -> None:
        write(tmp_path, content)
        outcome = await host.reload()
        assert not outcome.changed
        assert UNLOADABLE[content] in outcome.problems[0]
        assert (await connect(host))[1].conn == {"said": "old"}

    with_policy(tmp_path, scenario)


def test_python_of_ones_own_beside_lua_is_refused(tmp_path: Path) -> None:
    write(tmp_path, SAYS)
    write(tmp_path, "return nil\n", "policy.lua")

    async def scenario(host: Host) -> None:
        raise AssertionError("it was loaded")

    with pytest.raises(LoadFailed, match="was not made from it by moonpost; keep one of them"):
        with_policy(tmp_path, scenario)


def test_what_the_compiler_made_is_policy_of_its_own_once_the_lua_is_gone(tmp_path: Path) -> None:
    made = '"""policy.lua (sha256 0123456789ab), translated by moonpost 0.1.0."""\n'
    write(tmp_path, made + SAYS.replace("{}", "made"))

    async def scenario(host: Host) -> None:
        assert (await connect(host))[1].conn == {"said": "made"}

    with_policy(tmp_path, scenario)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_library_in_python_is_required_and_reloaded_with_the_script(
    tmp_path: Path, compiled: bool
) -> None:
    write(tmp_path, policy('vctx.set(msys.core.VCTX_CONN, "said", require("lib.words")["word"])'))
    write(tmp_path, 'from msys.lua import Table\nRESULT = Table({"word": "one"})\n', "lib/words.py")

    async def scenario(host: Host) -> None:
        assert (await connect(host))[1].conn == {"said": "one"}
        write(
            tmp_path,
            'from msys.lua import Table\nRESULT = Table({"word": "two"})\n',
            "lib/words.py",
        )
        assert (await host.reload(only_if_changed=True)).changed
        assert (await connect(host))[1].conn == {"said": "two"}

    with_policy(tmp_path, scenario, compiled=compiled)


def test_lua_and_python_share_libraries_both_ways(tmp_path: Path) -> None:
    write(tmp_path, policy('vctx.set(msys.core.VCTX_CONN, "said", require("twice")("ab"))'))
    write(
        tmp_path,
        'local join = require("join")\nreturn function(s) return join(s, s) end\n',
        "twice.lua",
    )
    write(tmp_path, "def join(one, two):\n    return one + two\n\nRESULT = join\n", "join.py")

    async def scenario(host: Host) -> None:
        assert (await connect(host))[1].conn == {"said": "abab"}

    with_policy(tmp_path, scenario)
