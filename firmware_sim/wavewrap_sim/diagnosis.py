"""What is wrong with sensors and pneumatics: runs the watches on every control tick, and owns the sensors' zero. Pure.

Order matters where one cause shows in several places: a sensor before what its reading would mean, then the way of the air, then the
holds, then the vents.
"""

from collections.abc import Sequence
from math import exp

from wavewrap_protocol.enums import Fault
from wavewrap_protocol.units import TICKS_PER_S, cmmhg_to_mmhg, mmhg_to_cmmhg
from wavewrap_sim.air_supply import AirSupply, SupplyMode
from wavewrap_sim.firmware_config import FirmwareConfig, Inputs
from wavewrap_sim.hold_watch import HoldWatch
from wavewrap_sim.manifold_watch import ManifoldWatch
from wavewrap_sim.pressure_control import Drive
from wavewrap_sim.scene import ALL_CHAMBERS, Finding, Scene
from wavewrap_sim.sensor_watch import SensorWatch
from wavewrap_sim.sensor_zero import SensorZero
from wavewrap_sim.supply_watch import SupplyWatch
from wavewrap_sim.vent_watch import VentWatch

__all__ = ["Diagnosis"]

_FIRST_ZERO_FACTOR = 2.0
"""Of a good sensor's largest zero error. Choice: twice that is no good sensor."""

_IDLE_ZERO_S = 0.1
"""The manifold's zero is taken this long after it was opened. Choice: several times what it needs to empty."""

_SENSED_MOST_CMMHG = 32_767
"""What the wire carries."""


class Diagnosis:
    """Of one device."""

    def __init__(self, config: FirmwareConfig) -> None:
        self._pneumatics = config.pneumatics
        self._figures = config.detection
        chambers = config.chambers
        self._sensors = SensorWatch(chambers, config.sensors.range_mmhg, config.detection)
        first_cmmhg = mmhg_to_cmmhg(_FIRST_ZERO_FACTOR * config.sensors.offset_mmhg)
        self._zero = SensorZero(chambers + 1, first_cmmhg, mmhg_to_cmmhg(config.detection.drift_mmhg))
        self._supply = SupplyWatch(config.pneumatics, config.detection)
        self._manifold = ManifoldWatch(config.pneumatics, config.detection)
        self._holds = HoldWatch(config.pneumatics, config.detection)
        self._vents = VentWatch(config.pneumatics, config.detection, config.sensors.offset_mmhg)
        self._zeroed = False
        self._spin = 0.0
        self._last_count: int | None = None

    @property
    def is_zeroed(self) -> bool:
        """Whether every sensor has its zero."""
        return self._zeroed

    @property
    def relieved(self) -> tuple[int, ...]:
        """Chambers whose inlet is to be opened because their vent has failed."""
        return tuple(at for at in self._vents.relieved if not self._sensors.is_broken_at(at))

    @property
    def doubtful(self) -> list[bool]:
        """Of each chamber, whether it is to be probed though it is released."""
        return self._vents.doubtful

    def sensed(self, inputs: Inputs) -> tuple[int, ...]:
        """Pressures less their zero, 0.01 mmHg, within what the wire carries; the manifold's is the last."""
        corrected = self._zero.corrected((*inputs.pressure_cmmhg, inputs.manifold_cmmhg))
        most = _SENSED_MOST_CMMHG
        return tuple([-most if value < -most else most if value > most else value for value in corrected])

    def is_present(self, fault: Fault, sensed_cmmhg: Sequence[int]) -> bool:
        """Whether the cause of ``fault`` can still be seen on a device at rest."""
        if fault is Fault.SENSOR:
            return self._sensors.is_broken
        if fault is Fault.VENT_FAILED:
            return cmmhg_to_mmhg(sensed_cmmhg[-1]) > self._figures.idle_mmhg
        return False

    def check(
        self,
        count: int,
        inputs: Inputs,
        sensed_cmmhg: Sequence[int],
        drive: Drive,
        supply: AirSupply,
        released: Sequence[bool],
        gentle: Sequence[bool],
        *,
        in_session: bool,
    ) -> list[Finding]:
        """One control tick; ``drive`` was in force until now."""
        raw_cmmhg = (*inputs.pressure_cmmhg, inputs.manifold_cmmhg)
        dt_s = 0.0 if self._last_count is None else (count - self._last_count) / TICKS_PER_S
        self._last_count = count
        duty = drive.pump_duty if drive.pump_enabled else 0.0
        if self._spin or duty:
            self._spin = duty + (self._spin - duty) * exp(-dt_s / self._pneumatics.pump_lag_s)
        findings = self._sensors.check(raw_cmmhg)
        if self._sensors.is_doubtful:
            return findings
        pressures_mmhg = [cmmhg_to_mmhg(value) for value in sensed_cmmhg]
        scene = Scene(
            dt_s,
            pressures_mmhg[:-1],
            pressures_mmhg[-1],
            drive,
            released,
            supply.mode,
            supply.chamber,
            (count - supply.since_count) / TICKS_PER_S,
            gentle[supply.chamber] and supply.mode is SupplyMode.FILLING,
            self._spin,
            self._sensors.same_ticks,
            self._sensors.same_ticks[-1],
            self._holds.seeping,
            self._vents.standing,
            in_session,
        )
        findings += self._supply.check(scene)
        findings += self._manifold.check(scene)
        findings += self._holds.check(scene)
        # A sensor that tells nothing tells nothing of a vent either.
        findings += [finding for finding in self._vents.check(scene) if not self._sensors.is_broken_at(finding.chamber)]
        chambers = len(released)
        empty = [self._vents.is_settled(at) for at in range(chambers)]
        empty.append(self._manifold.idle_s > _IDLE_ZERO_S and not drive.pump_enabled)
        for at in self._zero.watch(raw_cmmhg, empty):
            mmhg = cmmhg_to_mmhg(sensed_cmmhg[at])
            if at == chambers:
                findings.append(Finding(Fault.SENSOR_DRIFT, ALL_CHAMBERS, mmhg))
            elif mmhg < 0.0 or self._vents.doubt(scene, at) is not Fault.NONE:
                findings.append(Finding(Fault.SENSOR_DRIFT, at, mmhg))
        if not self._zeroed and self._zero.is_taken:
            self._zeroed = True
            self._vents.note_zero()
        return findings
