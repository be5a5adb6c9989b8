"""The simulator as a process: the air or its dongles, its wraps, the HCI server for gateways, the log.

Not responsible for parsing arguments (:mod:`wavewrap_sim.__main__`).
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, TextIO

from bumble.core import BaseBumbleError
from bumble.hci import HCI_Error
from bumble.host import Host

from wavewrap_board.board import Board
from wavewrap_protocol.errors import LocalError
from wavewrap_protocol.payloads import Side
from wavewrap_sim.air import Air, AirController
from wavewrap_sim.bonds import BondFile
from wavewrap_sim.compiled import fastest_kernel
from wavewrap_sim.dongle import open_dongle
from wavewrap_sim.faults import Fault, PersonsDoing, RadioCut
from wavewrap_sim.gatt import WrapPeripheral
from wavewrap_sim.gatt_security import SecurityMode
from wavewrap_sim.hci_pipe import host_on
from wavewrap_sim.hci_server import HciServer
from wavewrap_sim.log import LightEntry, LogEntry, PairingEntry
from wavewrap_sim.pairing_window import PASSKEYS, WINDOW_S, WrapPairing
from wavewrap_sim.scenario import Fade, Scenario
from wavewrap_sim.wrap import SimulatedWrap, WrapSettings

__all__ = ["Announcement", "Console", "SimulatorSettings", "serve"]

CRYSTAL_PPM = 50.0
"""Spread of the wraps' clocks: the tolerance of a common 32 kHz crystal over temperature. Choice within that."""

PLANT_SCATTER = 0.1
"""Spread of the wraps' plants around the reference. Choice: no two legs are alike."""

_FOR_EVER_S = 1e6

_START_S = 10.0
"""Longest wait for a controller to be set up. Choice: one that works takes a second."""

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
    bonds_path: Path | None = None
    """Where wraps that ask for pairing keep their bonds; ``None``: they forget them at the end."""
    window_s: float = WINDOW_S
    """How long a pairing window stays open."""
    dongles: Sequence[str] = ()
    """Controllers that put the wraps on the air, one each, in bumble's names; none: the virtual air, with HCI on ``port``."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """The simulator is ready: ``radio`` is what a gateway needs."""

    radio: str
    serials: Sequence[str]


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


class Console:
    """What a person at the wraps can do. Nothing happens before they are on the air."""

    def __init__(self) -> None:
        self.peripherals: Sequence[WrapPeripheral] = ()

    def press_pairing_buttons(self) -> None:
        """On every wrap."""
        for peripheral in self.peripherals:
            peripheral.press_pairing_button()

    def forget_bonds(self) -> None:
        """On every wrap."""
        for peripheral in self.peripherals:
            peripheral.forget_bonds()


async def serve(
    settings: SimulatorSettings,
    announce: Callable[[Announcement], None],
    show: Callable[[PairingEntry | LightEntry], None],
    stop: asyncio.Event,
    console: Console,
) -> None:
    """Run until ``stop``. ``show`` gets what is shown. Raises :class:`OSError` when port, log or bonds file cannot be had."""
    fastest_kernel()  # which may have to be compiled first, and no wrap's time runs meanwhile
    with nullcontext() if settings.log_path is None else settings.log_path.open("w", encoding="utf-8") as file:
        await _serve(settings, announce, show, stop, console, _LogFile(file))


def _pairing_of(
    index: int, serial: str, settings: SimulatorSettings, bonds: BondFile, tell: Callable[[LogEntry], None]
) -> WrapPairing | None:
    if settings.security is SecurityMode.OPEN:
        return None
    # A stream of its own: asking for passkeys leaves the wraps as they are.
    passkeys = Random(f"{settings.seed}/{index}/passkey")
    return WrapPairing(bonds.bonds_of(serial), partial(passkeys.randrange, 1, PASSKEYS), tell, settings.window_s)


async def _serve(
    settings: SimulatorSettings,
    announce: Callable[[Announcement], None],
    show: Callable[[PairingEntry | LightEntry], None],
    stop: asyncio.Event,
    console: Console,
    log: _LogFile,
) -> None:
    def tell(entry: LogEntry) -> None:
        log.write(entry)
        if isinstance(entry, PairingEntry | LightEntry):
            show(entry)

    loop = asyncio.get_running_loop()
    failed: asyncio.Future[None] = loop.create_future()
    loop.set_exception_handler(lambda _loop, context: _fail(failed, context))
    made = [_settings_of(index, side, settings) for index, side in enumerate(settings.sides)]
    bonds = BondFile(settings.bonds_path)
    pairings = [_pairing_of(index, one.serial, settings, bonds, tell) for index, one in enumerate(made)]
    async with _on_dongles(settings.dongles, failed) if settings.dongles else _on_virtual_air(settings) as (radio, places):
        peripherals: list[WrapPeripheral] = []
        for index, (wrap_settings, place) in enumerate(zip(made, places, strict=True)):
            wrap = SimulatedWrap(wrap_settings, loop.time(), tell)
            address = f"F0:57:52:{settings.seed % 256:02X}:00:{index + 1:02X}"
            peripheral = WrapPeripheral(wrap, place.host, address, loop.time, pairings[index], place.lose_links)
            peripherals.append(peripheral)
        await _run(peripherals, radio, settings, announce, stop, console, failed)


@dataclass(slots=True)
class _Place:
    """Where a wrap is on the air. ``lose_links`` is what its restart does to its links."""

    host: Host
    lose_links: Callable[[], None] | None = None


@asynccontextmanager
async def _on_virtual_air(settings: SimulatorSettings) -> AsyncIterator[tuple[str, list[_Place]]]:
    """An air of this process, with HCI for gateways on a port; and what a gateway gives as its radio."""
    air = Air(_cut_radio(settings.scenario, settings.faults), settings.seed)
    server = HciServer(air)
    port = await server.start(settings.host, settings.port)
    places: list[_Place] = []
    for index in range(len(settings.sides)):
        controller = AirController(f"wrap {index}", link=air, public_address=f"00:00:5E:00:52:{index + 1:02X}", wrap=index)
        places.append(_Place(host_on(controller), partial(air.fall_silent, controller)))
    try:
        yield f"bumble:tcp-client:{settings.host}:{port}", places
    finally:
        await server.close()


@asynccontextmanager
async def _on_dongles(specs: Sequence[str], failed: "asyncio.Future[None]") -> AsyncIterator[tuple[str, list[_Place]]]:
    """One controller a wrap. A wrap whose controller is gone ends the simulator."""

    def lose(sentence: str) -> None:
        if not failed.done():
            failed.set_exception(LocalError(sentence))

    async with AsyncExitStack() as stack:
        yield "platform", [_Place(await stack.enter_async_context(open_dongle(spec, lose))) for spec in specs]


async def _start(peripheral: WrapPeripheral) -> None:
    try:
        async with asyncio.timeout(_START_S):
            await peripheral.start()
    except (TimeoutError, BaseBumbleError, HCI_Error) as cause:
        detail = "no answer in time" if isinstance(cause, TimeoutError) else str(cause) or type(cause).__name__
        raise LocalError(f"{peripheral.serial} cannot go on the air: its controller says: {detail}: use one with Bluetooth LE") from cause


async def _run(
    peripherals: Sequence[WrapPeripheral],
    radio: str,
    settings: SimulatorSettings,
    announce: Callable[[Announcement], None],
    stop: asyncio.Event,
    console: Console,
    failed: "asyncio.Future[None]",
) -> None:
    loop = asyncio.get_running_loop()
    for peripheral in peripherals:
        await _start(peripheral)
    for reboot in settings.scenario.reboots:
        if reboot.wrap < len(peripherals):
            loop.call_later(reboot.at_s, peripherals[reboot.wrap].reboot)
    for doing in settings.faults:
        if isinstance(doing, PersonsDoing):
            for index, peripheral in enumerate(peripherals):
                if doing.strikes(index):
                    act = peripheral.press_pairing_button if doing.kind == "pairing_button" else peripheral.forget_bonds
                    loop.call_later(doing.at_s, act)
    console.peripherals = peripherals
    announce(Announcement(radio, [peripheral.serial for peripheral in peripherals]))
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
        for peripheral in peripherals:
            await peripheral.stop()


def _fail(failed: asyncio.Future[None], context: dict[str, Any]) -> None:
    """A simulator with an error in it stops: half a wrap is worse than none."""
    _log.error("%s: %r", context["message"], context.get("exception"))
    if not failed.done():
        failed.set_exception(RuntimeError(f"the simulator failed: {context['message']}"))
