"""The simulator as a process: the air, its wraps, the HCI server for gateways, the log.

Not responsible for parsing arguments (:mod:`wavewrap_sim.__main__`).
"""

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, TextIO

from wavewrap_board.board import Board
from wavewrap_protocol.payloads import Side
from wavewrap_sim.air import Air, AirController
from wavewrap_sim.compiled import fastest_kernel
from wavewrap_sim.faults import Fault, RadioCut
from wavewrap_sim.gatt import WrapPeripheral
from wavewrap_sim.gatt_security import SecurityMode
from wavewrap_sim.hci_server import HciServer
from wavewrap_sim.log import LogEntry
from wavewrap_sim.scenario import Fade, Scenario
from wavewrap_sim.wrap import SimulatedWrap, WrapSettings

__all__ = ["Announcement", "SimulatorSettings", "serve"]

CRYSTAL_PPM = 50.0
"""Spread of the wraps' clocks: the tolerance of a common 32 kHz crystal over temperature. Choice within that."""

PLANT_SCATTER = 0.1
"""Spread of the wraps' plants around the reference. Choice: no two legs are alike."""

PASSKEYS = 1_000_000
"""A passkey has six digits (Bluetooth Core, Vol 3 Part H 2.3.5.1)."""

_FOR_EVER_S = 1e6

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """``sides`` names one wrap each. ``port`` 0 takes a free one. The same ``seed`` gives the same wraps."""

    sides: Sequence[Side]
    board: Board
    """What each is built of, with the chambers it is to have."""
    seed: int
    host: str
    port: int
    scenario: Scenario
    security: SecurityMode
    log_path: Path | None
    faults: Sequence[Fault] = ()
    """What goes wrong, and with which wraps; none of :data:`wavewrap_sim.faults.GATEWAY_KINDS`."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """The simulator is ready: ``radio`` is what a gateway needs. ``passkeys`` is what each wrap shows, empty where they are open."""

    radio: str
    serials: Sequence[str]
    passkeys: Sequence[str]


class _LogFile:
    """One JSON object a line, flushed at once: the log must outlive whoever is killed."""

    def __init__(self, file: TextIO | None) -> None:
        self._file = file

    def write(self, entry: LogEntry) -> None:
        if self._file is not None:
            self._file.write(json.dumps(entry.to_json(), separators=(",", ":")) + "\n")
            self._file.flush()


def _settings_of(index: int, side: Side, settings: SimulatorSettings) -> WrapSettings:
    rng = Random(f"{settings.seed}/{index}")
    drawn_ppm = rng.uniform(-CRYSTAL_PPM, CRYSTAL_PPM)
    ppm = settings.scenario.clock_ppm[index] if index < len(settings.scenario.clock_ppm) else drawn_ppm
    return WrapSettings(
        serial=f"SIM{settings.seed:03d}-{index + 1:02d}",
        side=side,
        board=settings.board,
        seed=rng.randrange(1 << 32),
        clock_ppm=ppm,
        start_tick=rng.randrange(1 << 24),
        plant_scatter=PLANT_SCATTER,
        faults=tuple(fault for fault in settings.faults if fault.strikes(index)),
    )


def _cut_radio(scenario: Scenario, faults: Sequence[Fault]) -> Scenario:
    """``scenario`` with the cuts among ``faults`` as fades; a radio without time has no link that could notice, so it gets one."""
    cuts = [fault for fault in faults if isinstance(fault, RadioCut)]
    if not cuts:
        return scenario
    fades = tuple(Fade(at_s=cut.at_s, for_s=_FOR_EVER_S if cut.for_s is None else cut.for_s, wraps=cut.wraps) for cut in cuts)
    return scenario.model_copy(update={"timed": True, "fades": scenario.fades + fades})


def _passkey_of(index: int, settings: SimulatorSettings) -> int | None:
    if settings.security is SecurityMode.OPEN:
        return None
    # A stream of its own: asking for passkeys leaves the wraps as they are.
    return Random(f"{settings.seed}/{index}/passkey").randrange(PASSKEYS)


async def serve(settings: SimulatorSettings, announce: Callable[[Announcement], None], stop: asyncio.Event) -> None:
    """Run until ``stop``. Raises :class:`OSError` when the port or the log file cannot be had."""
    fastest_kernel()  # which may have to be compiled first, and no wrap's time runs meanwhile
    with nullcontext() if settings.log_path is None else settings.log_path.open("w", encoding="utf-8") as file:
        await _serve(settings, announce, stop, _LogFile(file))


async def _serve(settings: SimulatorSettings, announce: Callable[[Announcement], None], stop: asyncio.Event, log: _LogFile) -> None:
    loop = asyncio.get_running_loop()
    failed: asyncio.Future[None] = loop.create_future()
    loop.set_exception_handler(lambda _loop, context: _fail(failed, context))
    air = Air(_cut_radio(settings.scenario, settings.faults), settings.seed)
    server = HciServer(air)
    port = await server.start(settings.host, settings.port)
    made = [_settings_of(index, side, settings) for index, side in enumerate(settings.sides)]
    passkeys = [_passkey_of(index, settings) for index in range(len(made))]
    controllers: list[AirController] = []
    peripherals: list[WrapPeripheral] = []
    for index, wrap_settings in enumerate(made):
        controllers.append(AirController(f"wrap {index}", link=air, public_address=f"00:00:5E:00:52:{index + 1:02X}", wrap=index))
        wrap = SimulatedWrap(wrap_settings, loop.time(), log.write)
        address = f"F0:57:52:{settings.seed % 256:02X}:00:{index + 1:02X}"
        lose_links = partial(air.fall_silent, controllers[index])
        peripherals.append(WrapPeripheral(wrap, controllers[index], address, loop.time, passkeys[index], lose_links))
    for peripheral in peripherals:
        await peripheral.start()
    for reboot in settings.scenario.reboots:
        if reboot.wrap < len(peripherals):
            loop.call_later(reboot.at_s, _reboot, air, controllers[reboot.wrap], peripherals[reboot.wrap])
    shown = [f"{passkey:06d}" for passkey in passkeys if passkey is not None]
    announce(Announcement(f"bumble:tcp-client:{settings.host}:{port}", [wrap.serial for wrap in made], shown))
    work: list[asyncio.Future[Any]] = [asyncio.ensure_future(peripheral.run()) for peripheral in peripherals]
    stopping: asyncio.Future[Any] = asyncio.ensure_future(stop.wait())
    try:
        done, _ = await asyncio.wait([stopping, failed, *work], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        stopping.cancel()
        for task in work:
            task.cancel()
        await asyncio.gather(stopping, *work, return_exceptions=True)
        await server.close()
        for peripheral in peripherals:
            await peripheral.stop()


def _reboot(air: Air, controller: AirController, peripheral: WrapPeripheral) -> None:
    peripheral.reboot()
    air.fall_silent(controller)


def _fail(failed: asyncio.Future[None], context: dict[str, Any]) -> None:
    """A simulator with an error in it stops: half a wrap is worse than none."""
    _log.error("%s: %r", context["message"], context.get("exception"))
    if not failed.done():
        failed.set_exception(RuntimeError(f"the simulator failed: {context['message']}"))
