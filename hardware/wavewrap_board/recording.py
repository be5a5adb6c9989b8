"""The recording that a chamber is measured by: one fill, a hold and a vent, as CSV with the unit in each heading.

Order of events: vented rest, vent shut, inlet open with the pump running, pump off, inlet shut, hold, vent open. The dump stays shut after
the rest, so that the manifold's balance tells what went into the chamber. One file holds one chamber or several, told apart by number.
"""

import csv
from collections import defaultdict
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wavewrap_protocol.errors import UsageError

__all__ = ["COLUMNS", "Recording", "load_recordings"]

COLUMNS = ("chamber", "t_s", "pump_duty", "inlet_open", "vent_open", "manifold_mmhg", "pressure_mmhg")
"""Commands hold from their row to the next; pressures are readings at ``t_s``, before any zero."""

ROWS_MIN = 100
"""Choice: two seconds at 50 Hz; less is not a recording of a fill, a hold and a vent."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Recording:
    """Arrays of one length, times rising; ``chamber`` counts from 1, distal first."""

    chamber: int
    t_s: Array
    pump_duty: Array
    inlet_open: Array
    vent_open: Array
    manifold_mmhg: Array
    pressure_mmhg: Array


def load_recordings(path: Path) -> list[Recording]:
    """The recordings in ``path`` in the order of their chambers.

    Raises :class:`UsageError` in one line for a file that cannot be read, a wrong heading, a cell that is no number, a value out of range,
    times that do not rise or too few rows.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
    except OSError as cause:
        raise UsageError(f"{path}: cannot be read ({cause.strerror}); give the path of a recording") from cause
    except (UnicodeDecodeError, csv.Error) as cause:
        raise UsageError(f"{path}: not a CSV file in UTF-8 ({cause}); 'wavewrap board record' writes one") from cause
    if not rows or tuple(cell.strip() for cell in rows[0]) != COLUMNS:
        raise UsageError(f"{path}: the first line must be {','.join(COLUMNS)}")
    by_chamber: dict[int, list[tuple[float, ...]]] = defaultdict(list)
    for number, row in enumerate(rows[1:], 2):
        values = _read_row(path, number, row)
        by_chamber[int(values[0])].append(values[1:])
    if not by_chamber:
        raise UsageError(f"{path}: no rows; record a fill, a hold and a vent")
    recordings = []
    for chamber in sorted(by_chamber):
        table = np.array(by_chamber[chamber])
        if len(table) < ROWS_MIN:
            raise UsageError(f"{path}: chamber {chamber} has {len(table)} rows; record a whole fill, hold and vent, {ROWS_MIN} at least")
        if (np.diff(table[:, 0]) <= 0.0).any():
            raise UsageError(f"{path}: t_s of chamber {chamber} does not rise from row to row; sort the rows")
        recordings.append(Recording(chamber, *table.T))
    return recordings


def _read_row(path: Path, number: int, row: list[str]) -> tuple[float, ...]:
    if len(row) != len(COLUMNS):
        raise UsageError(f"{path}: line {number} has {len(row)} cells instead of {len(COLUMNS)}; correct it")
    try:
        values = tuple(float(cell) for cell in row)
    except ValueError as cause:
        raise UsageError(f"{path}: line {number}: {cause}; write numbers with a point") from cause
    for name, value in zip(COLUMNS, values, strict=True):
        share = name in ("pump_duty", "inlet_open", "vent_open")
        if not isfinite(value) or (share and not 0.0 <= value <= 1.0) or (name == "chamber" and (value < 1.0 or value != int(value))):
            raise UsageError(f"{path}: line {number}: {name} {value:g} is out of range; duty and valves are 0 to 1, chambers count from 1")
    return values
