"""The outbox when its file is of no use: disk full, read-only, somebody else's, of another version, garbage. Nothing stops or hangs."""

import asyncio
import os
import resource
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.outbox_rig import ROOMY, Rig, numbers_of, rigged, unix_s
from tests.support.sample_payloads import BATCH

from wavewrap_gateway.adapters import outbox as outbox_module
from wavewrap_gateway.adapters.outbox import Outbox, Trouble
from wavewrap_gateway.adapters.outbox_file import FileUnusableError, OutboxFile
from wavewrap_gateway.runtime.message_queues import MessageQueues
from wavewrap_gateway.runtime.storage import Bounds


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
            rig.outbox._hand_over(lambda: damage(rig.outbox))
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


def test_a_disk_that_hangs_costs_neither_the_loop_nor_all_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "CLOSE_S", 0.1)
    asleep, awake = threading.Event(), threading.Event()

    def hang() -> None:
        asleep.set()
        awake.wait()

    async def scene() -> None:
        troubles: list[Trouble] = []
        outbox = Outbox(tmp_path / "o.sqlite", ROOMY, unix_s, troubles.append, Bounds(200, 1_000_000, 1e6))
        await outbox.open()
        rig = Rig(outbox, MessageQueues(outbox, unix_s), troubles)
        outbox._hand_over(hang)
        await asyncio.to_thread(asleep.wait)
        for number in range(300):
            rig.telemetry(number)
            rig.event(number)
        assert rig.queues.drops() == {"outbox full": 400}
        assert rig.queues.dropped_samples("left") == 300 * BATCH  # telemetry first
        assert rig.queues.counts().waiting == 200
        await outbox.close()
        awake.set()
        await asyncio.to_thread(rig.wait_for_thread)

    asyncio.run(scene())


def test_a_disk_that_does_not_answer_at_the_start_does_not_stop_the_gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "OPEN_S", 0.1)
    path = tmp_path / "o.sqlite"
    awake = threading.Event()

    class SlowFile(OutboxFile):
        """A file whose disk answers when it is told to."""

        def __init__(self, path: Path, bounds: Bounds) -> None:
            awake.wait()
            super().__init__(path, bounds)

    async def scene() -> None:
        async with rigged(path) as before:
            before.event(1)
        monkeypatch.setattr(outbox_module, "OutboxFile", SlowFile)
        async with rigged(path) as rig:
            assert [trouble.kind for trouble in rig.troubles] == ["outbox_in_memory"]
            assert "does not answer" in rig.troubles[0].text
            rig.event(2)
            assert rig.queues.counts().waiting == 1
            awake.set()
            assert await rig.deliver_all() == [1, 2]
            assert rig.queues.counts().published == 2

    asyncio.run(scene())
