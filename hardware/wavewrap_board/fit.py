"""A chamber's figures from one recording: weighted least squares by Levenberg-Marquardt, with uncertainties.

What the recording does not determine is left at the board's figure and said so. Not responsible for reading files
(:mod:`wavewrap_board.recording`) nor for the physics (:mod:`wavewrap_board.bladder_run`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wavewrap_board.bladder_run import FIGURES, BladderRun, prepare_run
from wavewrap_board.board import Board
from wavewrap_board.recording import Recording

__all__ = ["ChamberFit", "Estimate", "fit_chamber"]

Array = NDArray[np.float64]

UNDETERMINED_FRACTION = 0.25
"""A figure less certain than this (one standard deviation) is left at the board's. Choice: the board's own spread is of that size."""

_STEP = 1e-3
"""Of a figure, for the slopes."""

_LOWEST = 0.02
"""No figure falls below this part of the board's."""

_ROUNDS = 40
_DONE = 1e-4
"""A round that improves the sum of squares by less than this part is the last one."""

_MOVE_MAX = 0.5
"""No figure moves further in a round than this part of the board's."""

_DAMPING_MAX = 1e4
"""With more no figure moves: this is the best there is."""

_NUISANCE = ("vent_delay_s",)
"""Fitted, because the recording shows it, and not shown: it lumps dead time and the timing of the recording."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """``sigma`` is one standard deviation; None where the recording does not determine the figure, which then is the board's."""

    name: str
    value: float
    sigma: float | None


@dataclass(frozen=True, slots=True)
class ChamberFit:
    """What was found for ``chamber`` (from 1). ``noise_mmhg`` is a reading's own, ``residual_mmhg`` the root mean square left over,
    as of single readings: with the right model the two are the same."""

    chamber: int
    estimates: tuple[Estimate, ...]
    residual_mmhg: float
    noise_mmhg: float


def fit_chamber(recording: Recording, board: Board) -> ChamberFit:
    """Fit the figures of ``recording.chamber`` of ``board``; pump, manifold, the vent's stub and sensor are taken from the board.

    Raises :class:`wavewrap_protocol.errors.UsageError` for a recording that lacks a part.
    """
    run = prepare_run(recording, board)
    chamber = board.chambers[recording.chamber - 1]
    given = np.array([*(getattr(chamber, name) for name in FIGURES[:-2]), board.valves.vent.conductance_ml_s_bar, board.valves.vent.dead_s])
    # A board may say that it does not leak; a figure needs a scale.
    scale = np.where(given > 0.0, given, 1e-4)
    factors: Array = np.ones(len(FIGURES))
    free = list(range(len(FIGURES)))
    # What the recording cannot tell is seen before anything is fitted; with it the search would wander.
    while (weak := _weakest(free, _judge(run, scale, factors, free, 0.0, fitted=False), factors)) is not None:
        free.remove(weak)
    while True:
        factors, residual_mmhg = _solve(run, scale, factors, free)
        sigmas = _judge(run, scale, factors, free, board.spread_fraction)
        weak = _weakest(free, sigmas, factors)
        if weak is None:
            break
        free.remove(weak)
        factors[weak] = 1.0
    estimates = tuple(
        Estimate(name, float(scale[at] * factors[at]), float(scale[at] * sigmas[at]))
        if at in free
        else Estimate(name, float(given[at]), None)
        for at, name in enumerate(FIGURES)
        if name not in _NUISANCE
    )
    return ChamberFit(recording.chamber, estimates, residual_mmhg, run.noise_mmhg)


def _solve(run: BladderRun, scale: Array, factors: Array, free: list[int]) -> tuple[Array, float]:
    """From ``factors`` on: better ones on ``scale``, and the root mean square that is left, as of single readings."""
    damping = 1e-3
    residual, slopes = _linearise(run, scale, factors, free)
    for _ in range(_ROUNDS):
        normal = slopes.T @ slopes
        move = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), -slopes.T @ residual)
        tried = factors.copy()
        tried[free] = np.maximum(tried[free] + np.clip(move, -_MOVE_MAX, _MOVE_MAX), _LOWEST)
        new_residual, new_slopes = _linearise(run, scale, tried, free)
        gain = 1.0 - (new_residual @ new_residual) / (residual @ residual)
        if gain <= 0.0:
            if damping > _DAMPING_MAX:
                break
            damping *= 10.0
            continue
        factors, residual, slopes = tried, new_residual, new_slopes
        damping /= 10.0
        if gain < _DONE:
            break
    return factors, float(np.sqrt((residual**2).mean())) * run.noise_mmhg


def _weakest(free: list[int], sigmas: Array, factors: Array) -> int | None:
    """The least certain of the ``free`` figures if the recording does not determine it; never the last one."""
    shown = [at for at in free if FIGURES[at] not in _NUISANCE]
    worst = max(shown, key=lambda at: sigmas[at] / factors[at])
    return worst if len(shown) > 1 and sigmas[worst] > UNDETERMINED_FRACTION * factors[worst] else None


def _judge(run: BladderRun, scale: Array, factors: Array, free: list[int], spread: float, *, fitted: bool = True) -> Array:
    """Standard deviations of the free factors, 0 for the others: of the noise, and of what is not known of the others.

    What a fit leaves over counts as noise; before one (not ``fitted``) it tells nothing.
    """
    every = list(range(len(scale)))
    fixed = [at for at in every if at not in free]
    residual, slopes = _linearise(run, scale, factors, every)
    excess = max(1.0, float(residual @ residual) / max(1, len(residual) - len(free))) if fitted else 1.0
    inverse = np.linalg.inv(slopes[:, free].T @ slopes[:, free])
    pulled = inverse @ slopes[:, free].T @ slopes[:, fixed]
    # A figure anywhere within the board's spread.
    covariance = inverse * excess + pulled @ pulled.T * spread**2 / 3.0
    sigmas = np.zeros(len(scale))
    sigmas[free] = np.sqrt(np.diag(covariance))
    return sigmas


def _linearise(run: BladderRun, scale: Array, factors: Array, free: list[int]) -> tuple[Array, Array]:
    """Residuals in standard deviations of noise, and their slopes by the free factors."""
    guesses = np.tile(factors, (len(free) + 1, 1))
    for row, at in enumerate(free, 1):
        guesses[row, at] += _STEP
    shown = run.play(guesses * scale)
    certainty = run.weight / run.noise_mmhg
    residual = (shown[0] - run.pressure_mmhg) * certainty
    slopes = ((shown[1:] - shown[0]) / _STEP * certainty).T
    return residual, slopes
