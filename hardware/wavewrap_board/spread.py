"""A built wrap is never the board on paper: each figure of its air path is off by its own random part."""

from typing import TypeVar

import numpy as np

from wavewrap_board.board import Board
from wavewrap_board.table import Table

__all__ = ["scatter"]

_CHAMBER = ("dead_volume_ml", "soft_volume_ml", "soft_mmhg", "compliance_ml_mmhg", "creep_fraction", "creep_s", "leak_ml_s_mmhg")
_PUMP = ("free_flow_ml_s", "stall_mmhg", "lag_s")
_VALVE = ("conductance_ml_s_bar", "lag_s", "dead_s")

_Part = TypeVar("_Part", bound=Table)


def scatter(board: Board, rng: np.random.Generator) -> Board:
    """``board`` with each figure that moves air multiplied by its own factor, even between 1 - and 1 + ``spread_fraction``.

    The checks are not run again: a bad example may break them, and its times are still of interest.
    """

    def vary(table: _Part, keys: tuple[str, ...]) -> _Part:
        factors = rng.uniform(1.0 - board.spread_fraction, 1.0 + board.spread_fraction, len(keys))
        return table.model_copy(update={key: getattr(table, key) * float(factor) for key, factor in zip(keys, factors, strict=True)})

    valves = {role: vary(getattr(board.valves, role), _VALVE) for role in ("inlet", "vent", "dump")}
    return board.model_copy(
        update={
            "chambers": tuple(vary(chamber, _CHAMBER) for chamber in board.chambers),
            "pump": vary(board.pump, _PUMP),
            "valves": board.valves.model_copy(update=valves),
            "tube": vary(board.tube, ("length_m",)),
            "vent_stub": vary(board.vent_stub, ("length_m",)),
        }
    )
