"""Sources that were cut off or damaged: a diagnostic each time, never a traceback of ours, and an end."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

import lua2py.pipeline
from lua2py import SourceFile, analyse, translate
from lua2py.check import check
from lua2py.diagnostics import Diagnostic
from lua2py.report import render_text
from lua2py.scopes import resolve

SAMPLES = Path(__file__).parents[2] / "samples"
PIECE = 7  # bytes from one cut to the next
NORMAL = 8  # one of so many, in the run without the long tests
INTERNAL = "L299"
JUNK = [b"\0", b"\xff", b"\xc3", b"(", b")", b"end ", b"'", b'"', b"[[", b"]]", b"--[[", b"\\", b"=", b"..", b"\n", b"{", b"~"]  # fmt: skip


def samples() -> list[bytes]:
    return [path.read_bytes() for path in sorted(SAMPLES.rglob("*.lua"))]


def cut_off() -> Iterator[bytes]:
    """Every sample, ended at every PIECE-th byte."""
    for content in samples():
        for end in range(0, len(content), PIECE):
            yield content[:end]


def damaged(count: int) -> Iterator[bytes]:
    """Samples of which bytes are flipped, taken out, doubled, or replaced by what is rare."""
    dice = random.Random(7)
    whole = samples()
    for _ in range(count):
        content = bytearray(dice.choice(whole))
        for _ in range(dice.choice((1, 1, 2, 5))):
            at, size = dice.randrange(len(content)), dice.choice((1, 1, 3, 20))
            change = dice.randrange(4)
            if change == 0:
                content[at] ^= 1 << dice.randrange(8)
            elif change == 1:
                del content[at : at + size]
            elif change == 2:
                content[at:at] = content[at : at + size]
            else:
                content[at:at] = dice.choice(JUNK)
        yield bytes(content)


def examined(content: bytes, std: str) -> list[Diagnostic]:
    """What `moonpost check` does with a script, down to the text for people."""
    source = SourceFile("broken.lua", content)
    analysis = analyse(source, std=std)
    found = [*translate(analysis).diagnostics]
    if analysis.chunk is not None:
        found += check(source, analysis.chunk, resolve(analysis.chunk))
    elif not found:
        raise AssertionError("neither a tree nor a diagnostic")
    render_text(found, {source.path: source})
    return found


def internal(contents: Iterator[bytes], std: str = "thr") -> list[str]:
    """The sources that the compiler itself fails at."""
    wrong = []
    for content in contents:
        try:
            told = [one.message for one in examined(content, std) if one.code == INTERNAL]
        except Exception as error:
            told = [f"{type(error).__name__}: {error}"]
        wrong += [f"{one}\n{content!r}" for one in told]
    return wrong


def test_some_cuts_and_some_damage() -> None:
    some = [content for place, content in enumerate(cut_off()) if place % NORMAL == 0]
    assert not internal(iter(some))
    assert not internal(damaged(300))
    assert not internal(damaged(50), "5.1")


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_every_cut() -> None:
    assert not internal(cut_off())


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_much_damage() -> None:
    assert not internal(damaged(5000))


@pytest.mark.parametrize("step", ["parse", "resolve", "gather"])
def test_a_mistake_of_ours_is_a_diagnostic_whatever_step_makes_it(
    monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("planted")

    monkeypatch.setattr(lua2py.pipeline, step, fail)
    translation = translate(SourceFile("fine.lua", b"print(1)"))
    assert [one.code for one in translation.diagnostics] == [INTERNAL]
    assert not translation.ok
