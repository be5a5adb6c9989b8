"""Pump, manifold, inlets and hoses: does the air go where it is sent? Looked at while the manifold is charged, a chamber filled, a chamber
probed, and while all rests.

While a chamber fills, the pump's own curve says how far it should have risen; the manifold's pressure says why it did not. Each rule's
margin is in :mod:`wavewrap_sim.detection_figures`.
"""

from math import sqrt

from wavewrap_protocol import limits
from wavewrap_protocol.enums import Fault
from wavewrap_sim.air_supply import SupplyMode
from wavewrap_sim.detection_figures import DetectionFigures
from wavewrap_sim.pneumatic_figures import ATMOSPHERE_MMHG, PneumaticFigures
from wavewrap_sim.scene import ALL_CHAMBERS, Finding, Scene

__all__ = ["SupplyWatch"]

_OPENING_S = 0.02
"""From the command until a fill is judged: valve, sensor and half a control period. Choice: two periods."""

_SETTLED_S = 0.035
"""Of an open inlet in a probe. Choice: the valve has opened, 8 ml have filled; two periods are left to look."""

_SWINGING_MMHG = 1.5
"""A gap that changes by more than this in one period is not what the sensors disagree by. Choice: ten times their noise."""

_EMPTYING_MMHG = 1.0
"""A probed chamber that falls by this in one period loses its air through the manifold. Choice: no limb moves by 100 mmHg/s."""

_PERSIST_TICKS = 5
"""Choice: 50 ms, longer than any ripple of a valve."""

_STILL_TICKS = 5
"""A reading that stood still for so long while air moved is its sensor's fault. Choice: noise repeats one in 18 at 0.02 mmHg."""

_TAKES_MMHG = 1.0
"""A chamber told shut that rose by this while the manifold did not. Choice: ten times the noise of a reading."""

_ROSE_MMHG = 0.6
"""A chamber that rose by this does take air. Choice: six times the noise of a reading."""

_BLOCKED_FACTOR, _BLOCKED_MMHG = 2.2, 10.0
"""A stalled fill is blocked when the manifold stands this far over the chamber: factor on the board's drop, and mmHg.
Choice: an inlet 30 % narrow has twice the drop; behind a blocked one the manifold goes to its relief valve."""

_TELLING_MMHG = 2.0
"""Rise expected before a high manifold is explained. Choice: twenty times the noise, a tenth of a second of the slowest inflation."""

_RACING_FACTOR = 1.4
"""A chamber that rises by more than this over the board's under a high manifold has a pump that does not heed its duty; behind a blocked
inlet it would not rise at all. Choice: between the two."""

_ON_MANIFOLD_MMHG = 2.5
"""A chamber this near to a manifold that cannot be charged stands on it. Choice: an inlet's drop at the least duty, and noise."""

_RUN_DOWN_SPIN = 0.1
"""A pump this slow moves no air to speak of. Choice: at a tenth of the flow the dump has a hundredth of the drop."""

_STOPPING_LAGS = 3.0
"""A pump that loses its second switch has stopped after this many of its lags. Choice: 5 % of its speed."""

_TRAPPED_TICKS, _TRAPPED_FRACTION = 20, 0.9
"""Air in the manifold that keeps nine tenths of its pressure for 0.15 s is shut in. Choice: a chamber that empties falls by more."""

_JUDGED_DROP_MMHG = 1.0
"""Choice: a smaller drop than this tells nothing about the pump, two zeros are in it."""


_PROBE_ROSE_MMHG = 0.5
"""A released chamber that rises by this while another one loses air in a probe gets that air. Choice: five times the noise."""


class _Fill:
    """One inlet open, or the manifold being charged: what should have come since, and where everybody stood."""

    def __init__(self, scene: Scene) -> None:
        self.key = (scene.mode, scene.chamber)
        self.from_mmhg = tuple(scene.pressure_mmhg)
        self.lowest_mmhg = list(scene.pressure_mmhg)
        self.restart(scene)
        self.high_ticks = 0
        self.vented: set[int] = set()
        """Chambers, not released, that the controller has let air out of meanwhile."""

    def restart(self, scene: Scene) -> None:
        self.expected_mmhg = 0.0
        self.start_mmhg = scene.pressure_mmhg[scene.chamber]
        self.head = self.drop = 0.0


class _Gentle:
    """The slow first inflation of a chamber, which others may interrupt: where it began, and the air it has taken."""

    def __init__(self, from_mmhg: float) -> None:
        self.from_mmhg = from_mmhg
        self.air_ml = 0.0


class SupplyWatch:
    """Of one wrap."""

    def __init__(self, pneumatics: PneumaticFigures, figures: DetectionFigures) -> None:
        self._pneumatics = pneumatics
        self._figures = figures
        self._fill: _Fill | None = None
        self._last_mode_s = 0.0
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
        self._gentle: dict[int, _Gentle] = {}

    @property
    def idle_s(self) -> float:
        """How long the manifold has been open and unfed."""
        return self._idle_s

    def check(self, scene: Scene) -> list[Finding]:
        """What is wrong now."""
        drive = scene.drive
        if drive.dump_open and drive.pump_duty == 0.0 and not any(drive.inlet_open):
            self._fill = None
            return self._rest(scene)
        self._idle_s, self._idle_ticks, self._suspected_mmhg = 0.0, 0, None
        if self._gentle:
            self._gentle = {at: gentle for at, gentle in self._gentle.items() if not scene.released[at]}
        if not scene.is_feeding:
            self._fill = None
            return self._probe(scene) if scene.mode is SupplyMode.PROBING else []
        if self._fill is None or self._fill.key != (scene.mode, scene.chamber) or scene.mode_s < self._last_mode_s:
            self._fill = _Fill(scene)
        self._last_mode_s = scene.mode_s
        fill = self._fill
        fill.lowest_mmhg = [min(low, now) for low, now in zip(fill.lowest_mmhg, scene.pressure_mmhg, strict=True)]
        return self._charge(scene, fill) if scene.mode is SupplyMode.CHARGING else self._feed(scene, fill)

    def _charge(self, scene: Scene, fill: _Fill) -> list[Finding]:
        pneumatics, figures = self._pneumatics, self._figures
        # From rest a pump has delivered Q d t^2 / (2 lag) after a time much shorter than its lag.
        to_mmhg = max(scene.pressure_mmhg[scene.chamber], 0.0) + figures.drop_mmhg
        air_ml = to_mmhg * pneumatics.manifold_ml / ATMOSPHERE_MMHG
        flow_ml_s = pneumatics.pump_ml_s * max(scene.drive.pump_duty, 0.01)
        expected_s = sqrt(2.0 * pneumatics.pump_lag_s * air_ml / flow_ml_s)
        if scene.mode_s < figures.charge_factor * expected_s + figures.charge_s:
            return []
        if scene.manifold_same_ticks >= _STILL_TICKS:
            return [Finding(Fault.SENSOR, ALL_CHAMBERS, scene.manifold_mmhg)]
        # A chamber that stands on the manifold though told shut takes the air, and may let it out again.
        gaps_mmhg = [abs(scene.manifold_mmhg - mmhg) for mmhg in scene.pressure_mmhg]
        nearest = min(range(len(gaps_mmhg)), key=gaps_mmhg.__getitem__)
        fed_mmhg = scene.pressure_mmhg[nearest]
        takes = fed_mmhg > limits.VENTED_MMHG or fed_mmhg - fill.lowest_mmhg[nearest] > _TAKES_MMHG
        if gaps_mmhg[nearest] < _ON_MANIFOLD_MMHG and takes:
            return [Finding(Fault.INLET_STUCK, nearest, scene.pressure_mmhg[nearest])]
        fed = self._fed_instead(scene, fill, _TAKES_MMHG)
        if fed is None and fed_mmhg - fill.from_mmhg[nearest] > _TAKES_MMHG and nearest == scene.chamber:
            # The inlet of the chamber to be filled is not told open yet either.
            fed = nearest
        if fed is not None:
            return [Finding(Fault.INLET_STUCK, fed, scene.pressure_mmhg[fed])]
        return [Finding(Fault.PUMP_WEAK, ALL_CHAMBERS, scene.manifold_mmhg)]

    def _feed(self, scene: Scene, fill: _Fill) -> list[Finding]:
        if scene.mode_s < _OPENING_S:
            fill.restart(scene)
            return []
        pneumatics, figures, at = self._pneumatics, self._figures, scene.chamber
        chamber, pressure_mmhg = pneumatics.chambers[at], scene.pressure_mmhg[at]
        flow_ml_s = pneumatics.pump_flow_ml_s(scene.spin, scene.manifold_mmhg)
        drop_mmhg = pneumatics.inlet.drop_mmhg(flow_ml_s, scene.manifold_mmhg)
        head_mmhg = scene.manifold_mmhg - pressure_mmhg
        came_mmhg = flow_ml_s * scene.dt_s / chamber.capacity_ml_mmhg(pressure_mmhg)
        fill.expected_mmhg += came_mmhg
        for other, vent in enumerate(scene.drive.vent_open):
            if vent and not scene.released[other] and other != at:
                fill.vented.add(other)
        fill.head += head_mmhg * came_mmhg
        fill.drop += drop_mmhg * came_mmhg
        # A pump that runs up faster than believed is no blocked hose: its duty bounds its speed.
        most_ml_s = pneumatics.pump_flow_ml_s(max(scene.spin, scene.drive.pump_duty), scene.manifold_mmhg)
        most_drop_mmhg = pneumatics.inlet.drop_mmhg(most_ml_s, scene.manifold_mmhg)
        high = head_mmhg > figures.drop_factor * most_drop_mmhg + figures.drop_mmhg and scene.mode_s > 2.0 * _OPENING_S
        fill.high_ticks = fill.high_ticks + 1 if high else 0
        if fill.high_ticks >= _PERSIST_TICKS and fill.expected_mmhg > _TELLING_MMHG:
            return [self._explain_high(scene, fill)]
        if scene.gentle and pressure_mmhg < figures.gentle_mmhg:
            gentle = self._gentle.setdefault(at, _Gentle(fill.from_mmhg[at]))
            gentle.air_ml += flow_ml_s * scene.dt_s
            if gentle.air_ml > figures.fit_factor * chamber.air_ml(figures.gentle_mmhg):
                rose = pressure_mmhg - gentle.from_mmhg >= _ROSE_MMHG
                return [self._explain(scene, fill, Fault.POOR_FIT if rose else Fault.NO_RISE)]
            return []
        if fill.expected_mmhg < figures.stall_mmhg:
            return []
        if pressure_mmhg - fill.start_mmhg < figures.stall_fraction * fill.expected_mmhg:
            return [self._explain(scene, fill, Fault.NO_RISE if pressure_mmhg < limits.OVER_THRESHOLD_MMHG else Fault.LEAK)]
        fill.restart(scene)
        return []

    def _explain(self, scene: Scene, fill: _Fill, otherwise: Fault) -> Finding:
        """Why the chamber that is filled does not rise as it should."""
        at = scene.chamber
        pressure_mmhg = scene.pressure_mmhg[at]
        weight = max(fill.expected_mmhg, 1e-9)
        head_mmhg, drop_mmhg = fill.head / weight, fill.drop / weight
        if scene.same_ticks[at] >= _STILL_TICKS:
            return Finding(Fault.SENSOR, at, pressure_mmhg)
        if scene.manifold_same_ticks >= _STILL_TICKS:
            return Finding(Fault.SENSOR, ALL_CHAMBERS, scene.manifold_mmhg)
        if head_mmhg > _BLOCKED_FACTOR * drop_mmhg + _BLOCKED_MMHG:
            return Finding(Fault.BLOCKED, at, pressure_mmhg)
        fed = self._fed_instead(scene, fill, self._figures.crosstalk_mmhg)
        if fed is not None:
            return Finding(Fault.INLET_STUCK, fed, scene.pressure_mmhg[fed])
        for other in fill.vented:
            # It is let down again and again and still stands on the manifold: the air goes through it.
            if abs(scene.manifold_mmhg - scene.pressure_mmhg[other]) < _ON_MANIFOLD_MMHG:
                return Finding(Fault.INLET_STUCK, other, scene.pressure_mmhg[other])
        if drop_mmhg > _JUDGED_DROP_MMHG and head_mmhg < self._figures.no_drop_fraction * drop_mmhg:
            return Finding(Fault.PUMP_WEAK, ALL_CHAMBERS, scene.manifold_mmhg)
        return Finding(otherwise, at, pressure_mmhg)

    def _explain_high(self, scene: Scene, fill: _Fill) -> Finding:
        """Why the manifold stands too far over the chamber that is filled."""
        at, pressure_mmhg = scene.chamber, scene.pressure_mmhg[scene.chamber]
        if scene.manifold_same_ticks >= _STILL_TICKS:
            return Finding(Fault.SENSOR, ALL_CHAMBERS, scene.manifold_mmhg)
        if scene.same_ticks[at] >= _STILL_TICKS:
            return Finding(Fault.SENSOR, at, pressure_mmhg)
        falls = [
            0.0 if vent or other == at or other in fill.vented else was - now
            for other, (was, now, vent) in enumerate(zip(fill.from_mmhg, scene.pressure_mmhg, scene.drive.vent_open, strict=True))
        ]
        feeds = max(range(len(falls)), key=falls.__getitem__)
        if falls[feeds] > self._figures.crosstalk_mmhg:
            return Finding(Fault.INLET_STUCK, feeds, scene.pressure_mmhg[feeds])
        if pressure_mmhg - fill.start_mmhg > _RACING_FACTOR * fill.expected_mmhg:
            return Finding(Fault.PUMP_STUCK, ALL_CHAMBERS, scene.manifold_mmhg)
        return Finding(Fault.BLOCKED, at, pressure_mmhg)

    def _fed_instead(self, scene: Scene, fill: _Fill, least_mmhg: float) -> int | None:
        """Another chamber that has risen by ``least_mmhg`` since, though its inlet is told shut."""
        rises = [now - low for now, low in zip(scene.pressure_mmhg, fill.lowest_mmhg, strict=True)]
        rises[scene.chamber] = 0.0
        most = max(range(len(rises)), key=rises.__getitem__)
        return most if rises[most] > least_mmhg else None

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
        gap_mmhg = manifold_mmhg - pressure_mmhg
        last_mmhg, self._probe_gap_mmhg = self._probe_gap_mmhg, gap_mmhg
        if last_mmhg is None or abs(last_mmhg + gap_mmhg) < 2.0 * figures.agree_mmhg:
            return []
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
        if self._idle_ticks < _PERSIST_TICKS:
            if scene.drive.pump_enabled:
                self._suspected_mmhg = None
            return []
        if scene.manifold_same_ticks >= _STILL_TICKS:
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
        if self._idle_ticks == _PERSIST_TICKS:
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
