"""Findings on simulated wraps, from the bladder to the record: mild defects are named, a leg that moves and warming air are not."""

from collections.abc import Callable
from dataclasses import replace

from tests.support.programs import make_program
from tests.support.virtual_sessions import prepare_session, summarise
from tests.support.virtual_wraps import run_wraps

from wavewrap_protocol.payloads import EndedHow
from wavewrap_sim.faults import LeakFault, LimbMovement, PoorFit, WarmingAir
from wavewrap_sim.log import LogEntry
from wavewrap_sim.virtual_time import run_virtual
from wavewrap_sim.wrap import SimulatedWrap, WrapSettings

WORN = (
    LeakFault(kind="leak", at_s=0.0, chamber=2, flow_at_60_ml_s=0.8),
    PoorFit(kind="poor_fit", at_s=0.0, chamber=4, slack_ml=30.0),
)
ALIVE = (LimbMovement(kind="limb_movement", at_s=0.0, peak_mmhg=6.0, seed=4), WarmingAir(kind="warming_air", at_s=0.0, seed=4))


def make_worn_and_alive(settings: WrapSettings, now_s: float, log: Callable[[LogEntry], None]) -> SimulatedWrap:
    """The first wrap has two mild defects, the second one only a leg in it."""
    return SimulatedWrap(replace(settings, faults=WORN if settings.serial == "VIRTUAL-1" else ALIVE), now_s, log)


def test_mild_defects_are_named_in_the_record_and_a_leg_that_moves_is_no_defect() -> None:
    async def play() -> None:
        async with run_wraps(2, make_wrap=make_worn_and_alive) as virtual:
            program = make_program(
                pattern="sequential_hold", pressure_mmhg=45, gradient_mmhg=0, inflate_s=1.0, hold_s=5.2, release_s=0, rest_s=6
            )
            runner = prepare_session(virtual, program, 78.0)
            told: list[str] = []
            runner.observe = lambda kind, text: told.append(f"{kind}: {text}")
            outcome = await runner.run()
            assert (outcome.ended, outcome.vented) == (EndedHow.COMPLETED, True), outcome.reason
            worn, alive = summarise(runner, outcome).wraps
            assert {(found.kind, found.chamber) for found in worn.findings} == {("leak", 2), ("loose", 4)}
            assert {found.kind for found in alive.findings} <= {"limb_moved"}
            assert any(line.startswith("finding: left, chamber 2 (falls by") for line in told), "told while the session runs"
            assert len(told) == len(set(told)), "told once"

    run_virtual(play())
