"""Faults drawn by chance: a severity and a moment for a kind. The ranges are choices, each related to the board's own figures."""

import numpy as np

from wavewrap_board.board import Board
from wavewrap_sim.faults import FAULT, KINDS, Fault
from wavewrap_sim.firmware_from_board import pneumatic_figures
from wavewrap_sim.plant_kernel import LEAK_AT_MMHG

__all__ = ["KINK_MMHG_S_ML", "LEAK_MMHG_S", "draw_fault"]

LEAK_MMHG_S = (12.0, 80.0)
"""What a leak costs a chamber at 60 mmHg; a quarter of it at 30, which is twice what creep costs there. A smaller one is made up for within
a hold, and no pressure is wrong."""

KINK_MMHG_S_ML = (5.0, 40.0)
"""From where a fill takes several times as long, to where a vent takes a minute; the hose itself has about 0.02."""

SLACK_SOFT_VOLUMES = (8.0, 16.0)
"""Of the chamber's own soft volume."""

DRIFT_MMHG_S = (0.2, 2.0)
OPENING = (0.4, 1.0)
BROWN_OUT_S = (0.05, 3.0)
RADIO_CUT_S = (0.5, 15.0)
HOST_STALL_S = (0.3, 10.0)
WRITES_PER_S = (1.0, 10.0)


def draw_fault(kind: str, rng: np.random.Generator, board: Board, window_s: float) -> Fault:
    """A fault of ``kind`` that begins within ``window_s`` of the start and stays, but for those that are over by their nature.

    A poor fit is there from the start. Raises :class:`KeyError` for a kind that there is not.
    """
    chamber = int(rng.integers(len(board.chambers))) + 1
    fields = KINDS[kind].model_fields
    drawn: dict[str, object] = {"kind": kind, "at_s": 0.0 if kind == "poor_fit" else round(float(rng.uniform(0.0, window_s)), 2)}
    if "chamber" in fields:
        drawn["chamber"] = chamber
    if "opening" in fields:
        drawn["opening"] = _even(rng, OPENING)
    if "seed" in fields:
        drawn["seed"] = int(rng.integers(1 << 31))
    match kind:
        case "leak":
            capacity_ml_mmhg = pneumatic_figures(board).chambers[chamber - 1].capacity_ml_mmhg(LEAK_AT_MMHG)
            drawn["flow_at_60_ml_s"] = round(_by_factor(rng, LEAK_MMHG_S) * capacity_ml_mmhg, 3)
        case "kink":
            drawn["resistance_mmhg_s_ml"] = _by_factor(rng, KINK_MMHG_S_ML)
        case "poor_fit":
            drawn["slack_ml"] = round(_even(rng, SLACK_SOFT_VOLUMES) * board.chambers[chamber - 1].soft_volume_ml, 1)
        case "sensor_drift":
            drawn["rate_mmhg_s"] = float(rng.choice((-1.0, 1.0))) * _by_factor(rng, DRIFT_MMHG_S)
        case "sensor_dead":
            range_mmhg = board.sensors.range_mmhg
            drawn["reads_mmhg"] = float(rng.choice((-range_mmhg, 0.0, range_mmhg)))
        case "brown_out":
            drawn["for_s"] = _even(rng, BROWN_OUT_S)
        case "radio_cut":
            drawn["for_s"] = _even(rng, RADIO_CUT_S)
        case "host_stall":
            drawn["for_s"] = _even(rng, HOST_STALL_S)
    if "per_s" in fields:
        drawn["per_s"] = _even(rng, WRITES_PER_S)
    return FAULT.validate_python(drawn)


def _even(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    return round(float(rng.uniform(*bounds)), 2)


def _by_factor(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    """Evenly by order of magnitude."""
    return round(float(np.exp(rng.uniform(np.log(bounds[0]), np.log(bounds[1])))), 3)
