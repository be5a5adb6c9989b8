"""Faults in the middle of a session, from the bladder over the real radio stack to the gateway's last word, in virtual time."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.support.programs import make_program
from tests.support.virtual_sessions import prepare_session
from tests.support.virtual_wraps import run_wraps

from wavewrap_protocol.payloads import EndedHow
from wavewrap_sim.faults import FAULT, Fault
from wavewrap_sim.log import LogEntry
from wavewrap_sim.virtual_time import run_virtual
from wavewrap_sim.wrap import SimulatedWrap, WrapSettings

AT_S = 12.0

ENDINGS: list[tuple[dict[str, object], str]] = [
    ({"kind": "hose_off", "chamber": 1}, "the fault NO_RISE"),
    ({"kind": "inlet_stuck_shut", "chamber": 2}, "the fault BLOCKED"),
    ({"kind": "vent_stuck_shut", "chamber": 1}, "the fault VENT_FAILED"),
    ({"kind": "pump_dead"}, "the fault PUMP_WEAK"),
    ({"kind": "sensor_frozen", "chamber": 2}, "the fault SENSOR"),
    ({"kind": "firmware_hang"}, "restarted during the session"),
    ({"kind": "brown_out", "for_s": 0.4}, "restarted during the session"),
]


def break_second(fault: Fault) -> Callable[[WrapSettings, float, Callable[[LogEntry], None]], SimulatedWrap]:
    """A maker of wraps of which the second one has ``fault``."""

    def make(settings: WrapSettings, now_s: float, log: Callable[[LogEntry], None]) -> SimulatedWrap:
        return SimulatedWrap(replace(settings, faults=(fault,)) if settings.serial == "VIRTUAL-2" else settings, now_s, log)

    return make


@pytest.mark.parametrize(("table", "named"), ENDINGS, ids=[str(table["kind"]) for table, _ in ENDINGS])
def test_a_fault_in_mid_session_ends_it_by_its_name_with_both_wraps_vented(table: dict[str, object], named: str) -> None:
    async def play() -> None:
        fault = FAULT.validate_python({**table, "at_s": AT_S})
        async with run_wraps(2, make_wrap=break_second(fault)) as virtual:
            program = make_program(
                pattern="sequential_hold", pressure_mmhg=40, gradient_mmhg=0, inflate_s=1.0, hold_s=3, release_s=1, rest_s=3
            )
            outcome = await prepare_session(virtual, program, 40.0).run()
            assert outcome.ended is EndedHow.FAULTED
            assert "virtual-2" in outcome.reason
            assert named in outcome.reason
            assert outcome.vented
            healthy, broken = virtual.stations
            assert healthy.is_vented
            assert broken.is_vented
            assert healthy.faults() == []
            assert max(max(entry.pressure_mmhg) for station in virtual.stations for entry in station.pressures()) < 45.0

    run_virtual(play())


def test_limbs_that_move_and_air_that_warms_end_nothing() -> None:
    async def play() -> None:
        alive = tuple(FAULT.validate_python({"kind": kind, "at_s": 0.0, "seed": 9}) for kind in ("limb_movement", "warming_air"))

        def make(settings: WrapSettings, now_s: float, log: Callable[[LogEntry], None]) -> SimulatedWrap:
            return SimulatedWrap(replace(settings, faults=alive), now_s, log)

        async with run_wraps(1, make_wrap=make) as virtual:
            program = make_program(
                pattern="sequential_hold", pressure_mmhg=40, gradient_mmhg=0, inflate_s=1.0, hold_s=6, release_s=1, rest_s=3
            )
            outcome = await prepare_session(virtual, program, 45.0).run()
            assert (outcome.ended, outcome.vented) == (EndedHow.COMPLETED, True), outcome.reason
            assert virtual.stations[0].faults() == []

    run_virtual(play())
