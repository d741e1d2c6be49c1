"""Every session that the samples tell comes out the same in a simulation, but for real time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest

from moonpost.sim.letter import of_act
from moonpost.sim.report import Report, Step
from moonpost.sim.setup import set_up
from moonpost.sim.simulation import Simulation
from moonpost.sim.snapshot import headers_of
from moonpost.testing.stories import Act, Delivery, read

ROOT = Path(__file__).parents[3] / "samples"
NAMES = sorted(path.parent.name for path in ROOT.glob("*/session.txt"))


def replies(steps: Iterable[Step], moment: str) -> list[tuple[int, str]]:
    return [(step.code, step.text) for step in steps if step.phase == moment]


def check(act: Act, report: Report) -> None:
    for expect in act.expects:
        said = replies(report.steps, expect.moment)
        assert any(code == expect.code and expect.pattern.match(text) for code, text in said), (
            f"{act.title}: {expect.moment}: {said}"
        )
    if act.decided_by:
        assert report.last.decided_by == act.decided_by
    if act.takes_at_least_s:
        assert sum(step.held_s for step in report.steps) >= act.takes_at_least_s
    if act.deliveries is not None:
        queued = {r.delivered_to: r for r in report.recipients if r.fate == "queued"}
        assert sorted(queued) == sorted(delivery.to for delivery in act.deliveries)
        for delivery in act.deliveries:
            check_delivery(delivery, queued[delivery.to])


def check_delivery(delivery: Delivery, recipient) -> None:
    message = recipient.message
    headers = headers_of(message.header_block)
    for name, pattern in delivery.headers:
        values = [value for field, value in headers if field.lower() == name.lower()]
        assert any(pattern.fullmatch(value) for value in values), (name, values)
    for name in delivery.without:
        assert name.lower() not in [field.lower() for field, _ in headers]
    for pattern in delivery.body:
        assert pattern.search(message.content.decode("latin-1"))
    if delivery.through:
        assert recipient.binding == delivery.through


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_story_comes_out_as_it_is_told(samples: Path, name: str) -> None:
    async def tell() -> None:
        async with Simulation(set_up([samples / "ecelerity.conf"])) as simulation:
            for act in read(samples / name / "session.txt"):
                simulation.clock.advance(act.after_s)
                for _ in range(act.repeat):
                    check(act, await simulation.play(of_act(act, samples / name)))

    asyncio.run(tell())


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_folder_stands_alone(samples: Path, name: str) -> None:
    """Its first story needs nothing but the folder."""

    async def tell() -> None:
        setup = set_up([samples / name])
        async with Simulation(setup) as simulation:
            act = read(samples / name / "session.txt")[0]
            for delivery in act.deliveries or ():
                delivery.through = ""  # bindings are the configuration's
            for _ in range(act.repeat):
                check(act, await simulation.play(of_act(act, samples / name)))

    asyncio.run(tell())
