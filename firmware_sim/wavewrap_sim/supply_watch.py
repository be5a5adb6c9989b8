"""Pump, inlets and hoses: does the air go where it is sent? Looked at while the manifold is charged and while a chamber is filled.

While a chamber fills, the pump's own curve says how far it should have risen; the manifold's pressure says why it did not. Each rule's
margin is in :mod:`wavewrap_sim.detection_figures`. Not responsible for a manifold that is not fed (:mod:`wavewrap_sim.manifold_watch`).
"""

from collections.abc import Callable
from math import exp, sqrt

from wavewrap_protocol import limits
from wavewrap_protocol.enums import Fault
from wavewrap_sim.air_supply import SupplyMode
from wavewrap_sim.detection_figures import DetectionFigures
from wavewrap_sim.pneumatic_figures import ATMOSPHERE_MMHG, PneumaticFigures
from wavewrap_sim.scene import ALL_CHAMBERS, Finding, Scene

__all__ = ["SupplyWatch"]

_OPENING_S = 0.02
"""From the command until a fill is judged: valve, sensor and half a control period. Choice: two periods."""

_STANDS_MMHG = 1.0
"""A chamber no further over the manifold than this may get air from it. Choice: two zeros and noise."""

_TAKES_MMHG = 1.0
"""A chamber told shut that rose by this while the manifold did not. Choice: ten times the noise of a reading."""

_ROSE_MMHG = 0.6
"""A chamber that rose by this does take air. Choice: six times the noise of a reading."""

_BLOCKED_FACTOR, _BLOCKED_MMHG = 2.2, 10.0
"""A stalled fill is blocked when the manifold stands this far over the chamber: factor on the board's drop, and mmHg.
Choice: an inlet 30 % narrow has twice the drop; behind a blocked one the manifold goes to its relief valve."""

_RELIEVED_FRACTION = 0.75
"""Behind a blocked inlet the manifold goes up to its relief. Choice: springs are 10 % off; into an open hose end a pump 30 % strong through
an inlet 30 % narrow makes half of it."""

_WALL_FRACTION = 0.6
"""Of the relief's pressure. Choice: over what a pump 30 % strong needs for an inlet 30 % narrow, under what stands behind a kink."""

_LOST_FACTOR = 5.0
"""Air that has brought no pressure at all, over what the first inflation needs, went nowhere near a bladder. Choice: the loosest wrap worth
the name shows 1.7 mmHg by then from a pump 30 % weak."""

_SNUG_MMHG = 3.0
"""A first inflation that rose by this with the air of a good fit is not loose. Choice: the least loose wrap that is one has 1 mmHg by then,
a good one 6 or more."""

_RECENT_MMHG = 5.0
"""Manifold against chamber is judged over the air that should have brought this. Choice: a quarter of a fill that is judged."""

_TELLING_MMHG = 2.0
"""Rise expected before a high manifold is explained. Choice: twenty times the noise, a tenth of a second of the slowest inflation."""

_POOR_RISE = 0.5
"""Of the rise expected: a chamber that rises better than this is not blocked yet, however high the manifold. Choice: behind the least kink
worth the name it has a quarter."""

_RACING_FACTOR = 1.4
"""A chamber that rises by more than this over the board's under a high manifold has a pump that does not heed its duty; behind a blocked
inlet it would not rise at all. Choice: between the two."""

_ON_MANIFOLD_MMHG = 2.5
"""A chamber this near to a manifold that cannot be charged stands on it. Choice: an inlet's drop at the least duty, and noise."""

_JUDGED_DROP_MMHG = 1.0
"""Choice: a smaller drop than this tells nothing about the pump, two zeros are in it."""


class _Fill:
    """One inlet open, or the manifold being charged: what should have come since, and where everybody stood."""

    def __init__(self, scene: Scene) -> None:
        self.key = (scene.mode, scene.chamber)
        self.from_mmhg = tuple(scene.pressure_mmhg)
        self.gained_mmhg = [0.0] * len(scene.pressure_mmhg)
        """What each chamber has risen by, or not fallen by with its vent open, while the manifold was over it."""
        self._last_mmhg = self.from_mmhg
        self.restart(scene)
        self.head_mmhg = self.drop_mmhg = 0.0
        """Manifold over chamber as of late, as it is and as it should be."""
        self.top_mmhg = 0.0
        """Highest pressure of the manifold since the inlet stands open."""
        self.high_ticks = 0
        self.vented: set[int] = set()
        """Chambers, not released, that the controller has let air out of meanwhile."""

    def restart(self, scene: Scene) -> None:
        self.expected_mmhg = 0.0
        self.start_mmhg = scene.pressure_mmhg[scene.chamber]

    def note_air(self, scene: Scene, came_mmhg: float, drop_mmhg: float) -> None:
        """Air for ``came_mmhg`` should have come in, and cost ``drop_mmhg`` on its way."""
        self.expected_mmhg += came_mmhg
        kept = exp(-came_mmhg / _RECENT_MMHG)
        self.head_mmhg = kept * self.head_mmhg + (1.0 - kept) * (scene.manifold_mmhg - scene.pressure_mmhg[scene.chamber])
        self.drop_mmhg = kept * self.drop_mmhg + (1.0 - kept) * drop_mmhg

    def note_others(self, scene: Scene, let_out_mmhg: Callable[[int], float]) -> None:
        """``let_out_mmhg``: what a slow vent takes from a chamber in this tick."""
        for at, (was_mmhg, now_mmhg) in enumerate(zip(self._last_mmhg, scene.pressure_mmhg, strict=True)):
            gain_mmhg = now_mmhg - was_mmhg
            if scene.drive.vent_open[at]:
                gain_mmhg += let_out_mmhg(at)
                if not scene.released[at]:
                    self.vented.add(at)
            # From a manifold under it nothing comes in.
            if gain_mmhg < 0.0 or scene.manifold_mmhg > now_mmhg - _STANDS_MMHG:
                self.gained_mmhg[at] = max(0.0, self.gained_mmhg[at] + gain_mmhg)
        self._last_mmhg = tuple(scene.pressure_mmhg)


class _Gentle:
    """The slow first inflation of a chamber, which others may interrupt: where it began, and the air it has taken."""

    def __init__(self, from_mmhg: float) -> None:
        self.from_mmhg = from_mmhg
        self.air_ml = 0.0
        self.early_mmhg: float | None = None
        """How far it had risen with the air that a good fit needs."""

    def fault(self, pressure_mmhg: float) -> Fault:
        """Why it stands at ``pressure_mmhg`` only."""
        if pressure_mmhg - self.from_mmhg < _ROSE_MMHG:
            return Fault.NO_RISE
        # A loose wrap is slow from the first; one that leaks begins well and then stands still.
        return Fault.LEAK if self.early_mmhg is not None and self.early_mmhg > _SNUG_MMHG else Fault.POOR_FIT


class SupplyWatch:
    """Of one wrap."""

    def __init__(self, pneumatics: PneumaticFigures, figures: DetectionFigures) -> None:
        self._pneumatics = pneumatics
        self._figures = figures
        self._fill: _Fill | None = None
        self._last_mode_s = 0.0
        self._gentle: dict[int, _Gentle] = {}

    def check(self, scene: Scene) -> list[Finding]:
        """What is wrong now."""
        if self._gentle:
            self._gentle = {at: gentle for at, gentle in self._gentle.items() if not scene.released[at]}
        if not scene.is_feeding:
            self._fill = None
            return []
        if self._fill is None or self._fill.key != (scene.mode, scene.chamber) or scene.mode_s < self._last_mode_s:
            self._fill = _Fill(scene)
        self._last_mode_s = scene.mode_s
        fill = self._fill
        fill.note_others(scene, lambda at: self._let_out_mmhg(scene, at))
        return self._charge(scene, fill) if scene.mode is SupplyMode.CHARGING else self._feed(scene, fill)

    def _let_out_mmhg(self, scene: Scene, at: int) -> float:
        pressure_mmhg = scene.pressure_mmhg[at]
        fall_mmhg = self._pneumatics.vent.flow_ml_s(pressure_mmhg) * scene.dt_s
        return fall_mmhg / (self._pneumatics.chambers[at].capacity_ml_mmhg(pressure_mmhg) * self._figures.vent_factor)

    def _charge(self, scene: Scene, fill: _Fill) -> list[Finding]:
        pneumatics, figures = self._pneumatics, self._figures
        # From rest a pump has delivered Q d t^2 / (2 lag) after a time much shorter than its lag.
        to_mmhg = max(scene.pressure_mmhg[scene.chamber], 0.0) + figures.drop_mmhg
        air_ml = to_mmhg * pneumatics.manifold_ml / ATMOSPHERE_MMHG
        flow_ml_s = pneumatics.pump_ml_s * max(scene.drive.pump_duty, 0.01)
        expected_s = sqrt(2.0 * pneumatics.pump_lag_s * air_ml / flow_ml_s)
        if scene.mode_s < figures.charge_factor * expected_s + figures.charge_s:
            return []
        if scene.manifold_same_ticks >= self._figures.still_ticks:
            return [Finding(Fault.SENSOR, ALL_CHAMBERS, scene.manifold_mmhg)]
        # A chamber that stands on the manifold and gains though told shut takes the air, and may let it out again.
        gaps_mmhg = [abs(scene.manifold_mmhg - mmhg) for mmhg in scene.pressure_mmhg]
        nearest = min(range(len(gaps_mmhg)), key=gaps_mmhg.__getitem__)
        takes = fill.gained_mmhg[nearest] > _TAKES_MMHG
        if gaps_mmhg[nearest] < _ON_MANIFOLD_MMHG and takes:
            return [Finding(Fault.INLET_STUCK, nearest, scene.pressure_mmhg[nearest])]
        # The inlet of the chamber to be filled is not told open yet either.
        takes_own = nearest == scene.chamber and fill.gained_mmhg[nearest] > _TAKES_MMHG
        fed = nearest if takes_own else self._fed_instead(scene, fill, _TAKES_MMHG, _TAKES_MMHG)
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
        fill.note_air(scene, came_mmhg, drop_mmhg)
        settled = scene.mode_s > 2.0 * _OPENING_S
        if settled:
            fill.top_mmhg = max(fill.top_mmhg, scene.manifold_mmhg)
        # A pump that runs up faster than believed is no blocked hose: its duty bounds its speed.
        most_ml_s = pneumatics.pump_flow_ml_s(max(scene.spin, scene.drive.pump_duty), scene.manifold_mmhg)
        most_drop_mmhg = pneumatics.inlet.drop_mmhg(most_ml_s, scene.manifold_mmhg)
        rose_mmhg = pressure_mmhg - fill.start_mmhg
        poor, racing = rose_mmhg < _POOR_RISE * fill.expected_mmhg, rose_mmhg > _RACING_FACTOR * fill.expected_mmhg
        odd = poor or racing or self._is_walled(head_mmhg)
        high = settled and odd and head_mmhg > figures.drop_factor * most_drop_mmhg + figures.drop_mmhg
        fill.high_ticks = fill.high_ticks + 1 if high else 0
        if fill.high_ticks >= figures.persist_ticks and fill.expected_mmhg > _TELLING_MMHG and not self._blows_off(scene, fill):
            return [self._explain_high(scene, fill)]
        if scene.gentle and pressure_mmhg < figures.gentle_mmhg:
            gentle = self._gentle.setdefault(at, _Gentle(fill.from_mmhg[at]))
            gentle.air_ml += flow_ml_s * scene.dt_s
            needed_ml = chamber.air_ml(figures.gentle_mmhg)
            rose = gentle.fault(pressure_mmhg) is not Fault.NO_RISE
            if gentle.air_ml > (figures.fit_factor if rose else _LOST_FACTOR) * needed_ml:
                return [self._explain(scene, fill, gentle.fault(pressure_mmhg))]
            if gentle.air_ml > needed_ml and gentle.early_mmhg is None:
                gentle.early_mmhg = pressure_mmhg - gentle.from_mmhg
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
        head_mmhg, drop_mmhg = fill.head_mmhg, fill.drop_mmhg
        if scene.same_ticks[at] >= self._figures.still_ticks:
            return Finding(Fault.SENSOR, at, pressure_mmhg)
        if scene.manifold_same_ticks >= self._figures.still_ticks:
            return Finding(Fault.SENSOR, ALL_CHAMBERS, scene.manifold_mmhg)
        if head_mmhg > _BLOCKED_FACTOR * drop_mmhg + _BLOCKED_MMHG and not self._blows_off(scene, fill):
            return self._narrow(scene)
        fed = self._fed_instead(scene, fill, self._figures.crosstalk_mmhg, 0.5 * self._figures.crosstalk_mmhg)
        if fed is not None:
            return Finding(Fault.INLET_STUCK, fed, scene.pressure_mmhg[fed])
        if drop_mmhg > _JUDGED_DROP_MMHG and head_mmhg < self._figures.no_drop_fraction * drop_mmhg:
            return Finding(Fault.PUMP_WEAK, ALL_CHAMBERS, scene.manifold_mmhg)
        return Finding(otherwise, at, pressure_mmhg)

    def _explain_high(self, scene: Scene, fill: _Fill) -> Finding:
        """Why the manifold stands too far over the chamber that is filled."""
        at, pressure_mmhg = scene.chamber, scene.pressure_mmhg[scene.chamber]
        if scene.manifold_same_ticks >= self._figures.still_ticks:
            return Finding(Fault.SENSOR, ALL_CHAMBERS, scene.manifold_mmhg)
        if scene.same_ticks[at] >= self._figures.still_ticks:
            return Finding(Fault.SENSOR, at, pressure_mmhg)
        falls = [
            0.0 if vent or other == at or other in fill.vented else was - now
            for other, (was, now, vent) in enumerate(zip(fill.from_mmhg, scene.pressure_mmhg, scene.drive.vent_open, strict=True))
        ]
        feeds = max(range(len(falls)), key=falls.__getitem__)
        if falls[feeds] > self._figures.crosstalk_mmhg:
            return Finding(Fault.INLET_STUCK, feeds, scene.pressure_mmhg[feeds])
        racing = pressure_mmhg - fill.start_mmhg > _RACING_FACTOR * fill.expected_mmhg
        if racing and not self._is_walled(scene.manifold_mmhg - pressure_mmhg):
            return Finding(Fault.PUMP_STUCK, ALL_CHAMBERS, scene.manifold_mmhg)
        return self._narrow(scene)

    def _is_walled(self, head_mmhg: float) -> bool:
        """Whether no inlet that is open costs so much, whatever the pump does."""
        return head_mmhg > _WALL_FRACTION * self._pneumatics.relief_mmhg

    def _narrow(self, scene: Scene) -> Finding:
        """Air does not get in as it should. A valve that stands half open lets little in, and lets it in when told shut too."""
        at = scene.chamber
        return Finding(Fault.INLET_STUCK if scene.seeping[at] else Fault.BLOCKED, at, scene.pressure_mmhg[at])

    def _blows_off(self, scene: Scene, fill: _Fill) -> bool:
        """Whether the air leaves by an open hose end: the chamber does not rise, and the manifold stays far under its relief."""
        rose_mmhg = scene.pressure_mmhg[scene.chamber] - fill.start_mmhg
        return rose_mmhg < _ROSE_MMHG and fill.top_mmhg < _RELIEVED_FRACTION * self._pneumatics.relief_mmhg

    def _fed_instead(self, scene: Scene, fill: _Fill, least_mmhg: float, released_mmhg: float) -> int | None:
        """Another chamber that does not empty, or has gained ``least_mmhg`` since, though its inlet is told shut.

        ``released_mmhg`` is for one whose vent is open, where a limb changes little.
        """
        for at, standing in enumerate(scene.standing):
            if standing and scene.manifold_mmhg > scene.pressure_mmhg[at] - _STANDS_MMHG:
                return at
        over = {
            at: gained_mmhg - (released_mmhg if scene.released[at] else least_mmhg)
            for at, gained_mmhg in enumerate(fill.gained_mmhg)
            if at != scene.chamber
        }
        most = max(over, key=over.__getitem__, default=None)
        return most if most is not None and over[most] > 0.0 else None
