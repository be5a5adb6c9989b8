"""Many wraps on one clock of 10 ms: one plant for all, sensors, electronics and firmware of their own, and a gateway's part for each.

Everything between the bytes of the gateway and the true pressures is what the simulated wrap is made of. The clock's crystals are exact
here, batteries do not run down, and pressure switches look every 10 ms, which finds a pressure later than real ones, never earlier.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from wavewrap_bench.safety_gateway import PAYLOAD_BYTES, GatewayPart
from wavewrap_bench.safety_link import LinkTrouble
from wavewrap_bench.safety_runs import Batch, Run
from wavewrap_bench.safety_trace import Outcome, Reaction, shows
from wavewrap_board.board import Board
from wavewrap_protocol import uuids
from wavewrap_protocol.enums import Cause, DeviceState
from wavewrap_protocol.limits import OVER_THRESHOLD_MMHG, VENTED_MMHG
from wavewrap_protocol.reports import Capabilities
from wavewrap_protocol.states import PRESSURISING
from wavewrap_protocol.units import CMMHG_PER_MMHG
from wavewrap_sim.disturbances import LimbMovement, WarmingAir
from wavewrap_sim.electronics import Electronics
from wavewrap_sim.fault_player import FaultPlayer
from wavewrap_sim.firmware import Inputs, Outgoing
from wavewrap_sim.firmware_config import CONTROL_PERIOD_S, CONTROL_PERIOD_TICK, FaultFound, StateChanged
from wavewrap_sim.firmware_from_board import firmware_config
from wavewrap_sim.from_board import manifold_sensor_of, plant_of, sensors_of
from wavewrap_sim.plant_conditions import PlantConditions
from wavewrap_sim.pneumatics import Plant
from wavewrap_sim.pressure_control import Drive
from wavewrap_sim.protection import protection_of
from wavewrap_sim.sensors import PressureSensors

__all__ = ["LIMITER_CUT", "Glimpse", "play_batch"]

SUBSTEP_S = 0.005
"""Of the plant: within 0.1 mmHg of a fine one while pressures move."""

TALK_TICKS = 10
"""Gateways speak every 100 ms."""

SETTLE_S = 3.0
"""A run goes on for so long after the last chamber is empty."""

SETTLE_MOST_S = 120.0
"""And no longer than this after the safety action, empty or not."""

LIMITER_CUT = "LIMITER_CUT"

_ORDERLY = frozenset({Cause.SESSION_END})
_BOOTS = frozenset({Cause.BOOT, Cause.BOOT_WATCHDOG, Cause.BOOT_BROWN_OUT})

Array = NDArray[np.float64]

Glimpse = Callable[[float, "WrapOnRig", list[float], float], None]
"""Called on every tick for each wrap of a batch that is still played: second, wrap, true pressures, manifold."""


class WrapOnRig:
    """One wrap: its electronics, its gateway, its faults, and what has come of it so far."""

    def __init__(self, run: Run, board: Board, conditions: PlantConditions, row: int, seed: np.random.SeedSequence) -> None:
        limiter_rng, boot_rng, battery_rng = (np.random.default_rng(each) for each in seed.spawn(3))
        self.run = run
        self.electronics = Electronics(firmware_config(board), protection_of(board), limiter_rng, boot_rng)
        self.electronics.boot(0, Cause.BOOT)
        self.electronics.take_events()  # the first boot is no news
        self.electronics.firmware.link_up(0, PAYLOAD_BYTES)
        capabilities = Capabilities.decode(self.electronics.firmware.read(0, uuids.CAPABILITIES))
        self.gateway = GatewayPart(run.wave, capabilities, run.session_id)
        self.player = FaultPlayer(run.faults, conditions, row, [chamber.compliance_ml_mmhg for chamber in board.chambers])
        self.link = LinkTrouble(run.faults)
        self.battery_pct = float(battery_rng.uniform(60.0, 100.0))
        self.shown_s: list[float | None] = [None] * len(run.faults)
        self.shown_ticks = [0] * len(run.faults)
        self.reactions: list[Reaction] = []
        self.began = False
        self.acted_s: float | None = None
        self._heard: list[Outgoing] = []
        self._was_lost = False
        self._tripped = False

    def tick(self, at: int, readings: list[int], pressure_mmhg: list[float], manifold_mmhg: float) -> None:
        """Control tick number ``at``: sense, act, talk. ``readings`` are the chambers' and, last, the manifold's."""
        now_s = at * CONTROL_PERIOD_S
        electronics, player = self.electronics, self.player
        player.advance(now_s, electronics)
        chambers, manifold = tuple(readings[:-1]), readings[-1]
        if player.tampers:
            chambers, manifold = player.tamper(now_s, chambers, manifold)
        tick = at * CONTROL_PERIOD_TICK
        boot_cause = electronics.tick(tick, CONTROL_PERIOD_S, pressure_mmhg, Inputs(chambers, self.battery_pct, manifold))
        self._heard += electronics.take_outgoing()
        self._take_events(now_s)
        if self.acted_s is None and not electronics.is_powered:
            # Without supply all actuators are at rest; the boot tells of it later.
            self.acted_s = now_s
        if boot_cause is not None:
            electronics.boot(tick, boot_cause)
            self._heard.clear()
            self.gateway.is_over = True
            self._take_events(now_s)
        if at % TALK_TICKS == 0:
            self._talk(now_s, tick, pressure_mmhg)
        player.hold_pump(enabled=electronics.drive.pump_enabled)
        if now_s >= self.run.onset_s:
            self._look_for_faults(now_s, pressure_mmhg, manifold_mmhg)

    def _talk(self, now_s: float, tick: int, pressure_mmhg: list[float]) -> None:
        link, electronics = self.link, self.electronics
        lost = link.is_lost(now_s)
        if lost is not self._was_lost and electronics.is_alive:
            self._was_lost = lost
            if lost:
                electronics.firmware.link_down(tick)
            else:
                electronics.firmware.link_up(tick, PAYLOAD_BYTES)
        if link.is_cut(now_s):
            self._heard.clear()
        if link.is_gateway_silent(now_s):
            return
        self.gateway.hear(now_s, self._heard)
        self._heard.clear()
        writes = link.carry(now_s, self.gateway.speak(now_s))
        if link.is_cut(now_s):
            return
        for uuid, data in writes:
            electronics.write(tick, uuid, data, pressure_mmhg)
        if writes:
            self._heard += electronics.take_outgoing()
            self._take_events(now_s)

    def _take_events(self, now_s: float) -> None:
        electronics = self.electronics
        if electronics.limiter.is_tripped is not self._tripped:
            self._tripped = electronics.limiter.is_tripped
            if self._tripped:
                self._react(now_s, LIMITER_CUT, 255)
        for event in electronics.take_events():
            match event:
                case FaultFound():
                    self._react(now_s, event.fault.name, event.chamber)
                case StateChanged():
                    if event.state in PRESSURISING:
                        self.began = True
                    elif event.cause in _BOOTS or (event.state is DeviceState.VENTING and event.cause not in _ORDERLY):
                        self._react(now_s, event.cause.name, 255)
                    if self.began and self.acted_s is None and event.state not in PRESSURISING:
                        self.acted_s = now_s

    def _react(self, now_s: float, what: str, chamber: int) -> None:
        self.reactions.append(Reaction(at_s=round(now_s, 2), what=what, chamber=chamber))
        if self.acted_s is None:
            self.acted_s = now_s

    def _look_for_faults(self, now_s: float, pressure_mmhg: list[float], manifold_mmhg: float) -> None:
        in_session = self.electronics.firmware.state in PRESSURISING or (
            self.acted_s is not None and now_s - self.acted_s < CONTROL_PERIOD_S
        )
        for at, fault in enumerate(self.run.faults):
            if now_s >= fault.at_s and shows(
                fault, self.electronics.drive, pressure_mmhg, manifold_mmhg, in_session=in_session or not self.electronics.is_alive
            ):
                self.shown_ticks[at] += 1
                if self.shown_s[at] is None:
                    self.shown_s[at] = round(now_s, 2)


def play_batch(batch: Batch, board: Board, glimpse: Glimpse | None = None) -> list[Outcome]:
    """Play every run of ``batch`` to its end."""
    wraps, chambers = len(batch.runs), len(board.chambers)
    seed = np.random.SeedSequence(batch.seed)
    plant_seed, sensor_seed, wrap_seed, limb_seed, warm_seed = seed.spawn(5)
    plant_rng, sensor_rng = np.random.default_rng(plant_seed), np.random.default_rng(sensor_seed)
    nominal = plant_of(board)
    plant = Plant([nominal.scattered(plant_rng, board.spread_fraction) for _ in range(wraps)], SUBSTEP_S)
    sensors = PressureSensors(sensors_of(board), (wraps, chambers), sensor_rng)
    manifold_sensors = PressureSensors(manifold_sensor_of(board), (wraps,), sensor_rng)
    compliance = np.array([[chamber.compliance_ml_mmhg for chamber in board.chambers]] * wraps)
    limbs = LimbMovement([np.random.default_rng(each) for each in limb_seed.spawn(wraps)], compliance)
    air = WarmingAir([np.random.default_rng(each) for each in warm_seed.spawn(wraps)], chambers)
    fleet = [
        WrapOnRig(run, board, plant.conditions, row, each)
        for row, (run, each) in enumerate(zip(batch.runs, wrap_seed.spawn(wraps), strict=True))
    ]
    meter = _Meter(wraps, chambers)
    playing = list(enumerate(fleet))
    duty = np.zeros(wraps)
    inlets, vents = np.zeros((wraps, chambers)), np.ones((wraps, chambers))
    dump = np.ones(wraps)
    told = [wrap.electronics.drive for wrap in fleet]
    outcomes: dict[int, Outcome] = {}
    at = 0
    while playing:
        at += 1
        now_s = at * CONTROL_PERIOD_S
        plant.conditions.swell_ml[:] = limbs.advance(CONTROL_PERIOD_S)
        if at % 100 == 1:
            # Warmth moves by some 0.05 K a second.
            plant.conditions.warmth_k[:] = air.at(now_s)
        plant.step(CONTROL_PERIOD_S, duty, inlets, vents, dump)
        pressure, manifold = plant.pressure_mmhg, plant.manifold_mmhg
        seen = np.column_stack((sensors.read_mmhg(pressure, CONTROL_PERIOD_S), manifold_sensors.read_mmhg(manifold, CONTROL_PERIOD_S)))
        readings = np.rint(seen * CMMHG_PER_MMHG).astype(int).tolist()
        meter.take(now_s, pressure, told)
        true_mmhg, manifold_mmhg = pressure.tolist(), manifold.tolist()
        for row, wrap in playing:
            wrap.tick(at, readings[row], true_mmhg[row], manifold_mmhg[row])
            if glimpse is not None:
                glimpse(now_s, wrap, true_mmhg[row], manifold_mmhg[row])
            drive = wrap.electronics.drive
            if drive is not told[row]:
                told[row] = drive
                duty[row], inlets[row], vents[row], dump[row] = drive.pump_duty, drive.inlet_open, drive.vent_open, drive.dump_open
        if at % TALK_TICKS == 0:
            over = [each for each in playing if meter.is_settled(now_s, *each)]
            for row, wrap in over:
                outcomes[row] = meter.outcome(now_s, row, wrap)
                # Nobody drives it any more: it rests while the others go on.
                duty[row], inlets[row], vents[row], dump[row] = 0.0, False, True, True
                plant.conditions.pump_held_duty[row] = np.nan
                playing.remove((row, wrap))
    return [outcomes[row] for row in range(wraps)]


class _Meter:
    """Pressures of the fleet as they come."""

    def __init__(self, wraps: int, chambers: int) -> None:
        self._highest: Array = np.zeros(wraps)
        self._over: Array = np.zeros((wraps, chambers))
        self._longest: Array = np.zeros(wraps)
        self._last_over_15: Array = np.zeros(wraps)
        self._last_over_5: Array = np.zeros(wraps)
        self._last_enabled = [0.0] * wraps

    def take(self, now_s: float, pressure: Array, told: list[Drive]) -> None:
        top = pressure.max(axis=1)
        np.maximum(self._highest, top, out=self._highest)
        self._over = (self._over + CONTROL_PERIOD_S) * (pressure > OVER_THRESHOLD_MMHG)
        np.maximum(self._longest, self._over.max(axis=1), out=self._longest)
        self._last_over_15[top > OVER_THRESHOLD_MMHG] = now_s
        self._last_over_5[top > VENTED_MMHG] = now_s
        for row, drive in enumerate(told):
            if drive.pump_enabled:
                self._last_enabled[row] = now_s

    def is_settled(self, now_s: float, row: int, wrap: WrapOnRig) -> bool:
        ended_s = wrap.acted_s
        if ended_s is None:
            # A wrap that never armed has nothing to settle.
            ended_s = now_s if wrap.gateway.is_over else None
        if ended_s is None:
            return now_s > wrap.run.wave.duration_s + 30.0
        empty_s = max(self._last_over_5[row], ended_s)
        return bool(now_s >= empty_s + SETTLE_S or now_s >= ended_s + SETTLE_MOST_S)

    def outcome(self, now_s: float, row: int, wrap: WrapOnRig) -> Outcome:
        acted_s = wrap.acted_s
        from_s = 0.0 if acted_s is None else acted_s
        return Outcome(
            run_id=wrap.run.run_id,
            program=wrap.run.program,
            faults=wrap.run.faults,
            reactions=tuple(wrap.reactions),
            shown_s=tuple(wrap.shown_s),
            shown_for_s=tuple(round(ticks * CONTROL_PERIOD_S, 2) for ticks in wrap.shown_ticks),
            acted_s=None if acted_s is None else round(acted_s, 2),
            pump_off_s=round(max(0.0, self._last_enabled[row] - from_s), 2),
            below_15_s=round(max(0.0, float(self._last_over_15[row]) - from_s), 2),
            below_5_s=round(max(0.0, float(self._last_over_5[row]) - from_s), 2),
            highest_mmhg=round(float(self._highest[row]), 1),
            over_15_s=round(float(self._longest[row]), 1),
            played_s=round(now_s, 1),
            limiter=any(reaction.what == LIMITER_CUT for reaction in wrap.reactions),
        )
