"""The kernel compiled and as plain Python; where it may not be cached; where numba is missing."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from wavewrap_board.files import REFERENCE_BOARD, load_board
from wavewrap_sim import compiled, plant_kernel
from wavewrap_sim.compiled import Kernel, fastest_kernel, plain_kernel
from wavewrap_sim.from_board import plant_of
from wavewrap_sim.pneumatics import Plant

WRAPS, CHAMBERS = 2, 4


def play_roughly(form: Kernel) -> np.ndarray:
    """Five seconds with everything that may befall two scattered wraps: all pressures and flows."""
    rng = np.random.default_rng(6)
    board = plant_of(load_board(REFERENCE_BOARD))
    plant = Plant([board.scattered(rng, 0.3) for _ in range(WRAPS)], form=form)
    conditions = plant.conditions
    shape = (WRAPS, CHAMBERS)
    rows: list[np.ndarray] = []
    while len(rows) < 500:
        duty, inlets, vents = rng.random(WRAPS) * (rng.random(WRAPS) < 0.7), rng.random(shape) < 0.4, rng.random(shape) < 0.06
        dump = rng.random(WRAPS) < 0.1
        if len(rows) % 50 == 0:
            conditions.swell_ml[:], conditions.warmth_k[:] = rng.uniform(-3.0, 3.0, shape), rng.uniform(0.0, 8.0, shape)
            conditions.leak_at_60_ml_s[:] = 2.0 * (rng.random(shape) < 0.3)
            conditions.kink_mmhg_s_ml[:] = 2.0 * (rng.random(shape) < 0.3)
            conditions.hose_on[:] = rng.random(shape) < 0.9
            conditions.inlet_held[:] = np.where(rng.random(shape) < 0.2, 0.5, np.nan)
            conditions.dump_held[:] = np.where(rng.random(WRAPS) < 0.2, 0.0, np.nan)
            conditions.pump_held_duty[:] = np.where(rng.random(WRAPS) < 0.2, 1.0, np.nan)
        for _ in range(int(rng.integers(1, 8))):
            plant.step(float(rng.choice([3e-4, 5e-3, 1e-2, 2e-2])), duty, inlets, vents, dump)
            flows = plant.flows
            assert flows is not None
            moved = (flows.pump_ml_s, flows.dump_ml_s, flows.relief_ml_s, flows.inlet_ml_s, flows.vent_ml_s, flows.leak_ml_s)
            rows.append(np.concatenate([np.ravel(part) for part in (plant.pressure_mmhg, plant.manifold_mmhg, *moved)]))
    return np.array(rows)


def test_compiled_and_plain_are_the_same() -> None:
    assert fastest_kernel().is_compiled, "the tests need numba, which is among the development tools"
    fast, plain = play_roughly(fastest_kernel()), play_roughly(plain_kernel())
    assert np.ptp(fast[:, : WRAPS * CHAMBERS]) > 40.0, "mmHg: a script that moves nothing proves nothing"
    # Bit for bit where compiler and Python take exp from the same library.
    np.testing.assert_allclose(fast, plain, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("steps", [1, 4])
def test_a_call_does_all_substeps(steps: int) -> None:
    """Ten milliseconds in one call or in four, of which each takes one substep."""
    plant = Plant([plant_of(load_board(REFERENCE_BOARD))])
    once = Plant([plant_of(load_board(REFERENCE_BOARD))])
    shut = [[False] * CHAMBERS]
    for _ in range(50):
        once.step(0.01, [1.0], [[True, False, False, False]], shut, [False])
        for _ in range(steps):
            plant.step(0.01 / steps, [1.0], [[True, False, False, False]], shut, [False])
    np.testing.assert_allclose(plant.pressure_mmhg, once.pressure_mmhg, rtol=1e-12)
    assert once.pressure_mmhg.max() > 20.0


def test_nothing_stale_can_come_out_of_the_cache() -> None:
    """It is keyed by the file of a function: what is compiled in from other files would live on after a change there."""
    tree = ast.parse(Path(plant_kernel.__file__).read_text(encoding="utf-8"))
    froms = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert froms | names == {"math", "numpy", "numpy.typing"}


def test_without_numba_it_runs_as_plain_python_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    form = compiled.fastest_kernel.__wrapped__()
    assert not form.is_compiled
    assert form.form.startswith("plain Python (")
    assert "numba" in form.form


ALONE = """
from wavewrap_sim.compiled import fastest_kernel
form = fastest_kernel()
import numpy as np
tables = [np.zeros(shape) for shape in ((1, 0, 15), (1, 0, 9), (1, 1, 8), (1, 1, 4, 2), (1, 11), (1, 3), (1, 2), (0, 23))]
tables[2][0, 0, 4] = tables[4][0, 1:4] = 1.0  # no chamber, and a dump on a manifold
tables[5][:] = np.nan
tables[3][:] = np.inf
print(form.is_compiled, form.form, form.advance(*tables, 0.0, 0.01, 4))
"""


def test_where_nothing_may_be_written_it_compiles_without_a_cache(tmp_path: Path) -> None:
    package = tmp_path / "wavewrap_sim"
    package.mkdir()
    for name in ("__init__.py", "compiled.py", "plant_kernel.py"):
        shutil.copy(Path(compiled.__file__).parent / name, package)
    # A file where the cache's folder would be stops root too, whom no permission stops.
    (package / "__pycache__").touch()
    (tmp_path / "file").touch()
    nowhere = {name: str(tmp_path / "file") for name in ("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA", "USERPROFILE")}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "PYTHON"))}
    environment = {**kept, **nowhere, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", ALONE], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["True", "numba", done.stdout.split()[2], "not", "cached", "True"], done.stderr
