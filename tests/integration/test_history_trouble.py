"""A process that records is killed, or its disk fails it: what was kept stays, it is told in one line, and nothing hangs."""

import asyncio
import json
import random
import shlex
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.support.histories import FRAME_SAMPLES

from wavewrap_gateway.adapters.store_reader import list_sessions, load_session
from wavewrap_gateway.adapters.store_writer import StoreWriter
from wavewrap_gateway.core.history import RecordState
from wavewrap_protocol.errors import StoreError

pytestmark = pytest.mark.realtime

ROOT = Path(__file__).parents[2]
KILLS = 3
PACE = 40
"""Seconds of the session in a second: an event, and so a batch, every 25 ms."""


@dataclass
class Told:
    """What a child has said: how much it has handed over, and its lines for the user."""

    frames: int = 0
    events: int = 0
    lines: list[str] = field(default_factory=list)

    def take(self, output: bytes) -> None:
        """A line of the child's output."""
        said = json.loads(output)
        if "told" in said:
            self.lines.append(said["told"])
        else:
            self.frames, self.events = said["frames"], said["events"]


def child(place: Path, seconds: float, pace: float) -> list[str]:
    return [sys.executable, "-m", "tests.support.history_child", str(place), str(seconds), str(pace)]


@dataclass(frozen=True)
class Killed:
    """``seen`` is what a reader saw just before the kill."""

    place: Path
    told: Told
    seen_events: int
    seen_samples: int


async def kill_one(folder: Path, seed: int) -> Killed:
    """A child, killed a random while after its first events."""
    rng = random.Random(seed)
    place, told = folder / f"{seed}.sqlite", Told()
    process = await asyncio.create_subprocess_exec(*child(place, 3_600.0, PACE), cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        wanted = rng.randrange(3, 60)
        async with asyncio.timeout(60.0):
            while told.events < wanted:
                told.take(await process.stdout.readline())
        await asyncio.sleep(rng.uniform(0.0, 0.05))
        events, samples = await asyncio.to_thread(look, place)
    finally:
        process.kill()
        await process.wait()
    async for line in process.stdout:
        if line.endswith(b"\n"):
            told.take(line)
    return Killed(place, told, events, samples)


def look(place: Path) -> tuple[int, int]:
    """Events and samples that are there."""
    try:
        (entry,) = list_sessions(str(place), 10)
        return len(load_session(str(place), "last").events), entry.samples
    except StoreError:
        return 0, 0


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> list[Killed]:
    """Children, killed at different moments."""
    folder = tmp_path_factory.mktemp("killed")

    async def kill_all() -> list[Killed]:
        return await asyncio.gather(*(kill_one(folder, seed) for seed in range(KILLS)))

    return asyncio.run(kill_all())


def test_what_was_committed_survives_a_kill(killed: list[Killed]) -> None:
    assert any(one.seen_events for one in killed)
    for one in killed:
        assert one.told.lines == []
        session = load_session(str(one.place), "last")
        numbers = [event.seq for event in session.events]
        assert one.seen_events <= len(numbers) <= one.told.events + 1
        assert numbers == list(range(1, len(numbers) + 1))
        kept = sum(len(side.curves) for side in session.sides)
        assert kept >= one.seen_samples
        # An event is never there without the samples that came before it, ten frames an event.
        assert kept >= len(numbers) * 10 * FRAME_SAMPLES
        assert [side.curves.missing for side in session.sides] == [0, 0]
        with sqlite3.connect(one.place) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()


def test_a_kill_costs_the_last_batch_at_most(killed: list[Killed]) -> None:
    sessions = [load_session(str(one.place), "last") for one in killed]
    kept = [sum(len(side.curves) for side in session.sides) // FRAME_SAMPLES for session in sessions]
    lost = [one.told.frames - frames for one, frames in zip(killed, kept, strict=True)]
    # What was handed over in the last second, which is the longest wait for a commit; it takes part of that.
    assert max(lost) < 10 * PACE


def test_the_next_start_closes_what_was_killed(killed: list[Killed]) -> None:
    for one in killed:
        assert list_sessions(str(one.place), 1)[0].state is RecordState.RUNNING
        writer = StoreWriter(str(one.place), "attic", pytest.fail, lambda: 0.0)
        writer.start()
        writer.close()
        session = load_session(str(one.place), "last")
        assert session.state is RecordState.INTERRUPTED
        assert session.ended_unix_s is not None
        assert session.ended_unix_s > session.head.started_unix_s


def on_a_disk(folder: Path, options: str, command: list[str]) -> tuple[Told, int]:
    """Run ``command`` where ``folder`` is a disk of its own with ``options``; afterwards what lies on it is in ``folder`` + ``-after``."""
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("no user namespaces here, which a disk of a test's own needs")
    folder.mkdir()
    after = folder.with_name(f"{folder.name}-after")
    after.mkdir()
    script = (
        f"mount -t tmpfs -o {options} none {shlex.quote(str(folder))} && {shlex.join(command)}; code=$?; "
        f"cp -r {shlex.quote(str(folder))}/. {shlex.quote(str(after))}; exit $code"
    )
    done = subprocess.run(["unshare", "-rm", "sh", "-c", script], check=False, cwd=ROOT, capture_output=True, timeout=60)
    assert done.stderr == b"", done.stderr
    told = Told()
    for line in done.stdout.splitlines():
        told.take(line)
    return told, done.returncode


def test_a_full_disk_is_told_once_and_ends_nothing(tmp_path: Path) -> None:
    place = tmp_path / "disk" / "history.sqlite"
    told, code = on_a_disk(place.parent, "size=768k", child(place, 400.0, 400.0))
    assert code == 0
    assert told.frames == 4_000
    assert told.lines == [
        f"history {place}: the disk is full: make room. The session goes on; what it records waits",
        f"history {place}: the end of this session is not kept",
    ]
    kept = load_session(str(tmp_path / "disk-after" / "history.sqlite"), "last")
    assert [event.seq for event in kept.events] == list(range(1, len(kept.events) + 1))
    assert len(kept.events) > 10
    assert all(len(side.curves) > 500 and side.curves.missing == 0 for side in kept.sides)


def test_a_read_only_disk_is_told_once_and_ends_nothing(tmp_path: Path) -> None:
    place = tmp_path / "disk" / "history.sqlite"
    told, code = on_a_disk(place.parent, "ro", child(place, 10.0, 100.0))
    assert (code, told.frames) == (0, 100)
    why = "read-only file system: make its folder writable, or configure another store"
    assert told.lines == [
        f"history {place}: {why}. The session goes on; what it records waits",
        f"history {place}: the end of this session is not kept",
    ]
    assert list((tmp_path / "disk-after").iterdir()) == []
