"""The rig that the command line names. Each is imported only when it is wanted: the guest of the BlueZ rig is slow."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import pytest
from tests.support.link_rig import LinkRig

__all__ = ["Case", "RunCase", "choose_rig"]

Case = Callable[[LinkRig], Awaitable[None]]
RunCase = Callable[[Case], None]

WRAPS = 2


def choose_rig(request: pytest.FixtureRequest, folders: pytest.TempPathFactory) -> RunCase:
    """What runs a case. A rig that must be put up once is taken down at the end of the session."""
    serial: str | None = request.config.getoption("--hardware")
    if serial is not None:
        from tests.support.hardware_link_rig import open_hardware_rig

        return lambda case: asyncio.run(_play(open_hardware_rig(serial), case))
    if request.config.getoption("--radio") == "platform":
        from tests.support.platform_link_rig import Machine, open_platform_rig

        machine = Machine.from_environment()
        request.addfinalizer(machine.close)
        machine.open()
        return lambda case: asyncio.run(_play(open_platform_rig(machine, WRAPS), case))

    from tests.support.virtual_link_rig import open_virtual_rig

    from wavewrap_sim.virtual_time import run_virtual

    return lambda case: run_virtual(_play(open_virtual_rig(folders.mktemp("rig"), WRAPS), case))


async def _play(rig: AbstractAsyncContextManager[LinkRig], case: Case) -> None:
    async with rig as opened:
        await case(opened)
