"""Simulated wraps and the gateway's production radio on one air in one process, for the virtual-time loop.

Between them stand the real bleak API, the bumble hosts and the bumble controllers; only the socket is replaced by a pipe.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from bumble.transport.common import Transport

from tests.support.virtual_air import CuttableAir
from wavewrap_board.files import REFERENCE_BOARD, load_board
from wavewrap_gateway.adapters.ble import over_bumble
from wavewrap_gateway.adapters.bumble_keys import BumbleKeys
from wavewrap_gateway.adapters.bumble_radio import BumbleRadio
from wavewrap_gateway.runtime.roster import find_wraps, linked
from wavewrap_gateway.runtime.wrap import Wrap
from wavewrap_protocol.payloads import Side
from wavewrap_sim.air import Air, AirController
from wavewrap_sim.bonds import BondFile
from wavewrap_sim.gatt import WrapPeripheral
from wavewrap_sim.hci_pipe import PipeSource, host_on, open_pipe
from wavewrap_sim.log import FaultEntry, LogEntry, PressureEntry, StateEntry, StepEntry
from wavewrap_sim.pairing_window import PASSKEYS, WrapPairing
from wavewrap_sim.wrap import SimulatedWrap, WrapSettings

__all__ = ["GatewayRadio", "MakeWrap", "Station", "VirtualWraps", "make_station", "on_the_air", "open_gateway_radio", "run_wraps", "until"]

MakeWrap = Callable[[WrapSettings, float, Callable[[LogEntry], None]], SimulatedWrap]

BOARD = load_board(REFERENCE_BOARD)

SUBSTEP_S = 0.01
"""Of the plant: one a control period. Coarse, and enough for what the gateway sees of it."""

CRYSTAL_PPM = (37.0, -42.0)
"""In turn: two wraps that drift apart."""


async def until(condition: Callable[[], bool]) -> None:
    """Look every millisecond, for a minute at most."""
    async with asyncio.timeout(60.0):
        while not condition():  # noqa: ASYNC110  # what a test waits for has no event of its own
            await asyncio.sleep(0.001)


@dataclass(frozen=True, slots=True)
class Station:
    """One wrap on the air and what it truly did."""

    air: CuttableAir
    wrap: SimulatedWrap
    controller: AirController
    peripheral: WrapPeripheral
    address: str
    log: list[LogEntry]

    def cut(self) -> None:
        """Out of reach of everybody."""
        self.air.cut(self.controller)

    def restore(self) -> None:
        """In reach again."""
        self.air.restore(self.controller)

    async def cut_for(self, seconds: float) -> None:
        """Out of reach for so long."""
        self.cut()
        await asyncio.sleep(seconds)
        self.restore()

    def reboot(self) -> None:
        """Power off and on: its links die with it."""
        self.cut()
        self.wrap.reboot(asyncio.get_running_loop().time())
        self.restore()

    def steps(self) -> list[StepEntry]:
        """Steps dealt with, in order."""
        return [entry for entry in self.log if isinstance(entry, StepEntry)]

    def states(self) -> list[StateEntry]:
        """State changes, in order."""
        return [entry for entry in self.log if isinstance(entry, StateEntry)]

    def faults(self) -> list[FaultEntry]:
        """Faults found, in order."""
        return [entry for entry in self.log if isinstance(entry, FaultEntry)]

    def pressures(self) -> list[PressureEntry]:
        """True pressures every 100 ms."""
        return [entry for entry in self.log if isinstance(entry, PressureEntry)]

    @property
    def is_vented(self) -> bool:
        """Truly, not by anybody's word: under 5 mmHg, and the error that its sensors may have."""
        return max(self.wrap.pressure_mmhg) < 5.0 + 0.5


class GatewayRadio:
    """A gateway's radio: the production adapters on a controller of ``air`` that can be pulled out and plugged in."""

    def __init__(self, air: Air, keys: Path | None, number: int) -> None:
        self._air = air
        self._number = number
        self._pipe: Transport | None = None
        self._controller: AirController | None = None
        self.host = BumbleRadio("pipe", self._hand_over, BumbleKeys(keys, "pipe"))
        self.radio = over_bumble(self.host)

    async def _hand_over(self, _spec: str) -> Transport:
        if self._pipe is None:
            raise FileNotFoundError("nothing is plugged in")
        return self._pipe

    @property
    def controller(self) -> AirController:
        """What is plugged in."""
        assert self._controller is not None
        return self._controller

    @property
    def source(self) -> PipeSource:
        """The pipe from it."""
        assert self._pipe is not None
        assert isinstance(self._pipe.source, PipeSource)
        return self._pipe.source

    def plug_in(self) -> None:
        """A new controller."""
        assert self._controller is None
        number = self._number
        self._controller = AirController(f"gateway {number}", link=self._air, public_address=f"00:00:5E:00:53:{number:02X}")
        self._pipe = open_pipe(self._controller)

    def pull_out(self) -> None:
        """Gone with its links, at once."""
        self.source.on_transport_lost()
        self._air.leave(self.controller)
        self._pipe = self._controller = None

    async def linked(self) -> None:
        """Return as soon as a link is made, before anything has crossed it."""
        await until(lambda: bool(self.controller.le_connections))


@dataclass(frozen=True, slots=True)
class VirtualWraps:
    """Wraps whose links are up."""

    air: CuttableAir
    stations: Sequence[Station]
    gateway: GatewayRadio
    wraps: Sequence[Wrap]

    def station_of(self, wrap: Wrap) -> Station:
        """The device behind ``wrap``."""
        assert wrap.link.identity is not None
        serial = wrap.link.identity.serial
        return next(station for station in self.stations if station.wrap.settings.serial == serial)


def make_station(
    air: CuttableAir,
    index: int,
    *,
    chambers: int = 4,
    make_wrap: MakeWrap = SimulatedWrap,
    bonds: BondFile | None = None,
) -> Station:
    """Wrap ``index`` on ``air``, not advertising yet. With ``bonds`` it asks for pairing."""
    clock = asyncio.get_running_loop().time
    log: list[LogEntry] = []
    settings = WrapSettings(
        serial=f"VIRTUAL-{index + 1}",
        side=(Side.LEFT, Side.RIGHT)[index % 2],
        board=BOARD.with_chambers(chambers),
        seed=index,
        clock_ppm=CRYSTAL_PPM[index % 2],
        start_tick=index * 1_234_567,
        plant_substep_s=SUBSTEP_S,
    )
    wrap = make_wrap(settings, clock(), log.append)
    address = f"F0:57:52:00:00:{index + 1:02X}"
    controller = AirController(f"wrap {index + 1}", link=air, public_address=f"00:00:5E:00:52:{index + 1:02X}")
    pairing = None
    if bonds is not None:
        pairing = WrapPairing(bonds.bonds_of(settings.serial), partial(Random(f"{clock()}/{index}").randrange, 1, PASSKEYS), log.append)
    peripheral = WrapPeripheral(wrap, host_on(controller), address, clock, pairing, partial(_lose_links, air, controller))
    return Station(air, wrap, controller, peripheral, address, log)


@asynccontextmanager
async def on_the_air(
    count: int,
    *,
    chambers: int = 4,
    make_wrap: MakeWrap = SimulatedWrap,
) -> AsyncIterator[tuple[CuttableAir, list[Station]]]:
    """``count`` wraps, left and right in turn, advertising on an air of their own."""
    air = CuttableAir()
    stations = [make_station(air, index, chambers=chambers, make_wrap=make_wrap) for index in range(count)]
    async with AsyncExitStack() as stack:
        for station in stations:
            await station.peripheral.start()
            stack.push_async_callback(station.peripheral.stop)
        yield air, stations


def _lose_links(air: CuttableAir, controller: AirController) -> None:
    """Its wrap has started again."""
    air.cut(controller)
    air.restore(controller)


@asynccontextmanager
async def open_gateway_radio(air: Air, keys: Path | None = None, number: int = 1) -> AsyncIterator[GatewayRadio]:
    """The radio of gateway ``number`` on ``air``, with its bonds in the file ``keys``."""
    gateway = GatewayRadio(air, keys, number)
    gateway.plug_in()
    await gateway.host.open()
    try:
        yield gateway
    finally:
        await gateway.radio.close()
        air.leave(gateway.controller)
        # The wraps see the loss and advertise again; a host switched off in the middle of that complains.
        await asyncio.sleep(0.1)


@asynccontextmanager
async def run_wraps(
    count: int,
    *,
    chambers: int = 4,
    make_wrap: MakeWrap = SimulatedWrap,
    seed: int = 1,
) -> AsyncIterator[VirtualWraps]:
    """``count`` wraps found and linked as the gateway does it."""
    rng = Random(seed)
    clock = asyncio.get_running_loop().time
    async with (
        on_the_air(count, chambers=chambers, make_wrap=make_wrap) as (air, stations),
        open_gateway_radio(air) as gateway,
    ):
        wraps = [Wrap(gateway.radio, sighting, clock, Random(rng.random())) for sighting in await find_wraps(gateway.radio, count)]
        async with linked(wraps):
            yield VirtualWraps(air, stations, gateway, wraps)
