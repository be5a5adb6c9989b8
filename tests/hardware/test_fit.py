"""Chambers measured by a recording of a simulated wrap that is not the board on paper; and recordings that are none."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wavewrap_board.files import REFERENCE_BOARD, load_board
from wavewrap_board.fit import fit_chamber
from wavewrap_board.recording import COLUMNS, Recording, load_recordings
from wavewrap_protocol.errors import UsageError
from wavewrap_sim.board_recording import Row, record_chamber, scatter_chambers
from wavewrap_sim.from_board import plant_of

BOARD = load_board(REFERENCE_BOARD)

TOLERANCE = {
    "soft_volume_ml": 0.02,
    "soft_mmhg": 0.05,
    "compliance_ml_mmhg": 0.02,
    "creep_fraction": 0.03,
    "creep_s": 0.02,
    "leak_ml_s_mmhg": 0.06,
}
"""What a recording of a minute gives for chambers up to 30 % off the board, with the board's sensors."""


def record(chamber: int, seed: int) -> tuple[list[Row], dict[str, float]]:
    """A recording of a scattered wrap, and the truth."""
    rng = np.random.default_rng(seed)
    parameters = scatter_chambers(plant_of(BOARD), rng, 0.3)
    truth = {name: getattr(parameters.chambers[chamber - 1], name) for name in TOLERANCE}
    return record_chamber(parameters, BOARD, chamber, rng), truth


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return record(2, 7)[0]


def to_recording(rows: list[Row]) -> Recording:
    return Recording(rows[0][0], *np.array(rows, dtype=np.float64)[:, 1:].T)


def write(path: Path, rows: list[Row], heading: str = ",".join(COLUMNS)) -> Path:
    path.write_text("\n".join([heading, *(",".join(map(str, row)) for row in rows)]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(("chamber", "seed"), [(1, 2), (3, 2)])
def test_a_scattered_chamber_is_found(chamber: int, seed: int) -> None:
    rows, truth = record(chamber, seed)
    found = fit_chamber(to_recording(rows), BOARD)
    estimates = {estimate.name: estimate for estimate in found.estimates}
    for name, tolerance in TOLERANCE.items():
        sigma = estimates[name].sigma
        assert sigma is not None, name
        assert estimates[name].value == pytest.approx(truth[name], rel=tolerance), name
        assert abs(estimates[name].value - truth[name]) < 6.0 * sigma, f"{name}: the uncertainty is too small"
    # The dead volume shows only in the bend of P(t): it is left at the board's, and said so.
    assert estimates["dead_volume_ml"].sigma is None
    assert estimates["dead_volume_ml"].value == BOARD.chambers[chamber - 1].dead_volume_ml
    assert found.residual_mmhg == pytest.approx(found.noise_mmhg, rel=0.25)


def test_a_recording_survives_its_file(tmp_path: Path, rows: list[Row]) -> None:
    (again,) = load_recordings(write(tmp_path / "log.csv", rows))
    for name in ("t_s", "pump_duty", "inlet_open", "vent_open", "manifold_mmhg", "pressure_mmhg"):
        np.testing.assert_array_equal(getattr(again, name), getattr(to_recording(rows), name))


def without_hold(rows: list[Row]) -> list[Row]:
    return [(row[0], row[1] if row[1] < 3.0 else row[1] - 17.0, *row[2:]) for row in rows if not 3.0 <= row[1] <= 20.0]


def vented_in_the_hold(rows: list[Row]) -> list[Row]:
    return [(*row[:4], 1 if 10.0 < row[1] < 11.0 else row[4], *row[5:]) for row in rows]


def with_a_full_manifold(rows: list[Row]) -> list[Row]:
    return [(*row[:5], row[5] + 100.0 * row[3], row[6]) for row in rows]


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda rows: [row for row in rows if row[1] > 1.3], "no vented rest"),
        (lambda rows: [(*row[:3], 0, *row[4:]) for row in rows], "inlet never opens"),
        (lambda rows: [(*row[:6], row[6] / 5.0) for row in rows], "mmHg only"),
        (without_hold, "needs a hold"),
        (lambda rows: [row for row in rows if row[1] < 20.0], "needs a hold"),
        (vented_in_the_hold, "vent shuts again"),
        (with_a_full_manifold, "relief"),
        (lambda rows: [(9, *row[1:]) for row in rows], "has 4 chambers"),
    ],
)
def test_a_recording_that_lacks_a_part_is_named(rows: list[Row], spoil: Callable[[list[Row]], list[Row]], text: str) -> None:
    with pytest.raises(UsageError, match=text) as caught:
        fit_chamber(to_recording(spoil(rows)), BOARD)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_recording_is_named(tmp_path: Path, rows: list[Row]) -> None:
    path = tmp_path / "log.csv"
    few = rows[:5]
    cases = [
        (write(path, rows, "t,p"), "first line must be"),
        (write(tmp_path / "empty.csv", []), "no rows"),
        (write(tmp_path / "few.csv", few), "has 5 rows"),
        (write(tmp_path / "order.csv", [*rows, rows[0]]), "does not rise"),
        (write(tmp_path / "duty.csv", [(1, 0.0, 2.0, 0, 1, 0.0, 0.0), *rows]), "line 2: pump_duty 2 is out of range"),
        (write(tmp_path / "nan.csv", [(1, 0.0, 0.0, 0, 1, float("nan"), 0.0), *rows]), "line 2: manifold_mmhg nan"),
        (tmp_path / "missing.csv", "cannot be read"),
    ]
    for given, text in cases:
        with pytest.raises(UsageError, match=text):
            load_recordings(given)
    path.write_text(",".join(COLUMNS) + "\n1,2,three,4,5,6,7\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"line 2: .*'three'"):
        load_recordings(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="UTF-8"):
        load_recordings(path)


def test_a_pump_too_small_for_the_chamber_ends_the_recording() -> None:
    parameters = plant_of(BOARD)
    weak = replace(parameters, pump=replace(parameters.pump, free_flow_ml_s=1.0))
    with pytest.raises(UsageError, match="pump is too small"):
        record_chamber(weak, BOARD, 1, np.random.default_rng(0))
