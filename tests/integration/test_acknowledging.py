"""A fault from the hose to the person and back, with real processes: found, named, shown, acknowledged, gone."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.processes import Ended, run_gateway, run_simulator
from tests.support.session_programs import write_short_program

pytestmark = pytest.mark.realtime


@dataclass(frozen=True)
class Scenes:
    """In this order, on one simulated wrap, which has shown its ``lights``."""

    found: Ended
    lights: list[str]
    before: Ended
    session: Ended
    refused: Ended
    shown: Ended
    acknowledged: Ended
    after: Ended


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Scenes:
    """The whole story, once."""
    return asyncio.run(_play(tmp_path_factory.mktemp("acknowledging")))


async def _play(folder: Path) -> Scenes:
    faults = folder / "hose-off.toml"
    faults.write_text('[[fault]]\nkind = "hose_off"\nat_s = 0.0\nchamber = 1\n', encoding="utf-8")
    program = write_short_program(folder)
    async with run_simulator(folder / "sim", "--wraps", 1, "--faults", faults) as simulator:

        async def say(*arguments: object) -> Ended:
            return await run_gateway(folder, *arguments, "--radio", simulator.radio)

        play = ("run", program, "--wraps", 1, "--json")
        return Scenes(
            await say("identify", "--for", 7, "--json"),
            [line for line in simulator.running.stdout.splitlines() if "light_s" in line],
            await say("acknowledge"),
            await say(*play),
            await say(*play),
            await say("acknowledge", "--json"),
            await say("acknowledge", "--yes"),
            await say("acknowledge", "--json"),
        )


def test_a_wrap_is_found_by_its_light(scenes: Scenes) -> None:
    assert (scenes.found.code, scenes.found.lines) == (0, [])
    assert json.loads(scenes.found.stdout) == {"wraps": [{"wrap": "sim001-01", "side": "left", "light_s": 7}]}
    assert scenes.lights == ['{"wrap": "SIM001-01", "light_s": 7}']


def test_a_wrap_without_a_fault_has_none_to_acknowledge(scenes: Scenes) -> None:
    assert (scenes.before.code, scenes.before.stdout, scenes.before.lines) == (0, "no fault is latched\n", [])


def test_the_session_ends_with_the_fault_its_meaning_and_the_remedy(scenes: Scenes) -> None:
    assert (scenes.session.code, scenes.session.summary["ended"], scenes.session.summary["vented"]) == (1, "faulted", True)
    reason = scenes.session.summary["reason"]
    assert "the fault NO_RISE: air went in and no pressure came up: check that every hose is on" in reason
    assert scenes.session.lines == [f"wavewrap: the session failed, every chamber vented: {reason}"]


def test_the_next_session_is_refused_until_the_fault_is_acknowledged(scenes: Scenes) -> None:
    assert scenes.refused.code == 1
    assert scenes.refused.summary["reason"].endswith("when that is done, run 'wavewrap acknowledge'")


def test_showing_a_fault_changes_nothing(scenes: Scenes) -> None:
    assert scenes.shown.code == 1
    (wrap,) = json.loads(scenes.shown.stdout)["wraps"]
    assert (wrap["fault"], wrap["acknowledged"], wrap["error"]) == ("no_rise", False, None)
    assert "hose" in wrap["remedy"]
    assert [line for line in scenes.shown.lines if "run this again and say yes" in line]


def test_once_acknowledged_the_fault_is_gone(scenes: Scenes) -> None:
    assert scenes.acknowledged.code == 0
    assert "acknowledged, ready to be armed" in scenes.acknowledged.stderr
    assert scenes.after.code == 0
    assert json.loads(scenes.after.stdout)["wraps"][0]["fault"] is None
