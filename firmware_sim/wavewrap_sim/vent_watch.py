"""Chambers whose vent is told open: they must empty as fast as the board's figures say, with a margin, and then show nothing.

Beside each runs a model that vents several times slower than the board's. A chamber that stays over it has a vent that does not open, and
is to be relieved through its inlet. One that has fallen, and then stands still over zero, has a sensor that drifts.
"""

from wavewrap_protocol import limits
from wavewrap_protocol.enums import Fault
from wavewrap_sim.detection_figures import DetectionFigures
from wavewrap_sim.pneumatic_figures import PneumaticFigures
from wavewrap_sim.scene import Finding, Scene

__all__ = ["VentWatch"]

_EMPTY_MMHG = 0.5
"""Of the model: a real chamber is then as good as empty."""

_STILL_S = 0.4
"""Choice: over this a chamber whose vent is open at all falls by more than the noise."""

_STILL_MMHG = 0.4
_FALLEN_FRACTION = 0.7
"""A reading that fell by a third and stands still may be a drifted zero: a vent that never opened lets nothing fall. One that has shut on
the way looks the same, and a probe tells the two apart."""

_RELIEVE_MMHG, _RELIEVED_MMHG = limits.VENTED_MMHG, 1.5
"""A relief inlet opens over the first and closes under the second."""

_BELOW_S = 0.5
"""Choice: a chamber cannot stay under the room for so long with its vent open."""


class _Release:
    __slots__ = (
        "below_s",
        "doubtful",
        "excess_mmhg_s",
        "failed",
        "from_mmhg",
        "lowest_mmhg",
        "model_mmhg",
        "still_from_mmhg",
        "still_s",
        "unfed_mmhg",
    )

    def __init__(self, pressure_mmhg: float) -> None:
        self.model_mmhg = self.from_mmhg = self.still_from_mmhg = max(0.0, pressure_mmhg)
        self.excess_mmhg_s = 0.0
        self.still_s = 0.0
        self.below_s = 0.0
        self.unfed_mmhg = self.lowest_mmhg = pressure_mmhg
        self.failed = False
        self.doubtful = False


class VentWatch:
    """Of one wrap. ``offset_mmhg`` is what a sensor may show of nothing before it has its first zero."""

    def __init__(self, pneumatics: PneumaticFigures, figures: DetectionFigures, offset_mmhg: float) -> None:
        self._pneumatics = pneumatics
        self._unknown_mmhg = offset_mmhg
        self._figures = figures
        self._releases: list[_Release | None] = [None for _ in pneumatics.chambers]
        self._relieving = [False for _ in pneumatics.chambers]

    @property
    def relieved(self) -> tuple[int, ...]:
        """Chambers whose vents have failed and that still hold air."""
        return tuple(at for at, relieving in enumerate(self._relieving) if relieving)

    def is_settled(self, chamber: int) -> bool:
        """Whether ``chamber`` must be empty by now."""
        release = self._releases[chamber]
        return release is not None and release.model_mmhg <= _EMPTY_MMHG and not self._relieving[chamber]

    def note_zero(self) -> None:
        """Every sensor has its zero now."""
        self._unknown_mmhg = 0.0

    @property
    def standing(self) -> list[bool]:
        """Of each chamber, whether it has more pressure than even a slow vent would have left."""
        return [release is not None and release.excess_mmhg_s > 0.0 for release in self._releases]

    @property
    def doubtful(self) -> list[bool]:
        """Of each chamber, whether its reading stands over nothing and only a probe can say why."""
        return [release is not None and release.doubtful for release in self._releases]

    def doubt(self, scene: Scene, chamber: int) -> Fault:
        """The reading of a released ``chamber`` stands a little over nothing: the fault where no probe can be made, else none for now."""
        release = self._releases[chamber]
        if not scene.in_session or release is None:
            return Fault.SENSOR_DRIFT
        release.doubtful = True
        return Fault.NONE

    def check(self, scene: Scene) -> list[Finding]:
        """What is wrong now."""
        findings = []
        for at, pressure_mmhg in enumerate(scene.pressure_mmhg):
            if not scene.released[at]:
                self._releases[at] = None
                continue
            release = self._releases[at]
            if release is None:
                release = self._releases[at] = _Release(pressure_mmhg - self._unknown_mmhg)
            fault = self._follow(scene, at, release, pressure_mmhg)
            if fault is not Fault.NONE:
                findings.append(Finding(fault, at, pressure_mmhg))
            failed = release.failed and pressure_mmhg > (_RELIEVED_MMHG if self._relieving[at] else _RELIEVE_MMHG)
            self._relieving[at] = failed
        return findings

    def _follow(self, scene: Scene, at: int, release: _Release, pressure_mmhg: float) -> Fault:
        figures, dt_s = self._figures, scene.dt_s
        had_vented = release.model_mmhg <= _EMPTY_MMHG
        if not had_vented:
            chamber = self._pneumatics.chambers[at]
            flow_ml_s = self._pneumatics.vent.flow_ml_s(release.model_mmhg)
            fall_mmhg = flow_ml_s * dt_s / (chamber.capacity_ml_mmhg(release.model_mmhg) * figures.vent_factor)
            release.model_mmhg = max(0.0, release.model_mmhg - fall_mmhg)
        if not scene.is_feeding:
            release.unfed_mmhg = pressure_mmhg
        release.lowest_mmhg = min(release.lowest_mmhg, pressure_mmhg)
        release.below_s = release.below_s + dt_s if pressure_mmhg < -figures.drift_mmhg - self._unknown_mmhg else 0.0
        if release.below_s > _BELOW_S:
            return Fault.SENSOR_DRIFT
        over_mmhg = pressure_mmhg - release.model_mmhg - figures.vent_mmhg
        if over_mmhg <= 0.0 and release.excess_mmhg_s == 0.0:
            release.still_s = 0.0
            return Fault.NONE
        release.excess_mmhg_s = max(0.0, release.excess_mmhg_s + over_mmhg * dt_s)
        if release.still_s == 0.0:
            release.still_from_mmhg = pressure_mmhg
        release.still_s += dt_s
        if release.excess_mmhg_s < figures.vent_mmhg_s or release.failed:
            return Fault.NONE
        emptied = had_vented and release.lowest_mmhg < limits.VENTED_MMHG
        if emptied and scene.is_feeding and pressure_mmhg - release.unfed_mmhg > figures.crosstalk_mmhg:
            return Fault.INLET_STUCK
        if release.still_s < _STILL_S:
            return Fault.NONE
        fell_mmhg = release.still_from_mmhg - pressure_mmhg
        release.still_s = 0.0
        fallen = pressure_mmhg < _FALLEN_FRACTION * release.from_mmhg or (had_vented and release.from_mmhg < limits.VENTED_MMHG)
        if emptied or (fallen and fell_mmhg < _STILL_MMHG and pressure_mmhg < figures.drifted_mmhg):
            return self.doubt(scene, at)
        release.failed = True
        return Fault.VENT_FAILED
