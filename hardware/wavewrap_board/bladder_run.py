"""A bladder that follows a recording: the pressure it would have shown, for many guesses of its figures at once.

The air that went in comes from the pump's curve and the *measured* manifold, so no valve or tube of the inlet matters. The air that comes
out goes by the vent's law. Written apart from the simulator's plant.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wavewrap_board.board import Board
from wavewrap_board.pneumatic_parts import ATMOSPHERE_MMHG
from wavewrap_board.recording import Recording
from wavewrap_protocol.errors import UsageError

__all__ = ["FIGURES", "BladderRun", "prepare_run"]

Array = NDArray[np.float64]

FIGURES = (
    "dead_volume_ml",
    "soft_volume_ml",
    "soft_mmhg",
    "compliance_ml_mmhg",
    "creep_fraction",
    "creep_s",
    "leak_ml_s_mmhg",
    "vent_conductance_ml_s_bar",
    "vent_delay_s",
)
"""What a run is played with: the columns of its argument. The delay is the vent's dead time."""

REST_MIN_S = 0.2
RISE_MIN_MMHG = 20.0
HOLD_MIN_S = 5.0
VENT_MIN_S = 1.0
"""Choices: enough for the zero, for the taut bladder, for the creep and for the tail."""

_SETTLE_S = 0.1
"""After the inlet is told shut: it has closed, whatever its dead time."""

_MMHG_PER_BAR = 750.06

_FINE_S = 0.005
"""Longest step while air moves quickly; else a sample's spacing will do."""

_QUICK_S = 1.0
"""After the vent has moved; what flows then is the tail."""

_HOLD_S = 0.1
"""Readings of the hold are taken together over this: nothing is quick there."""


@dataclass(frozen=True, slots=True)
class BladderRun:
    """A recording made ready. Arrays over its samples from the first opening of the inlet on."""

    t_s: Array
    inflow_ml_s: Array
    """Mean until the next sample."""
    vent_open: Array
    vent_changed_s: Array
    """When the vent was last told something else."""
    pressure_mmhg: Array
    """Readings over their own zero."""
    weight: Array
    """Square root of the number of readings that each one stands for."""
    noise_mmhg: float
    """Standard deviation of a reading at rest."""
    vent_lag_s: float
    vent_critical_ratio: float
    stub_mmhg_s_ml: float
    sensor_lag_s: float

    def play(self, figures: Array) -> Array:
        """Readings, shape (guesses, samples), for ``figures`` of shape (guesses, len(FIGURES))."""
        guesses = [column.copy() for column in figures.T]
        dead, soft, soft_mmhg, compliance, fraction, creep_s, leak, vent, delay_s = guesses
        creep_ml_mmhg = fraction * compliance
        gain = (vent / _MMHG_PER_BAR) ** 2 * 2.0 / (1.0 - self.vent_critical_ratio)
        beta = 0.5 / (1.0 - self.vent_critical_ratio)
        pressure, creep = np.zeros(len(figures)), np.zeros(len(figures))
        shown = np.zeros((len(figures), len(self.t_s)))
        up = np.zeros(len(figures))

        def rise(at_s: float, sample: int, pressure: Array, creep: Array) -> tuple[Array, Array]:
            slack = soft * np.exp(-pressure / soft_mmhg)
            volume = dead + soft - slack + compliance * pressure + creep
            absolute = ATMOSPHERE_MMHG + pressure
            capacity = (volume + absolute * (slack / soft_mmhg + compliance)) / ATMOSPHERE_MMHG
            creeping = (creep_ml_mmhg * pressure - creep) / creep_s
            gained = self.inflow_ml_s[sample] - leak * pressure - absolute / ATMOSPHERE_MMHG * creeping
            left = np.exp(-np.maximum(at_s - self.vent_changed_s[sample] - delay_s, 0.0) / self.vent_lag_s)
            opening = 1.0 - left if self.vent_open[sample] else left
            if self.vent_open[sample] or at_s - self.vent_changed_s[sample] < _SETTLE_S:
                over = np.maximum(pressure, 0.0)
                root_k = opening * np.sqrt(gain * (ATMOSPHERE_MMHG + over - beta * over))
                along = self.stub_mmhg_s_ml * root_k
                gained = gained - 2.0 * over * root_k / (np.sqrt(along * along + 4.0 * over + 1e-12) + along)
            return gained / capacity, creeping

        for sample in range(len(self.t_s) - 1):
            begin_s, span_s = self.t_s[sample], self.t_s[sample + 1] - self.t_s[sample]
            still = self.inflow_ml_s[sample] == 0.0 and begin_s - self.vent_changed_s[sample] > _QUICK_S
            count = 1 if still else max(1, int(np.ceil(span_s / _FINE_S)))
            step_s = span_s / count
            for part in range(count):
                at_s = begin_s + part * step_s
                up, swell = rise(at_s, sample, pressure, creep)
                up, swell = rise(at_s + step_s / 2.0, sample, pressure + step_s / 2.0 * up, creep + step_s / 2.0 * swell)
                pressure, creep = pressure + step_s * up, creep + step_s * swell
            shown[:, sample + 1] = pressure - self.sensor_lag_s * up
        return shown


def prepare_run(recording: Recording, board: Board) -> BladderRun:
    """``recording`` with the figures of ``board`` that it takes for known: pump, manifold, vent's stub, sensor.

    Raises :class:`UsageError` when the recording lacks a part of what it is to show.
    """
    name = f"chamber {recording.chamber}"
    t_s, inlet = recording.t_s, recording.inlet_open > 0.0
    if recording.chamber > len(board.chambers):
        raise UsageError(f"{name}: {board.name} has {len(board.chambers)} chambers; name the board that was recorded")
    if not inlet.any():
        raise UsageError(f"{name}: the inlet never opens; record a fill, a hold and a vent")
    first = int(np.argmax(inlet))
    last = len(inlet) - 1 - int(np.argmax(inlet[::-1]))
    rest = recording.vent_open[:first] > 0.0
    if rest.sum() < 3 or t_s[:first][rest][-1] - t_s[0] < REST_MIN_S:
        raise UsageError(f"{name}: no vented rest before the fill; begin with {REST_MIN_S:g} s of it, the zero is taken there")
    zero_mmhg = recording.pressure_mmhg[:first][rest].mean()
    manifold_mmhg = recording.manifold_mmhg - recording.manifold_mmhg[:first][rest].mean()
    risen_mmhg = float((recording.pressure_mmhg - zero_mmhg).max())
    if risen_mmhg < RISE_MIN_MMHG:
        raise UsageError(f"{name}: rises to {risen_mmhg:.1f} mmHg only; fill it to {RISE_MIN_MMHG:g} mmHg or more")
    vents = np.flatnonzero((recording.vent_open > 0.0) & (t_s > t_s[last]))
    if not len(vents) or t_s[vents[0]] - t_s[last] < HOLD_MIN_S or t_s[-1] - t_s[vents[0]] < VENT_MIN_S:
        raise UsageError(f"{name}: needs a hold of {HOLD_MIN_S:g} s and then a vent of {VENT_MIN_S:g} s after the fill; record longer")
    if (recording.vent_open[first : vents[0]] > 0.0).any():
        raise UsageError(f"{name}: the vent opens during the fill or the hold; keep it shut until the end")
    if (recording.vent_open[vents[0] :] == 0.0).any():
        raise UsageError(f"{name}: the vent shuts again; end the recording with one vent")
    highest_mmhg = float(manifold_mmhg[first : last + 1].max())
    if highest_mmhg > board.manifold.relief_mmhg * 0.95:
        raise UsageError(f"{name}: the manifold reached {highest_mmhg:.0f} mmHg, where its relief opens; fill with less duty")

    duty = _speed(recording, board.pump.lag_s)
    step_s = np.diff(t_s)
    middle_mmhg = (manifold_mmhg[1:] + manifold_mmhg[:-1]) / 2.0
    pumped_ml_s = duty * board.pump.free_flow_ml_s * (1.0 - middle_mmhg / board.pump.stall_mmhg)
    kept_ml_s = board.manifold.volume_ml / ATMOSPHERE_MMHG * np.diff(manifold_mmhg) / step_s
    fed = (t_s[:-1] >= t_s[first]) & (t_s[:-1] < t_s[min(last + 1, len(t_s) - 1)] + _SETTLE_S)
    inflow_ml_s = np.append(np.where(fed, pumped_ml_s - kept_ml_s, 0.0), 0.0)

    vent_open = (recording.vent_open > 0.0).astype(np.float64)
    changed_s = np.maximum.accumulate(np.where(np.diff(vent_open, prepend=vent_open[0]) != 0.0, t_s, -np.inf))
    changed_s = np.maximum(changed_s, t_s[0] - 1e3)
    still_from = int(np.searchsorted(t_s, t_s[last + 1] + _SETTLE_S))
    joined = max(1, round(_HOLD_S / float(np.median(step_s))))
    # Whole groups of readings of the hold, each by its means; what comes before and after, one by one.
    groups = np.concatenate(
        (np.arange(first, still_from), np.arange(still_from, vents[0] - joined + 1, joined), np.arange(vents[0], len(t_s)))
    )
    sizes = np.where((groups >= still_from) & (groups < vents[0]), joined, 1)

    def join(values: Array) -> Array:
        return np.array([values[at : at + size].mean() for at, size in zip(groups, sizes, strict=True)])

    return BladderRun(
        t_s=join(t_s),
        inflow_ml_s=join(inflow_ml_s),
        vent_open=vent_open[groups],
        vent_changed_s=changed_s[groups],
        pressure_mmhg=join(recording.pressure_mmhg) - zero_mmhg,
        weight=np.sqrt(sizes),
        noise_mmhg=max(float(recording.pressure_mmhg[:first][rest].std()), board.sensors.resolution_mmhg / np.sqrt(12.0)),
        vent_lag_s=board.valves.vent.lag_s,
        vent_critical_ratio=board.valves.vent.critical_ratio,
        stub_mmhg_s_ml=board.vent_stub.resistance_mmhg_s_ml,
        sensor_lag_s=board.sensors.lag_s,
    )


def _speed(recording: Recording, lag_s: float) -> Array:
    """Mean of the pump's speed between each sample and the next, from rest, behind the commanded duty."""
    speed = 0.0
    means = []
    for duty, span_s in zip(recording.pump_duty[:-1], np.diff(recording.t_s), strict=True):
        left = (speed - duty) * np.exp(-span_s / lag_s)
        means.append(duty + (speed - duty - left) * lag_s / span_s)
        speed = duty + left
    return np.array(means)
