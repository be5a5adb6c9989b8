"""How a session starts and ends by itself: gently, eased, by the button, at the battery's reserve; and why the device booted."""

import pytest
from tests.support.firmware_bench import armed, bench_config, inflate

from wavewrap_protocol.commands import Arm
from wavewrap_protocol.enums import Cause, DeviceState, Result, StepOutcome
from wavewrap_sim.firmware import Firmware
from wavewrap_sim.firmware_config import StateChanged
from wavewrap_sim.pressure_control import Drive


def test_the_button_on_the_wrap_stops_like_a_stop() -> None:
    bench = armed()
    inflate(bench, 40.0)
    bench.stop_pressed = True
    bench.run(0.02)
    assert (bench.states()[-1].state, bench.states()[-1].cause) == (DeviceState.VENTING, Cause.STOP)
    assert bench.firmware.drive == Drive.safe(4)
    bench.run(1.0)
    assert bench.firmware.state is DeviceState.IDLE


def test_the_battery_reserve_ends_a_session_in_order_and_refuses_the_next() -> None:
    bench = armed()
    inflate(bench, 40.0)
    levels = bench.config.battery
    bench.battery_pct = levels.reserve_pct
    bench.run(0.1)
    assert bench.firmware.state is DeviceState.RUNNING
    bench.battery_pct = levels.reserve_pct - 0.1
    bench.run(1.0)
    assert [(report.state, report.cause) for report in bench.states()[-2:]] == [
        (DeviceState.VENTING, Cause.BATTERY_LOW),
        (DeviceState.IDLE, Cause.VENTED),
    ]
    assert bench.faults() == []
    assert bench.command(Arm(2, 5_000, 8_000)).result is Result.BATTERY_LOW


@pytest.mark.parametrize("cause", [Cause.BOOT, Cause.BOOT_WATCHDOG, Cause.BOOT_BROWN_OUT])
def test_the_first_report_says_why_it_booted(cause: Cause) -> None:
    (event,) = Firmware(bench_config(), 1, 0, cause).take_events()
    assert isinstance(event, StateChanged)
    assert (event.state, event.cause) == (DeviceState.IDLE, cause)


def test_the_first_compressions_are_eased_and_say_so() -> None:
    """70 %, then 85 % of the device's own 80 mmHg, then all of it; a target under that is left alone."""
    bench = armed()
    for number, reached_mmhg in enumerate((56.0, 68.0, 70.0)):
        bench.plan(4 * number, [(bench.tick + 1, 0, 70.0, 0), (bench.tick + 2, 1, 40.0, 0)])
        bench.run(3.0)
        assert bench.pressure_mmhg[0] == pytest.approx(reached_mmhg, abs=2.5)
        bench.plan(4 * number + 2, [(bench.tick + 1, 0, 0.0, 0), (bench.tick + 1, 1, 0.0, 0)])
        bench.run(5.0)
    eased, executed = StepOutcome.EASED, StepOutcome.EXECUTED
    assert [r.outcome for r in bench.records()] == [eased, executed, executed, executed] * 2 + [executed] * 4


def test_the_first_inflation_of_a_chamber_is_slow_up_to_10_mmhg() -> None:
    bench = armed()
    bench.moves = False
    figures = bench.config.detection
    bench.plan(0, [(bench.tick + 1, 0, 50.0, 0)])
    bench.pressure_mmhg[0] = figures.gentle_mmhg - 0.1
    bench.run(0.1)
    assert 0.0 < bench.firmware.drive.pump_duty <= figures.gentle_duty
    bench.pressure_mmhg[0] = figures.gentle_mmhg + 0.1
    bench.run(0.03)
    assert bench.firmware.drive.pump_duty > figures.gentle_duty
