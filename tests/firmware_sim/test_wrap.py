"""The whole wrap in virtual time: nothing here waits."""

import json
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest

from wavewrap_board.files import REFERENCE_BOARD, load_board
from wavewrap_protocol import uuids
from wavewrap_protocol.codec import FROM_DEVICE, DeviceMessage
from wavewrap_protocol.commands import Arm, Command, ControlWrite, End, Plan, Renew, Replay, Step, Stream, TimePing
from wavewrap_protocol.enums import Cause, DeviceState, Result, StepOutcome
from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.payloads import Side
from wavewrap_protocol.reports import Answer, Capabilities, StateReport, StepsReport, Telemetry, TimePong
from wavewrap_protocol.units import TICK_MODULUS, tick_add
from wavewrap_sim.faults import FAULT
from wavewrap_sim.firmware import Outgoing
from wavewrap_sim.log import FaultEntry, LogEntry, PressureEntry, StateEntry, StepEntry
from wavewrap_sim.wrap import SimulatedWrap, WrapSettings

BOARD = load_board(REFERENCE_BOARD)
SESSION = 77
START_S = 12_345.678


class Gateway:
    """Drives one wrap in host seconds, a call every ``period_s``."""

    def __init__(self, settings: WrapSettings, period_s: float = 0.0137) -> None:
        self.log: list[LogEntry] = []
        self.wrap = SimulatedWrap(settings, START_S, self.log.append)
        self.now_s = START_S
        self.period_s = period_s
        self.seen: list[DeviceMessage] = []
        self._cmd_id = 0
        self._renew_s: float | None = None

    def take(self, outgoing: Iterable[Outgoing]) -> list[DeviceMessage]:
        messages = [FROM_DEVICE[out.characteristic](out.data) for out in outgoing]
        self.seen += messages
        return messages

    def run(self, seconds: float, *, renew: bool = False) -> None:
        end_s = self.now_s + seconds
        renew_s = self.now_s
        while self.now_s < end_s:
            self.now_s = min(end_s, self.now_s + self.period_s)
            self.take(self.wrap.advance(self.now_s))
            if renew and self.now_s >= renew_s:
                renew_s += 1.0
                self.command(Renew(SESSION, 5_000))

    def command(self, command: Command) -> Answer:
        self._cmd_id += 1
        messages = self.take(self.wrap.write(self.now_s, uuids.CONTROL, ControlWrite(self._cmd_id, command).encode()))
        return next(message for message in messages if isinstance(message, Answer))

    def plan(self, first_seq: int, steps: list[tuple[float, int, float, float]]) -> None:
        """Steps of (host seconds from now, chamber, mmHg, ramp s), due at the wrap's tick of that instant by its nominal rate."""
        asked_tick = self.ping().received_tick
        made = tuple(
            Step(tick_add(asked_tick, round(at_s * 10_000)), chamber, round(mmhg * 100), round(ramp_s * 1000))
            for at_s, chamber, mmhg, ramp_s in steps
        )
        self._cmd_id += 1
        self.take(self.wrap.write(self.now_s, uuids.PLAN, Plan(self._cmd_id, SESSION, first_seq, made).encode()))
        assert [m.result for m in self.seen if isinstance(m, Answer)][-1] is Result.OK

    def ping(self) -> TimePong:
        self.take(self.wrap.write(self.now_s, uuids.TIME, TimePing(1).encode()))
        self.run(0.05)
        return [message for message in self.seen if isinstance(message, TimePong)][-1]

    def arm(self) -> None:
        self.wrap.connected(self.now_s, 244)
        self.run(2.0)
        assert self.command(Arm(SESSION, 5_000, 8_000)).result is Result.OK
        assert self.command(Stream(1, 0)).result is Result.OK


WAVE = [(0.5 + 2.6 * chamber, chamber, mmhg, 2.0) for chamber, mmhg in enumerate((55.0, 50.0, 45.0, 40.0))]
RELEASE = [(13.0, chamber, 0.0, 0.0) for chamber in range(4)]


@pytest.mark.parametrize("start_tick", [0, TICK_MODULUS - 70_000])
def test_a_session_from_arm_to_vented(start_tick: int) -> None:
    gateway = Gateway(WrapSettings("S-1", Side.LEFT, seed=4, clock_ppm=40.0, start_tick=start_tick, plant_scatter=0.2))
    gateway.arm()
    planned_s = gateway.now_s
    gateway.plan(0, WAVE + RELEASE)
    gateway.run(12.8, renew=True)
    assert gateway.wrap.pressure_mmhg == pytest.approx((55.0, 50.0, 45.0, 40.0), abs=3.0)
    gateway.run(6.0, renew=True)
    assert gateway.command(End(SESSION)).result is Result.OK
    gateway.run(3.0)
    assert gateway.wrap.state is DeviceState.IDLE
    assert max(gateway.wrap.pressure_mmhg) < 5.0

    records = [record for report in gateway.seen if isinstance(report, StepsReport) for record in report.records]
    assert [record.seq for record in records] == list(range(8))
    assert all(record.actual_tick == record.planned_tick and record.outcome is StepOutcome.EXECUTED for record in records)
    steps = [entry for entry in gateway.log if isinstance(entry, StepEntry)]
    for entry, (at_s, chamber, _, _) in zip(steps, WAVE + RELEASE, strict=True):
        assert entry.chamber == chamber
        # 40 ppm fast over 13 s is 0.5 ms; a tick is 0.1 ms.
        assert entry.host_s == pytest.approx(planned_s + at_s * (1 - 40e-6), abs=1.1e-4)

    frames = [frame for frame in gateway.seen if isinstance(frame, Telemetry)]
    assert all(later.seq == earlier.seq + 5 for earlier, later in pairwise(frames)), "gapless"
    peaks = np.array([row for frame in frames for row in frame.samples_cmmhg]).max(axis=0) / 100
    assert (peaks < np.array([55.0, 50.0, 45.0, 40.0]) + 3.0).all()
    assert [(r.state, r.cause) for r in gateway.seen if isinstance(r, StateReport)][-1] == (DeviceState.IDLE, Cause.VENTED)


def test_a_gateway_that_dies_leaves_every_chamber_vented() -> None:
    gateway = Gateway(WrapSettings("S-1", Side.LEFT, seed=9, plant_scatter=0.2))
    gateway.arm()
    gateway.plan(0, [(0.1, chamber, 40.0, 0.0) for chamber in range(4)])
    gateway.run(7.0, renew=True)
    assert min(gateway.wrap.pressure_mmhg) > 30.0
    gateway.wrap.disconnected(gateway.now_s)
    gateway.command(Renew(SESSION, 5_000))
    gateway.run(5.0)
    assert gateway.wrap.state is DeviceState.VENTING
    gateway.run(5.0)
    assert max(gateway.wrap.pressure_mmhg) < 15.0
    entries = [(entry.state, entry.cause) for entry in gateway.log if isinstance(entry, StateEntry)]
    assert entries == [("idle", "boot"), ("armed", "command"), ("running", "first_step"), ("venting", "lease_end"), ("idle", "vented")]


def test_how_often_it_is_advanced_changes_nothing() -> None:
    def play(period_s: float) -> tuple[list[LogEntry], list[DeviceMessage], tuple[float, ...]]:
        gateway = Gateway(WrapSettings("S-1", Side.LEFT, seed=4, clock_ppm=-30.0, plant_scatter=0.2), period_s)
        gateway.arm()
        gateway.plan(0, [(0.30005, 0, 30.0, 0.5), (1.7777, 0, 0.0, 0.0)])
        gateway.run(3.0)
        return gateway.log, gateway.seen, gateway.wrap.pressure_mmhg

    assert play(0.0137) == play(1.0) == play(0.0009)


def test_a_stop_between_two_ticks_vents_from_that_instant() -> None:
    gateway = Gateway(WrapSettings("S-1", Side.LEFT, seed=4))
    gateway.arm()
    gateway.plan(0, [(0.1, 0, 60.0, 0.0)])
    gateway.run(3.0034)
    gateway.take(gateway.wrap.write(gateway.now_s, uuids.STOP, b""))
    stopped = [entry for entry in gateway.log if isinstance(entry, StateEntry)][-1]
    assert (stopped.state, stopped.cause) == ("venting", "stop")
    assert stopped.host_s == pytest.approx(gateway.now_s, abs=1e-4)
    gateway.run(1.8)
    assert gateway.wrap.pressure_mmhg[0] < 12.0


def test_until_a_stop_the_plant_runs_under_the_old_commands() -> None:
    def fill_until(stop_s: float) -> float:
        gateway = Gateway(WrapSettings("S-1", Side.LEFT, seed=4), period_s=10.0)
        gateway.arm()
        gateway.plan(0, [(0.1, 0, 60.0, 0.0)])
        gateway.run(stop_s)
        gateway.take(gateway.wrap.write(gateway.now_s, uuids.STOP, b""))
        gateway.run(2.02 - stop_s)
        return gateway.wrap.pressure_mmhg[0]

    early_mmhg, late_mmhg = fill_until(2.0005), fill_until(2.0095)
    # No tick lies between; 9 ms at some 50 mmHg/s.
    assert 0.1 < late_mmhg - early_mmhg < 1.5


def test_a_reboot_mid_hold_vents_and_forgets() -> None:
    gateway = Gateway(WrapSettings("S-1", Side.LEFT, seed=4, start_tick=5_000_000))
    gateway.arm()
    first_boot = Capabilities.decode(gateway.wrap.read(gateway.now_s, uuids.CAPABILITIES)).boot_id
    gateway.plan(0, [(0.1, 0, 60.0, 0.0)])
    gateway.run(3.0)
    gateway.wrap.reboot(gateway.now_s)
    assert gateway.wrap.state is DeviceState.IDLE
    assert gateway.wrap.pressure_mmhg[0] > 55.0
    gateway.wrap.connected(gateway.now_s, 244)
    assert gateway.ping().received_tick == 0
    told = Capabilities.decode(gateway.wrap.read(gateway.now_s, uuids.CAPABILITIES))
    assert told.boot_id != first_boot
    assert gateway.command(Replay(first_boot & 0xFF, 0, 10)).result is Result.NOT_AVAILABLE
    assert gateway.command(Renew(SESSION, 5_000)).result is Result.WRONG_STATE
    gateway.run(0.5)
    assert gateway.command(Arm(78, 5_000, 8_000)).result is Result.NOT_VENTED
    gateway.run(4.0)
    assert max(gateway.wrap.pressure_mmhg) < 5.0


def test_the_log_is_json_and_pressures_come_every_100_ms() -> None:
    gateway = Gateway(WrapSettings("S-1", Side.RIGHT, board=BOARD.with_chambers(2)))
    gateway.run(1.05)
    pressures = [entry for entry in gateway.log if isinstance(entry, PressureEntry)]
    assert [entry.host_s - START_S for entry in pressures] == pytest.approx([0.1 * at for at in range(11)], abs=1e-9)
    told = [json.loads(json.dumps(entry.to_json())) for entry in gateway.log]
    assert told[0] == {"kind": "state", "wrap": "S-1", "host_s": START_S, "state": "idle", "cause": "boot"}
    assert told[1] == {"kind": "pressure", "wrap": "S-1", "host_s": START_S, "pressure_mmhg": [0.0, 0.0], "state": "idle"}


def test_waking_times_follow_the_plan() -> None:
    gateway = Gateway(WrapSettings("S-1", Side.LEFT))
    gateway.arm()
    gateway.run(0.005)
    assert 0.0 < gateway.wrap.next_wake_s() - gateway.now_s <= 0.01
    gateway.plan(0, [(0.0521, 0, 10.0, 0.0)])  # asking the wrap for its time takes 50 ms
    assert gateway.wrap.next_wake_s() - gateway.now_s == pytest.approx(0.0021, abs=2e-4)


def test_a_wrap_is_what_its_board_says() -> None:
    six = load_board("wrap_rev_b")
    board = six.model_copy(update={"limits": six.limits.model_copy(update={"ceiling_mmhg": 65.0})})
    wrap = SimulatedWrap(WrapSettings("S-1", Side.LEFT, board=board), 0.0, lambda _entry: None)
    capabilities = Capabilities.decode(wrap.read(0.0, uuids.CAPABILITIES))
    assert (capabilities.chambers, capabilities.ceiling_cmmhg, len(wrap.pressure_mmhg)) == (6, 6_500, 6)


def test_the_stop_button_vents() -> None:
    gateway = Gateway(WrapSettings("S-1", Side.LEFT, seed=4))
    gateway.arm()
    gateway.plan(0, [(0.1, 0, 40.0, 0.0)])
    gateway.run(2.0, renew=True)
    assert min(gateway.wrap.pressure_mmhg[:1]) > 30.0
    gateway.wrap.press_stop(gateway.now_s)
    gateway.run(3.0, renew=True)
    assert max(gateway.wrap.pressure_mmhg) < 5.0
    states = [(entry.state, entry.cause) for entry in gateway.log if isinstance(entry, StateEntry)]
    assert states[-2:] == [("venting", "stop"), ("idle", "vented")]


def test_a_fault_of_the_settings_happens_and_a_hang_boots_the_wrap() -> None:
    hose_off = FAULT.validate_python({"kind": "hose_off", "at_s": 4.0, "chamber": 1})
    hang = FAULT.validate_python({"kind": "firmware_hang", "at_s": 20.0})
    gateway = Gateway(WrapSettings("S-1", Side.LEFT, seed=4, faults=(hose_off, hang)))
    gateway.arm()
    gateway.plan(0, [(0.1, 0, 40.0, 0.0)])
    gateway.run(8.0, renew=True)
    assert next(entry.fault for entry in gateway.log if isinstance(entry, FaultEntry)) in ("no_rise", "leak")
    gateway.run(12.0)
    assert gateway.wrap.boots == 1
    assert [entry.cause for entry in gateway.log if isinstance(entry, StateEntry)][-1] == "boot_watchdog"


def test_a_fault_in_a_chamber_that_the_wrap_has_not_is_refused() -> None:
    hose_off = FAULT.validate_python({"kind": "hose_off", "at_s": 4.0, "chamber": 2})
    with pytest.raises(UsageError, match="hose_off in chamber 2: the wrap has 1"):
        Gateway(WrapSettings("S-1", Side.LEFT, board=BOARD.with_chambers(1), faults=(hose_off,)))
