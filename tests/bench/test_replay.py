"""A session that was recorded on simulated wraps plays again the same; one that was not shows by how much."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.histories import make_end, make_frames, make_head
from tests.support.recorded_sessions import CYCLE_S, Recorded
from tests.support.virtual_wraps import run_wraps

from wavewrap_bench.replay import replay_session
from wavewrap_gateway.adapters.store_reader import load_session
from wavewrap_gateway.adapters.store_writer import StoreWriter
from wavewrap_gateway.core.recorded_curves import rebuild_account
from wavewrap_gateway.core.recorded_session import RecordedSession
from wavewrap_protocol.errors import UsageError
from wavewrap_sim.scenario import CLEAR
from wavewrap_sim.virtual_time import run_virtual


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the history is."""
    return tmp_path_factory.mktemp("history") / "history.sqlite"


@pytest.fixture(scope="module")
def recorded(place: Path) -> RecordedSession:
    """A session of one wrap and one cycle of the short program."""

    async def work() -> RecordedSession:
        async with run_wraps(1) as virtual:
            return await Recorded(place, virtual, cycles=1).play()

    return run_virtual(work())


def test_a_simulated_session_plays_again_the_same(recorded: RecordedSession, place: Path) -> None:
    command = [sys.executable, "-m", "wavewrap_gateway", "sessions", "replay", "--json", "--store", str(place), "--seed", "3"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert (report["session"], report["program"], report["played_s"]) == (recorded.head.session_id, "plain", CYCLE_S)
    (wrap,) = report["wraps"]
    assert wrap["compared_s"] > 0.9 * CYCLE_S
    assert max(wrap["rms_mmhg"]) < 2.0
    assert [round(dose["over_threshold_s"] / CYCLE_S, 1) for dose in wrap["dose"]] == [0.0] * 4
    assert [dose["reached"] for dose in wrap["dose"]] == [0] * 4


def test_what_was_different_shows(recorded: RecordedSession) -> None:
    """The same record with 20 % more pressure in every chamber."""
    (side,) = recorded.sides
    curves = replace(side.curves, pressure_cmmhg=(side.curves.pressure_cmmhg * 1.2).astype("int16"))
    account = rebuild_account(recorded.head.program, side.wrap.side, side.wrap.chambers, recorded.head.planned_s, curves, [])
    account.add_steps(side.account.carried_out)
    (wrap,) = replay_session(replace(recorded, sides=[replace(side, curves=curves, account=account)]), CLEAR, seed=3).wraps
    # Chambers 1 and 3 are the program's, 40 mmHg; the others rest.
    for chamber in (0, 2):
        assert wrap.dose[chamber].peak_mmhg == pytest.approx(8.0, abs=2.0)
        assert wrap.rms_mmhg[chamber] > 3.0
        assert wrap.dose[chamber].pressure_time_mmhg_s > 10.0
    for chamber in (1, 3):
        assert wrap.rms_mmhg[chamber] < 1.0


def test_a_session_without_a_step_is_refused(tmp_path: Path) -> None:
    place, head = tmp_path / "history.sqlite", make_head()
    writer = StoreWriter(str(place), "attic", pytest.fail, lambda: 0.0)
    writer.start()
    writer.begin(head)
    for frame in make_frames(head, 1.0):
        writer.add_frame(frame)
    writer.finish(make_end(head))
    writer.close()
    with pytest.raises(UsageError, match=f"session {head.session_id} never began: no step of it was carried out, so there is nothing"):
        replay_session(load_session(str(place), "last"), CLEAR, seed=1)
