"""The outbox on real files: what is written, what is not, and what survives a kill."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.outbox_rig import ROOMY, number_of, rigged
from tests.support.sample_payloads import BATCH, event, telemetry

from wavewrap_gateway.adapters.outbox_file import OutboxFile
from wavewrap_gateway.runtime.publishing import DataClass, encode_message
from wavewrap_gateway.runtime.storage import Bounds, Kept
from wavewrap_protocol.payloads import BridgeEvent, Telemetry


def test_what_was_not_acknowledged_is_there_after_a_restart(tmp_path: Path) -> None:
    async def scene() -> None:
        async with rigged(tmp_path / "new" / "o.sqlite") as rig:
            rig.queues.connect()
            for number in range(30):
                rig.event(number)
                rig.telemetry(number)
            await rig.commit()
            assert rig.outbox.written == 60
            for outgoing in await rig.take(60):
                if number_of(outgoing.message.data_class, outgoing.message.body) % 3:
                    rig.queues.acknowledge(outgoing)
        async with rigged(tmp_path / "new" / "o.sqlite") as again:
            assert again.queues.counts().waiting == 20
            assert again.queues.health().store == "file"
            assert sorted(await again.deliver_all()) == sorted([*range(0, 30, 3)] * 2)
            assert again.queues.counts().published == again.queues.counts().acknowledged == 20
            await again.commit()
            assert again.outbox.size().rows == 0

    asyncio.run(scene())


def test_what_the_broker_takes_at_once_is_never_written_but_its_samples_are_known(tmp_path: Path) -> None:
    async def scene() -> None:
        async with rigged(tmp_path / "o.sqlite") as rig:
            rig.queues.connect()
            await rig.commit()
            assert rig.queues.take() is None
            await rig.commit()
            for number in (0, 1, 2, 4):
                rig.telemetry(number)
                outgoing = rig.queues.take()
                assert outgoing is not None
                rig.queues.acknowledge(outgoing)
            await rig.commit()
            assert rig.outbox.written == 0
        async with rigged(tmp_path / "o.sqlite") as again:
            assert again.outbox.sample_runs == {("left", 257): [(0, 14), (20, 24)]}

    asyncio.run(scene())


def test_at_its_bounds_the_file_drops_the_oldest_telemetry_first(tmp_path: Path) -> None:
    async def scene() -> None:
        async with rigged(tmp_path / "o.sqlite", Bounds(500, 10_000_000, 1e6)) as rig:
            for number in range(600):
                rig.telemetry(number)
                if number % 3 == 0:
                    rig.event(number)
            await rig.commit()
            dropped = rig.queues.drops()["outbox full"]
            assert 300 <= dropped <= 400  # a hundred at once
            assert rig.queues.dropped_samples("left") == dropped * BATCH
            got = await rig.deliver_all()
            assert got[:200] == list(range(0, 600, 3))
            assert got[200:] == list(range(dropped, 600))

    asyncio.run(scene())


KILLED = """
import asyncio, sys, time
from pathlib import Path
from tests.support.outbox_rig import rigged
async def main():
    async with rigged(Path(sys.argv[1])) as rig:
        rig.queues.connect()
        number = int(sys.argv[2])
        while True:
            for _ in range(20):
                rig.event(number)
                rig.telemetry(number)
                number += 1
            await rig.commit()
            print(number, flush=True)
asyncio.run(main())
"""


def test_what_was_committed_survives_a_kill_at_any_moment(tmp_path: Path) -> None:
    path = tmp_path / "o.sqlite"
    committed = 0
    for round_number in range(4):
        child = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(path), str(committed)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert child.stdout is not None
        for _ in range(3 + 7 * round_number):
            committed = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        committed = max([committed, *map(int, child.stdout.read().split())])
        child.wait()
        child.stdout.close()

    async def scene() -> None:
        async with rigged(path) as rig:
            assert rig.troubles == []
            got = await rig.deliver_all()
            # A batch that was committed and not told of may be there too.
            assert set(got) >= set(range(committed))
            assert rig.outbox.sample_runs == {("left", 257): [(0, (max(got) + 1) * BATCH - 1)]}

    asyncio.run(scene())


def test_events_are_committed_to_the_disk_and_telemetry_to_the_system(tmp_path: Path) -> None:
    file = OutboxFile(tmp_path / "o.sqlite", ROOMY)

    def synchronous_after(topic: str, payload: BridgeEvent | Telemetry, wrap: str | None, number: int) -> int:
        message = encode_message("w", topic, payload, wrap)
        file.write([Kept(number, message, 1.0)], {}, {}, 2.0)
        return int(file._connection.execute("PRAGMA synchronous").fetchone()[0])

    normal, full = 1, 2
    assert synchronous_after("wrap_telemetry", telemetry(1), "left", 1) == normal
    assert synchronous_after("bridge_event", event(1), None, 2) == full
    assert synchronous_after("wrap_telemetry", telemetry(2), "left", 3) == normal
    assert file._connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    file.close()


def test_an_emptied_file_gives_its_space_back(tmp_path: Path) -> None:
    path = tmp_path / "o.sqlite"

    async def scene() -> None:
        async with rigged(path) as rig:
            for number in range(2000):
                rig.event(number, "x" * 1000)
            await rig.commit()
            assert len(await rig.deliver_all()) == 2000
            await rig.commit()

    asyncio.run(scene())
    assert path.stat().st_size < 1_000_000


def test_the_bodies_are_kept_byte_for_byte(tmp_path: Path) -> None:
    message = encode_message("w", "wrap_telemetry", telemetry(1), "left")
    file = OutboxFile(tmp_path / "o.sqlite", ROOMY)
    file.write([Kept(5, message, 1.25)], {}, {}, 2.0)
    assert file.page(DataClass.TELEMETRY, 0, 10, frozenset()) == [Kept(5, message, 1.25)]
    assert json.loads(message.body)["seq"] == BATCH
    file.close()
