"""What the gateway says of its own process is what the system says of it."""

import asyncio
from pathlib import Path

from wavewrap_gateway.adapters.own_process import read_own_process


def test_tasks_and_descriptors_are_counted(tmp_path: Path) -> None:
    async def work() -> None:
        before = read_own_process()
        assert before.descriptors is not None
        with (tmp_path / "open").open("w"):
            waiting = asyncio.create_task(asyncio.sleep(60.0))
            during = read_own_process()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        after = read_own_process()
        assert (during.tasks, during.descriptors) == (before.tasks + 1, before.descriptors + 1)
        assert (after.tasks, after.descriptors) == (before.tasks, before.descriptors)
        assert during.threads >= 1
        assert 10.0 < during.memory_mb < 10_000.0

    asyncio.run(work())
