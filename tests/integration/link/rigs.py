"""The rig that the command line names. Each is imported only when it is wanted: the guest of the BlueZ rig is slow."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

import pytest
from tests.support.link_rig import LinkRig

if TYPE_CHECKING:
    from tests.support.platform_link_rig import Machine

__all__ = ["NOTES", "Case", "RunCase", "choose_rig", "the_machine"]

Case = Callable[[LinkRig], Awaitable[None]]
RunCase = Callable[[Case, bool], None]
"""Runs a case; ``True``: the wraps may be paired already, as the last such case left them."""

NOTES = pytest.StashKey[list[str]]()
"""What the cases have measured."""

_MACHINE = pytest.StashKey["Machine"]()

WRAPS = 2
GUEST_CASE_S = 150.0
CASE_S = 3600.0
"""Longest case. Of virtual seconds; a person with a wrap in their hands needs some, too."""


def the_machine(config: pytest.Config) -> "Machine":
    """The guest, with its controller plugged in until the session ends."""
    from tests.support.platform_link_rig import Machine

    if _MACHINE not in config.stash:
        machine = config.stash[_MACHINE] = Machine.from_environment()
        config.add_cleanup(machine.close)
        machine.open()
    return config.stash[_MACHINE]


def choose_rig(config: pytest.Config, folders: pytest.TempPathFactory) -> RunCase:
    """What runs a case. A rig that is put up once is taken down at the end of the session."""
    notes = config.stash.setdefault(NOTES, [])
    serial: str | None = config.getoption("--hardware")
    if serial is not None:
        from tests.support.hardware_link_rig import open_hardware_rig

        return lambda case, _paired: asyncio.run(_play(open_hardware_rig(serial), case, notes))
    if config.getoption("--radio") == "platform":
        from tests.support.platform_link_rig import open_platform_rig

        machine = the_machine(config)
        return lambda case, paired: asyncio.run(_play(open_platform_rig(machine, WRAPS, paired=paired), case, notes, GUEST_CASE_S))

    from tests.support.virtual_link_rig import open_virtual_rig

    from wavewrap_sim.virtual_time import run_virtual

    return lambda case, _paired: run_virtual(_play(open_virtual_rig(folders.mktemp("rig"), WRAPS), case, notes))


async def _play(rig: AbstractAsyncContextManager[LinkRig], case: Case, notes: list[str], case_s: float = CASE_S) -> None:
    async with rig as opened:
        try:
            # Not by a signal, as pytest's own time limit: raised inside the loop, it costs somebody the wake-up.
            async with asyncio.timeout(case_s):
                await case(opened)
        finally:
            notes.extend(opened.notes)
