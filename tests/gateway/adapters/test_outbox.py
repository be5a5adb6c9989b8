"""The outbox on real files: what survives a kill, and what happens when the disk is full, read-only, somebody else's or garbage."""

import asyncio
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from tests.support.sample_payloads import BATCH, event, telemetry

from wavewrap_gateway.adapters import outbox as outbox_module
from wavewrap_gateway.adapters.outbox import Outbox, Trouble
from wavewrap_gateway.adapters.outbox_file import FileUnusableError, OutboxFile
from wavewrap_gateway.runtime.message_queues import MessageQueues, Outgoing
from wavewrap_gateway.runtime.publishing import DataClass, encode_message
from wavewrap_gateway.runtime.storage import Bounds, Kept
from wavewrap_protocol.payloads import BridgeEvent, Telemetry

ROOMY = Bounds(100_000, 100_000_000, 1e6)


def unix_s() -> float:
    return time.clock_gettime(time.CLOCK_REALTIME)


@dataclass
class Rig:
    """An outbox and its queues, as a gateway has them; the test is the broker."""

    outbox: Outbox
    queues: MessageQueues
    troubles: list[Trouble] = field(default_factory=list)

    def event(self, number: int, text: str = "text") -> None:
        self.queues.put(encode_message("w", "bridge_event", event(number, text)))

    def telemetry(self, number: int) -> None:
        self.queues.put(encode_message("w", "wrap_telemetry", telemetry(number), "left"))

    async def commit(self) -> None:
        """Until everything that was handed in before has been dealt with."""
        done = asyncio.Event()
        loop = asyncio.get_running_loop()
        self.outbox._ask(partial(loop.call_soon_threadsafe, done.set))
        async with asyncio.timeout(10.0):
            await done.wait()
        await asyncio.sleep(0)

    async def until(self, troubles: int) -> None:
        """Until so many troubles have been told."""
        async with asyncio.timeout(10.0):
            while len(self.troubles) < troubles:
                await self.commit()

    async def take(self, count: int) -> list[Outgoing]:
        """The next ``count`` messages, as the storage brings them."""
        taken: list[Outgoing] = []
        async with asyncio.timeout(10.0):
            while len(taken) < count:
                outgoing = self.queues.take()
                if outgoing is None:
                    await self.commit()
                else:
                    taken.append(outgoing)
        return taken

    async def deliver_all(self) -> list[int]:
        """Connect a broker that takes everything: the numbers that it got."""
        got: list[int] = []
        self.queues.connect()
        self.queues.hurry(True)
        async with asyncio.timeout(20.0):
            while not self.queues.is_settled:
                while (outgoing := self.queues.take()) is not None:
                    got.append(number_of(outgoing.message.data_class, outgoing.message.body))
                    self.queues.acknowledge(outgoing)
                await self.commit()
        return got


def numbers_of(taken: Sequence[Outgoing]) -> list[int]:
    return [number_of(one.message.data_class, one.message.body) for one in taken]


def number_of(data_class: DataClass, body: bytes) -> int:
    if data_class is DataClass.TELEMETRY:
        return Telemetry.model_validate_json(body).seq // BATCH
    return BridgeEvent.model_validate_json(body).seq


@asynccontextmanager
async def rigged(path: Path, bounds: Bounds = ROOMY) -> AsyncIterator[Rig]:
    troubles: list[Trouble] = []
    outbox = Outbox(path, bounds, unix_s, troubles.append)
    await outbox.open()
    rig = Rig(outbox, MessageQueues(outbox, unix_s), troubles)
    try:
        yield rig
    finally:
        await outbox.close()


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
from tests.gateway.adapters.test_outbox import rigged
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


@contextmanager
def file_size_limit(limit_bytes: int) -> Iterator[None]:
    """No file of this process grows past this: what a full disk does to it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_on_a_full_disk_it_goes_on_in_memory_says_so_once_and_recovers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "RETRY_S", 0.1)

    async def scene() -> None:
        async with rigged(tmp_path / "o.sqlite") as rig:
            rig.event(0)
            await rig.commit()
            with file_size_limit(200_000):
                for number in range(1, 60):
                    rig.event(number, "x" * 10_000)
                    await rig.commit()
                assert [trouble.kind for trouble in rig.troubles] == ["outbox_in_memory"]
                assert "kept in memory" in rig.troubles[0].text
                assert rig.queues.health().store == "memory"
                assert not rig.outbox.durable
                written = rig.outbox.written
                assert 0 < written < 60
                rig.queues.connect()
                taken = await rig.take(60)
                assert numbers_of(taken) == list(range(60))  # out of file and memory, in order
                assert rig.outbox.written == written
            rig.queues.disconnect([])
            for number in range(60, 70):
                rig.event(number)
            await rig.until(2)
            assert rig.queues.health().store == "file"
            assert [trouble.kind for trouble in rig.troubles] == ["outbox_in_memory", "outbox_restored"]
        async with rigged(tmp_path / "o.sqlite") as again:
            assert sorted(await again.deliver_all()) == list(range(70))

    asyncio.run(scene())


def test_in_a_folder_that_is_none_it_goes_on_in_memory(tmp_path: Path) -> None:
    """Root writes into read-only folders; a file where the folder should be stops everybody."""
    (tmp_path / "file").write_text("in the way")

    async def scene() -> None:
        async with rigged(tmp_path / "file" / "o.sqlite") as rig:
            for number in range(50):
                rig.event(number)
            await rig.commit()
            assert [trouble.kind for trouble in rig.troubles] == ["outbox_in_memory"]
            assert rig.queues.health().rows == 50
            assert await rig.deliver_all() == list(range(50))
            assert rig.queues.counts().waiting == 0

    asyncio.run(scene())


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[Path]:
    """A file system of its own in memory."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no right to mount a file system: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_on_a_file_system_that_fills_up_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "RETRY_S", 0.1)

    async def scene(folder: Path) -> None:
        async with rigged(folder / "o.sqlite") as rig:
            (folder / "somebody-elses").write_bytes(b"x" * 3_500_000)
            for number in range(100):
                rig.event(number, "x" * 10_000)
                await rig.commit()
            assert [trouble.kind for trouble in rig.troubles] == ["outbox_in_memory"]
            assert "full" in rig.troubles[0].text
            assert await rig.deliver_all() == list(range(100))
            (folder / "somebody-elses").unlink()
            rig.event(100)
            await rig.until(2)
            assert rig.troubles[1].kind == "outbox_restored"

    with small_disk(tmp_path / "disk", "size=4m") as folder:
        asyncio.run(scene(folder))


def test_on_a_read_only_file_system_it_goes_on_in_memory(tmp_path: Path) -> None:
    async def scene(folder: Path) -> None:
        async with rigged(folder / "o.sqlite") as rig:
            for number in range(50):
                rig.event(number)
            assert await rig.deliver_all() == list(range(50))
            assert [trouble.kind for trouble in rig.troubles] == ["outbox_in_memory"]

    with small_disk(tmp_path / "disk", "size=1m,ro") as folder:
        asyncio.run(scene(folder))


@pytest.mark.parametrize("damage", ["all of it", "a page"])
def test_a_corrupt_file_is_set_aside_and_a_new_one_begun(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "o.sqlite"

    async def scene() -> None:
        async with rigged(path) as rig:
            for number in range(200):
                rig.event(number, "x" * 500)
            await rig.commit()
        data = bytearray(path.read_bytes())
        data[(0 if damage == "all of it" else len(data) // 2) :] = os.urandom(len(data) - (0 if damage == "all of it" else len(data) // 2))
        path.write_bytes(data)
        async with rigged(path) as rig:
            assert [trouble.kind for trouble in rig.troubles] == ["outbox_set_aside"]
            assert "was corrupt" in rig.troubles[0].text
            assert [name in rig.troubles[0].text for name in os.listdir(tmp_path) if "corrupt-" in name] == [True]
            rig.event(1000)
            await rig.commit()
            assert rig.queues.health().store == "file"
        async with rigged(path) as again:
            assert await again.deliver_all() == [1000]

    asyncio.run(scene())


def test_a_file_that_turns_corrupt_under_way_costs_only_what_lay_in_it_alone(tmp_path: Path) -> None:
    path = tmp_path / "o.sqlite"

    async def scene() -> None:
        async with rigged(path) as rig:
            for number in range(400):
                rig.event(number, "x" * 500)
            await rig.commit()
            rig.outbox._ask(lambda: damage(rig.outbox))
            await rig.commit()
            async with asyncio.timeout(10.0):
                number = 400
                while not rig.troubles:
                    rig.event(number)
                    number += 1
                    rig.queues.connect()
                    rig.queues.take()
                    await rig.commit()
            assert rig.troubles[0].kind == "outbox_set_aside"
            assert "400 messages in it are not sent" in rig.troubles[0].text or "messages in it" in rig.troubles[0].text
            rig.event(5000)
            await rig.commit()
            counts = rig.queues.counts()
            assert counts.dropped >= 390
            assert counts.published == counts.acknowledged + counts.dropped + counts.waiting
            assert 5000 in await rig.deliver_all()

    def damage(outbox: Outbox) -> None:
        """Everything behind the header, in the file and what SQLite holds of it."""
        assert outbox._file is not None
        connection = outbox._file._connection
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA cache_size = 0")
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (size - 4096))
        connection.execute("PRAGMA shrink_memory")

    asyncio.run(scene())


def test_a_second_gateway_leaves_the_file_to_the_first(tmp_path: Path) -> None:
    async def scene() -> None:
        async with rigged(tmp_path / "o.sqlite") as first:
            first.event(1)
            await first.commit()
            async with rigged(tmp_path / "o.sqlite") as second:
                assert "another wavewrap uses it" in second.troubles[0].text
                second.event(2)
                assert await second.deliver_all() == [2]
            assert await first.deliver_all() == [1]
            assert first.troubles == []

    asyncio.run(scene())


def test_a_file_of_another_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "o.sqlite"
    OutboxFile(path, ROOMY).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(FileUnusableError, match="it is of version 9, this program knows 1"):
        OutboxFile(path, ROOMY)
    assert not list(tmp_path.glob("*corrupt*"))


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
