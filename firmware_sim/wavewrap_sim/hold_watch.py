"""A chamber that is told shut: inlet and vent closed, it must neither lose air nor gain any.

Loss is summed over the quiet parts of a hold, less what creep explains; air that the controller let out counts as gained, for a limb that
moves takes as much back as it gives, and warming air only adds. So neither looks like a leak, whatever the controller did meanwhile.
"""

from dataclasses import dataclass

from wavewrap_protocol.enums import Fault
from wavewrap_sim.air_supply import SupplyMode
from wavewrap_sim.detection_figures import DetectionFigures
from wavewrap_sim.pneumatic_figures import ATMOSPHERE_MMHG, PneumaticFigures
from wavewrap_sim.scene import Finding, Scene

__all__ = ["HoldWatch"]

_QUIET_TICKS = 3
"""After the last valve command. Choice: three times the delay of valve and sensor."""

_CREDIT_MMHG_S = 0.5
"""How fast vented air is forgotten, and a rise that nothing explains. Choice: a limb gives back within some seconds what it took."""

_SEEPS_MMHG = 0.8
"""Choice: eight times the noise of a reading."""

_EMPTY_MMHG, _EMPTY_ML = 1.0, 0.1
"""A released chamber under these has no creep worth following. Choice: it would fall by less than 0.2 mmHg from it."""

_EMPTIED_S, _FED_BACK_FACTOR, _FED_BACK_MMHG = 0.03, 3.5, 1.5
"""An open manifold shows no more than this after that time, over what the pump still brings, unless a chamber feeds it: factor on the
board's drop, and mmHg. Choice: the dump empties 8 ml in a fifth of it; one 30 % narrow behind a pump 30 % strong has 3.4 times the drop."""

_POOR_MMHG, _POOR_HOLDS = 2.5, 2
"""A compression that ends with such a loss beyond creep is a poor one, and so many in a row are a leak. Choice: of 1,700 compressions on
plants 30 % off with moving limbs the worst ended with 2.2 mmHg."""

_TOLD_FRACTION = 0.4
"""Of a loss that is too much, to say where it went. Choice: the rest may go while the manifold tells nothing."""

_OVER_MMHG = 3.0
"""Manifold over or under the chamber to say where its air goes. Choice: two zeros 1 mmHg off, and noise."""


@dataclass(slots=True)
class _Hold:
    """One chamber; all but the first three are of its present compression."""

    crept_ml: float = 0.0
    last_mmhg: float = 0.0
    poor_holds: int = 0
    """Compressions in a row that lost too much to be creep and too little to be told at once."""
    begun: bool = False
    quiet_ticks: int = 0
    lost_mmhg: float = 0.0
    leaked_mmhg: float = 0.0
    drained_mmhg: float = 0.0
    """Of what was lost: while it cannot have gone into the manifold, and while the manifold shows that it does."""
    credit_mmhg: float = 0.0
    fed_mmhg: float = 0.0
    unvented_mmhg: float = 0.0
    """How much less it has fallen with its vent open than a slow vent would have let it."""
    pushed: bool = False
    """That was too much, with the manifold over it: fed, or shut in."""
    over_s: float = 0.0

    def released(self) -> "_Hold":
        """Its state after the compression."""
        return _Hold(self.crept_ml, self.last_mmhg, self.poor_holds)


class HoldWatch:
    """Of one wrap."""

    def __init__(self, pneumatics: PneumaticFigures, figures: DetectionFigures) -> None:
        self._pneumatics = pneumatics
        self._figures = figures
        self._holds = [_Hold() for _ in pneumatics.chambers]

    @property
    def seeping(self) -> list[bool]:
        """Of each chamber, whether its inlet has let air through while it was told shut."""
        return [hold.drained_mmhg > _SEEPS_MMHG or hold.fed_mmhg > _SEEPS_MMHG for hold in self._holds]

    def check(self, scene: Scene) -> list[Finding]:
        """What is wrong now."""
        findings = []
        dt_s = scene.dt_s
        for at, hold in enumerate(self._holds):
            pressure_mmhg = scene.pressure_mmhg[at]
            released = scene.released[at]
            if released and pressure_mmhg < _EMPTY_MMHG and hold.crept_ml < _EMPTY_ML:
                hold.last_mmhg = pressure_mmhg
                continue
            chamber = self._pneumatics.chambers[at]
            creep_ml_s = chamber.creep_ml_s(pressure_mmhg, hold.crept_ml)
            hold.crept_ml += creep_ml_s * dt_s
            if released:
                hold.last_mmhg = pressure_mmhg
                if hold.begun:
                    fault = self._judge_compression(hold)
                    if fault is not Fault.NONE:
                        findings.append(Finding(fault, at, pressure_mmhg))
                    self._holds[at] = hold.released()
                continue
            hold.begun = True
            inlet, vent = scene.drive.inlet_open[at], scene.drive.vent_open[at]
            rise_mmhg, hold.last_mmhg = pressure_mmhg - hold.last_mmhg, pressure_mmhg
            hold.quiet_ticks = 0 if inlet or vent else hold.quiet_ticks + 1
            fed_mmhg = rise_mmhg if hold.quiet_ticks > _QUIET_TICKS else 0.0
            if hold.unvented_mmhg:
                hold.unvented_mmhg = max(0.0, hold.unvented_mmhg + rise_mmhg)
            if vent:
                out_mmhg = self._pneumatics.vent.flow_ml_s(pressure_mmhg) * dt_s / chamber.capacity_ml_mmhg(pressure_mmhg)
                hold.lost_mmhg -= out_mmhg
                hold.credit_mmhg = min(self._figures.leak_mmhg, hold.credit_mmhg + out_mmhg)
                if pressure_mmhg > self._figures.drifted_mmhg:
                    hold.unvented_mmhg += out_mmhg / self._figures.vent_factor
            elif hold.quiet_ticks > _QUIET_TICKS:
                creep_mmhg_s = max(0.0, creep_ml_s) * (ATMOSPHERE_MMHG + pressure_mmhg) / ATMOSPHERE_MMHG
                creep_mmhg_s /= chamber.capacity_ml_mmhg(pressure_mmhg)
                loss_mmhg = -rise_mmhg - (self._figures.creep_factor * creep_mmhg_s + self._figures.leak_mmhg_s) * dt_s
                hold.lost_mmhg += loss_mmhg
                self._attribute(scene, at, hold, loss_mmhg)
            hold.credit_mmhg = max(0.0, hold.credit_mmhg - _CREDIT_MMHG_S * dt_s)
            hold.lost_mmhg = max(-hold.credit_mmhg, hold.lost_mmhg)
            fault = self._judge_vent(scene, at, hold)
            if fault is Fault.NONE:
                fault = self._judge(scene, at, hold, fed_mmhg)
            if fault is not Fault.NONE:
                findings.append(Finding(fault, at, pressure_mmhg))
        return findings

    def _judge_compression(self, hold: _Hold) -> Fault:
        """At its end. A loss too small for one hold is told when the next one has it too."""
        hold.poor_holds = hold.poor_holds + 1 if hold.lost_mmhg > _POOR_MMHG else 0
        if hold.poor_holds < _POOR_HOLDS:
            return Fault.NONE
        return Fault.INLET_STUCK if hold.drained_mmhg > hold.leaked_mmhg else Fault.LEAK

    def _attribute(self, scene: Scene, at: int, hold: _Hold, loss_mmhg: float) -> None:
        """Whether the manifold may have got what was lost."""
        manifold_mmhg = scene.manifold_mmhg
        if not scene.drive.dump_open:
            if manifold_mmhg > scene.pressure_mmhg[at] + _OVER_MMHG:
                hold.leaked_mmhg = max(0.0, hold.leaked_mmhg + loss_mmhg)
        elif scene.mode_s > _EMPTIED_S:
            pumped_ml_s = self._pneumatics.pump_flow_ml_s(scene.spin, manifold_mmhg)
            own_mmhg = _FED_BACK_FACTOR * self._pneumatics.dump.drop_mmhg(pumped_ml_s, manifold_mmhg) + _FED_BACK_MMHG
            if manifold_mmhg > own_mmhg:
                hold.drained_mmhg = max(0.0, hold.drained_mmhg + loss_mmhg)
            else:
                hold.leaked_mmhg = max(0.0, hold.leaked_mmhg + loss_mmhg)

    def _judge_vent(self, scene: Scene, at: int, hold: _Hold) -> Fault:
        """A chamber that does not fall though its vent is told open. Under a high manifold it may be fed; once that is empty it shows."""
        most_mmhg = self._figures.leak_mmhg
        if scene.manifold_mmhg > scene.pressure_mmhg[at] - _OVER_MMHG:
            if hold.unvented_mmhg > most_mmhg:
                hold.pushed, hold.unvented_mmhg = True, 0.5 * most_mmhg
            elif hold.unvented_mmhg == 0.0:
                hold.pushed = False
            return Fault.NONE
        if hold.unvented_mmhg > most_mmhg:
            return Fault.VENT_FAILED
        if hold.pushed and hold.unvented_mmhg == 0.0:
            return Fault.INLET_STUCK
        return Fault.NONE

    def _judge(self, scene: Scene, at: int, hold: _Hold, rise_mmhg: float) -> Fault:
        figures = self._figures
        over_mmhg = scene.manifold_mmhg - scene.pressure_mmhg[at]
        feeds_another = scene.mode is SupplyMode.FILLING and scene.chamber != at
        if (feeds_another and over_mmhg > _OVER_MMHG) or (scene.mode is SupplyMode.CHARGING and over_mmhg > 0.0):
            hold.fed_mmhg += rise_mmhg
            if hold.fed_mmhg > figures.fed_mmhg:
                return Fault.INLET_STUCK
        hold.fed_mmhg = max(0.0, hold.fed_mmhg - _CREDIT_MMHG_S * scene.dt_s)
        hold.over_s = hold.over_s + scene.dt_s if hold.lost_mmhg > figures.leak_mmhg else 0.0
        if hold.over_s < figures.leak_s:
            return Fault.NONE
        if hold.drained_mmhg > max(hold.leaked_mmhg, _TOLD_FRACTION * figures.leak_mmhg):
            return Fault.INLET_STUCK
        if hold.leaked_mmhg > _TOLD_FRACTION * figures.leak_mmhg:
            return Fault.LEAK
        # Where it goes shows in the pauses of the pump, which come often; but it may not go on for ever.
        if hold.lost_mmhg < 3.0 * figures.leak_mmhg:
            return Fault.NONE
        return Fault.INLET_STUCK if hold.drained_mmhg > hold.leaked_mmhg else Fault.LEAK
