"""The manifold while no pump feeds it: open to the room it is empty; shut on one chamber, for a probe, it shows what the chamber does.

Not responsible for fills (:mod:`wavewrap_sim.supply_watch`).
"""

from wavewrap_protocol.enums import Fault
from wavewrap_sim.air_supply import SupplyMode
from wavewrap_sim.detection_figures import DetectionFigures
from wavewrap_sim.pneumatic_figures import PneumaticFigures
from wavewrap_sim.scene import ALL_CHAMBERS, Finding, Scene

__all__ = ["ManifoldWatch"]

_SETTLED_S = 0.035
"""Of an open inlet in a probe. Choice: the valve has opened, 8 ml have filled; two periods are left to look."""

_SWINGING_MMHG = 1.5
"""A gap that changes by more than this in one period is not what the sensors disagree by. Choice: ten times their noise."""

_EMPTYING_MMHG = 1.0
"""A probed chamber that falls by this in one period loses its air through the manifold. Choice: no limb moves by 100 mmHg/s."""

_RUN_DOWN_SPIN = 0.1
"""A pump this slow moves no air to speak of. Choice: at a tenth of the flow the dump has a hundredth of the drop."""

_STOPPING_LAGS = 3.0
"""A pump that loses its second switch has stopped after this many of its lags. Choice: 5 % of its speed."""

_TRAPPED_TICKS, _TRAPPED_FRACTION = 20, 0.9
"""Air in the manifold that keeps nine tenths of its pressure for 0.15 s is shut in. Choice: a chamber that empties falls by more."""

_PROBE_ROSE_MMHG = 0.5
"""A released chamber that rises by this while another one loses air in a probe gets that air. Choice: five times the noise."""


class ManifoldWatch:
    """Of one wrap."""

    def __init__(self, pneumatics: PneumaticFigures, figures: DetectionFigures) -> None:
        self._pneumatics = pneumatics
        self._figures = figures
        self._idle_s = 0.0
        self._idle_from_mmhg: list[float] = []
        self._idle_ticks = 0
        self._suspected_mmhg: float | None = None
        self._trapped_mmhg = 0.0
        self._probe_gap_mmhg: float | None = None
        self._probe_last_mmhg = 0.0
        self._probe_s = 0.0
        self._probe_from_mmhg = 0.0
        self._probe_others_mmhg: tuple[float, ...] = ()

    @property
    def idle_s(self) -> float:
        """How long the manifold has been open and unfed."""
        return self._idle_s

    def check(self, scene: Scene) -> list[Finding]:
        """What is wrong now."""
        drive = scene.drive
        if drive.dump_open and drive.pump_duty == 0.0 and not any(drive.inlet_open):
            return self._rest(scene)
        self._idle_s, self._idle_ticks, self._suspected_mmhg = 0.0, 0, None
        return self._probe(scene) if scene.mode is SupplyMode.PROBING else []

    def _probe(self, scene: Scene) -> list[Finding]:
        at, figures = scene.chamber, self._figures
        pressure_mmhg, manifold_mmhg = scene.pressure_mmhg[at], scene.manifold_mmhg
        fell_mmhg, self._probe_last_mmhg = self._probe_last_mmhg - pressure_mmhg, pressure_mmhg
        self._probe_s = self._probe_s + scene.dt_s if scene.drive.inlet_open[at] else 0.0
        if self._probe_s <= scene.dt_s:
            self._probe_from_mmhg = pressure_mmhg
            self._probe_others_mmhg = tuple(scene.pressure_mmhg)
        if self._probe_s < _SETTLED_S:
            self._probe_gap_mmhg = None
            return []
        if scene.released[at]:
            # Its vent is open and its reading stands over nothing: air that cannot get out, or a zero that has drifted.
            real = manifold_mmhg > 0.5 * pressure_mmhg
            return [Finding(Fault.VENT_FAILED if real else Fault.SENSOR_DRIFT, at, pressure_mmhg)]
        gap_mmhg = manifold_mmhg - pressure_mmhg
        last_mmhg, self._probe_gap_mmhg = self._probe_gap_mmhg, gap_mmhg
        if last_mmhg is None or abs(last_mmhg + gap_mmhg) < 2.0 * figures.agree_mmhg:
            return []
        if scene.manifold_same_ticks >= figures.still_ticks:
            return [Finding(Fault.SENSOR, ALL_CHAMBERS, manifold_mmhg)]
        if scene.same_ticks[at] >= figures.still_ticks:
            return [Finding(Fault.SENSOR, at, pressure_mmhg)]
        if fell_mmhg > _EMPTYING_MMHG or self._probe_from_mmhg - pressure_mmhg > figures.crosstalk_mmhg:
            rises = [now - was for now, was in zip(scene.pressure_mmhg, self._probe_others_mmhg, strict=True)]
            rises[at] = 0.0
            most = max(range(len(rises)), key=rises.__getitem__)
            if rises[most] > _PROBE_ROSE_MMHG:
                return [Finding(Fault.INLET_STUCK, most, scene.pressure_mmhg[most])]
            # Through a dump that does not shut: that manifold the pump could not charge either.
            return [Finding(Fault.PUMP_WEAK, ALL_CHAMBERS, manifold_mmhg)]
        if abs(last_mmhg - gap_mmhg) > _SWINGING_MMHG:
            return []
        fault = Fault.BLOCKED if manifold_mmhg < 0.3 * pressure_mmhg else Fault.SENSOR_DRIFT
        return [Finding(fault, at, pressure_mmhg)]

    def _rest(self, scene: Scene) -> list[Finding]:
        figures, manifold_mmhg = self._figures, scene.manifold_mmhg
        if self._idle_s == 0.0:
            self._idle_from_mmhg = list(scene.pressure_mmhg)
        self._idle_s += scene.dt_s
        for at, vent in enumerate(scene.drive.vent_open):
            if vent:
                self._idle_from_mmhg[at] = scene.pressure_mmhg[at]
        if self._idle_s < figures.idle_s:
            return []
        self._idle_ticks = self._idle_ticks + 1 if manifold_mmhg > figures.idle_mmhg else 0
        stopping = not scene.drive.pump_enabled and scene.mode_s < _STOPPING_LAGS * self._pneumatics.pump_lag_s
        if self._suspected_mmhg is not None and stopping and manifold_mmhg < 0.4 * self._suspected_mmhg:
            return [Finding(Fault.PUMP_STUCK, ALL_CHAMBERS, self._suspected_mmhg)]
        if self._idle_ticks < figures.persist_ticks:
            if scene.drive.pump_enabled:
                self._suspected_mmhg = None
            return []
        if scene.manifold_same_ticks >= figures.still_ticks:
            return [Finding(Fault.SENSOR, ALL_CHAMBERS, manifold_mmhg)]
        fed_by = self._feeding_back(scene)
        if fed_by is not None:
            return [Finding(Fault.INLET_STUCK, fed_by, scene.pressure_mmhg[fed_by])]
        if scene.drive.pump_enabled:
            # It should have run down by now. Once its second switch is off as well, a pump that still runs will show by the fall.
            self._suspected_mmhg = manifold_mmhg if scene.spin < _RUN_DOWN_SPIN else None
            return []
        if self._suspected_mmhg is not None and stopping:
            return []
        # Chambers on their way out may feed it through an inlet that does not shut; what is trapped stands still.
        if self._idle_ticks == figures.persist_ticks:
            self._trapped_mmhg = manifold_mmhg
        if self._idle_ticks < _TRAPPED_TICKS:
            return []
        if manifold_mmhg > _TRAPPED_FRACTION * self._trapped_mmhg:
            return [Finding(Fault.VENT_FAILED, ALL_CHAMBERS, manifold_mmhg)]
        self._idle_ticks = 0
        return []

    def _feeding_back(self, scene: Scene) -> int | None:
        """A chamber told shut that empties into the open manifold."""
        falls = [was - now for was, now in zip(self._idle_from_mmhg, scene.pressure_mmhg, strict=True)]
        most = max(range(len(falls)), key=falls.__getitem__)
        return most if falls[most] > self._figures.idle_mmhg else None
