"""``wavewrap doctor --json`` beside a real bluetoothd, in the guest of ``make test-bluez``: what it says is so."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.integration.link.rigs import the_machine
from tests.support.link_rig import Trouble
from tests.support.platform_link_rig import Machine, PlatformLinkRig


@pytest.fixture
def machine(request: pytest.FixtureRequest) -> Machine:
    """The guest."""
    if request.config.getoption("--radio") != "platform":
        pytest.skip("needs the guest that make test-bluez boots, for it switches Bluetooth off and on")
    return the_machine(request.config)


async def ask_doctor(folder: Path) -> tuple[int | None, dict[str, tuple[str, str]]]:
    """Its exit code; by check, the level and what it says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "wavewrap_gateway", "doctor", "--json"),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)},
    )
    printed, _ = await process.communicate()
    return process.returncode, {one["check"]: (one["level"], one["says"]) for one in json.loads(printed)["verdicts"]}


async def ask_program(*command: str) -> str:
    """What it prints."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    return printed.decode().strip()


@asynccontextmanager
async def no_trouble() -> AsyncIterator[None]:
    """All is well."""
    yield


@pytest.mark.parametrize("trouble", [None, Trouble.ADAPTER_OFF, Trouble.DAEMON_KILLED], ids=lambda one: "none" if one is None else one.name)
def test_doctor_says_what_is_so(trouble: Trouble | None, machine: Machine, tmp_path: Path) -> None:
    async def work() -> None:
        await machine.powered()
        version = (await ask_program("bluetoothctl", "--version")).removeprefix("bluetoothctl: ")
        async with no_trouble() if trouble is None else PlatformLinkRig(machine).trouble(trouble):
            code, said = await ask_doctor(tmp_path)
        assert version in said["BlueZ"][1]
        match trouble:
            case None:
                assert said["bluetoothd"] == ("ok", "runs, and root may talk to it")
                assert said["adapter hci0"] == ("ok", "virtual, on, Bluetooth LE")
                timeout_ms = 10 * int(Path("/sys/kernel/debug/bluetooth/hci0/supervision_timeout").read_text())  # noqa: ASYNC240
                assert f"after {timeout_ms} ms" in said["links of hci0"][1]
                assert "problem" not in {level for level, _ in said.values()}, said
                assert code == 0
            case Trouble.ADAPTER_OFF:
                assert said["adapter hci0"] == ("problem", "is switched off")
                assert code == 1
            case _:
                assert said["bluetoothd"] == ("problem", "does not run")
                assert code == 1

    asyncio.run(work())
