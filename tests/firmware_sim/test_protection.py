"""The limiter, the watchdog and the supply, apart from the firmware and with it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavewrap_board.files import REFERENCE_BOARD, load_board
from wavewrap_protocol import uuids
from wavewrap_protocol.commands import Acknowledge, Arm, ControlWrite
from wavewrap_protocol.enums import Cause, DeviceState, Fault
from wavewrap_sim.electronics import Electronics
from wavewrap_sim.firmware import Inputs
from wavewrap_sim.firmware_from_board import firmware_config
from wavewrap_sim.pressure_control import Drive
from wavewrap_sim.protection import Limiter, Watchdog, protect, protection_of

BOARD = load_board(REFERENCE_BOARD)
PARAMETERS = protection_of(BOARD)
CHAMBERS = len(BOARD.chambers)
SAFE = Drive.safe(CHAMBERS)
FILLING = Drive(0.5, (True, False, False, False), (False,) * CHAMBERS, dump_open=False, pump_enabled=True)


@given(seed=st.integers(0, 1 << 32))
def test_every_switch_trips_within_its_tolerance(seed: int) -> None:
    limiter = Limiter(PARAMETERS, CHAMBERS, np.random.default_rng(seed))
    assert all(abs(trip_mmhg - PARAMETERS.trip_mmhg) <= PARAMETERS.tolerance_mmhg for trip_mmhg in limiter.trip_mmhg)
    assert min(limiter.trip_mmhg) > BOARD.limits.ceiling_max_mmhg


@pytest.mark.parametrize("chamber", range(CHAMBERS))
def test_one_chamber_over_its_threshold_for_the_delay_latches(chamber: int) -> None:
    limiter = Limiter(replace(PARAMETERS, delay_s=0.03), CHAMBERS, np.random.default_rng(1))
    high = [limiter.trip_mmhg[at] + (0.1 if at == chamber else -0.1) for at in range(CHAMBERS)]
    low = [limiter.trip_mmhg[at] - 0.1 for at in range(CHAMBERS)]
    for pressures in (high, high, low, high, high):
        limiter.watch(pressures, 0.01)
        assert not limiter.is_tripped, "a dip starts the delay anew"
    limiter.watch(high, 0.01)
    assert limiter.is_tripped
    limiter.reset(high)
    assert limiter.is_tripped, "no reset while a chamber is over"
    limiter.watch([0.0] * CHAMBERS, 0.01)
    assert limiter.is_tripped, "latched"
    limiter.reset([0.0] * CHAMBERS)
    assert not limiter.is_tripped


def test_the_watchdog_runs_out_only_unkicked() -> None:
    watchdog = Watchdog(0.1)
    assert not any(watchdog.has_run_out(0.01) for _ in range(9))
    watchdog.kick()
    assert [watchdog.has_run_out(0.01) for _ in range(10)] == [False] * 9 + [True]


def test_what_reaches_the_actuators() -> None:
    assert protect(FILLING, SAFE, cut=False) == FILLING
    assert protect(FILLING, SAFE, cut=True) == SAFE
    assert protect(replace(FILLING, pump_enabled=False), SAFE, cut=False).pump_duty == 0.0


class Powered:
    """Electronics with somebody who ticks them."""

    def __init__(self) -> None:
        self.electronics = Electronics(firmware_config(BOARD), PARAMETERS, np.random.default_rng(1), np.random.default_rng(2))
        self.electronics.boot(0, Cause.BOOT)
        self.at = 0
        self._rng = np.random.default_rng(3)

    def tick(self, count: int, true_mmhg: float = 0.0) -> Cause | None:
        """``count`` control ticks with every chamber at ``true_mmhg`` and sensors that see nothing of it."""
        for _ in range(count):
            self.at += 1
            readings = tuple(int(value) for value in self._rng.normal(0.0, 10.0, CHAMBERS + 1))
            asked = self.electronics.tick(self.at * 100, 0.01, (true_mmhg,) * CHAMBERS, Inputs(readings[:-1], 90.0, readings[-1]))
            if asked is not None:
                return asked
        return None

    def write(self, command: Arm | Acknowledge) -> None:
        self.electronics.write(self.at * 100, uuids.CONTROL, ControlWrite(self.at, command).encode(), (0.0,) * CHAMBERS)

    def arm(self) -> None:
        self.tick(250)
        self.write(Arm(7, 5_000, 8_000))
        assert self.electronics.firmware.state is DeviceState.ARMED


def test_the_limiter_cuts_whatever_the_firmware_sees_and_only_a_person_brings_it_back() -> None:
    powered = Powered()
    powered.arm()
    powered.tick(1, true_mmhg=105.0)
    electronics = powered.electronics
    assert electronics.limiter.is_tripped
    assert electronics.drive == SAFE
    powered.tick(2)
    assert electronics.firmware.fault is Fault.LIMITER
    powered.tick(100)
    assert electronics.limiter.is_tripped, "latched after the pressure has gone"
    powered.write(Arm(8, 5_000, 8_000))
    assert electronics.firmware.state is DeviceState.FAULT
    powered.write(Acknowledge(Fault.LIMITER))
    assert not electronics.limiter.is_tripped
    powered.tick(5)
    assert electronics.firmware.state is DeviceState.IDLE


def test_a_firmware_that_hangs_is_cut_and_hears_nothing() -> None:
    powered = Powered()
    powered.arm()
    powered.electronics.hang()
    ticks = round(PARAMETERS.watchdog_s / 0.01)
    assert powered.tick(ticks - 1) is None
    assert powered.tick(1) is Cause.BOOT_WATCHDOG
    assert powered.electronics.drive == SAFE
    powered.electronics.boot(0, Cause.BOOT_WATCHDOG)
    assert powered.electronics.firmware.state is DeviceState.IDLE
    assert powered.electronics.boots == 1


def test_without_supply_everything_rests_and_writes_are_lost() -> None:
    powered = Powered()
    powered.arm()
    powered.electronics.lose_power(0.5, Cause.BOOT_BROWN_OUT)
    assert powered.electronics.drive == SAFE
    assert powered.tick(49) is None
    powered.write(Arm(9, 5_000, 8_000))
    assert powered.electronics.take_outgoing() == []
    assert powered.tick(2) is Cause.BOOT_BROWN_OUT
