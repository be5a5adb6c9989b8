"""Gateway and simulated wraps on one air, in one process, in virtual time; everything between them is production code."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from random import Random

from bumble.transport.common import Transport

from wavewrap_board.board import Board
from wavewrap_board.files import REFERENCE_BOARD, load_board
from wavewrap_gateway.adapters.ble import BleakRadio, over_bumble
from wavewrap_gateway.adapters.bumble_radio import BumbleRadio
from wavewrap_protocol.payloads import Side
from wavewrap_sim.air import Air, AirController
from wavewrap_sim.device_clock import DeviceClock
from wavewrap_sim.gatt import WrapPeripheral
from wavewrap_sim.hci_pipe import host_on, open_pipe
from wavewrap_sim.log import LogEntry, StepEntry
from wavewrap_sim.scenario import Scenario
from wavewrap_sim.wrap import SimulatedWrap, WrapSettings

__all__ = ["Bench", "Build", "Device", "open_bench"]

COARSE_S = 0.02
"""Plant step of a timing run, where pressures do not matter: a control period at a time."""

CRYSTAL_PPM = 50.0


@dataclass(frozen=True, slots=True)
class Build:
    """What a wrap of the bench is."""

    side: Side
    board: Board


@dataclass(frozen=True, slots=True)
class Device:
    """One simulated wrap and what it truly did."""

    serial: str
    address: str
    peripheral: WrapPeripheral
    controller: AirController
    clock: DeviceClock
    """The same as the wrap's own."""
    log: list[LogEntry]

    def steps(self) -> list[StepEntry]:
        """Steps dealt with, in order."""
        return [entry for entry in self.log if isinstance(entry, StepEntry)]


@dataclass(frozen=True, slots=True)
class Bench:
    """Wraps on the air and a radio to reach them."""

    air: Air
    devices: list[Device]
    host: BumbleRadio
    radio: BleakRadio
    rng: Random


@asynccontextmanager
async def open_bench(
    scenario: Scenario,
    seed: int,
    wraps: int,
    *,
    queue_depth: int,
    pong_dither_tick: int,
    builds: Sequence[Build] = (),
    substep_s: float = COARSE_S,
) -> AsyncIterator[Bench]:
    """``wraps`` wraps advertising in ``scenario``, each as its build says; without builds of four chambers, left and right in turn."""
    clock = asyncio.get_running_loop().time
    rng = Random(f"{seed}/bench")
    air = Air(scenario, seed)
    devices: list[Device] = []
    for index in range(wraps):
        log: list[LogEntry] = []
        drawn_ppm = rng.uniform(-CRYSTAL_PPM, CRYSTAL_PPM)
        settings = WrapSettings(
            serial=f"BENCH-{index + 1}",
            side=builds[index].side if builds else (Side.LEFT, Side.RIGHT)[index % 2],
            board=builds[index].board if builds else load_board(REFERENCE_BOARD),
            seed=rng.randrange(1 << 32),
            clock_ppm=scenario.clock_ppm[index] if index < len(scenario.clock_ppm) else drawn_ppm,
            start_tick=rng.randrange(1 << 24),
            queue_depth=queue_depth,
            pong_dither_tick=pong_dither_tick,
            plant_substep_s=substep_s,
        )
        controller = AirController(f"wrap {index}", link=air, public_address=f"00:00:5E:00:52:{index + 1:02X}", wrap=index)
        address = f"F0:57:52:00:00:{index + 1:02X}"
        peripheral = WrapPeripheral(SimulatedWrap(settings, clock(), log.append), host_on(controller), address, clock)
        true_clock = DeviceClock(clock(), settings.start_tick, settings.clock_ppm)
        devices.append(Device(settings.serial, address, peripheral, controller, true_clock, log))
    async with AsyncExitStack() as stack:
        for device in devices:
            await device.peripheral.start()
            stack.push_async_callback(device.peripheral.stop)
        for reboot in scenario.reboots:
            if reboot.wrap < len(devices):
                asyncio.get_running_loop().call_later(reboot.at_s, _reboot, air, devices[reboot.wrap])
        controller = AirController("gateway", link=air, public_address="00:00:5E:00:53:01")

        async def hand_over(_spec: str) -> Transport:
            return open_pipe(controller)

        host = BumbleRadio("pipe", hand_over)
        await host.open()
        radio = over_bumble(host)
        try:
            yield Bench(air, devices, host, radio, rng)
        finally:
            await radio.close()
            air.leave(controller)
            # The wraps see the loss and advertise again; a host switched off in the middle of that complains.
            await asyncio.sleep(6.0)


def _reboot(air: Air, device: Device) -> None:
    device.peripheral.reboot()
    air.fall_silent(device.controller)
