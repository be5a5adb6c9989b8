"""Simulated wraps on a timed air of their own, and what a person, a room and a stranger's telephone do to them: the far side of a link rig.

In the process of the gateway (:mod:`tests.support.link_rig`) or in one of its own (:mod:`tests.support.station_process`).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from tests.support.central import open_central
from tests.support.rig_truth import Truth, WrapAddress
from wavewrap_board.files import REFERENCE_BOARD, load_board
from wavewrap_protocol.payloads import Side
from wavewrap_sim.air import Air, AirController
from wavewrap_sim.bonds import BondFile
from wavewrap_sim.gatt import WrapPeripheral
from wavewrap_sim.hci_pipe import host_on
from wavewrap_sim.log import LogEntry, PairingEntry, StateEntry, StepEntry
from wavewrap_sim.pairing_window import PASSKEYS, WrapPairing
from wavewrap_sim.scenario import Scenario
from wavewrap_sim.wrap import SimulatedWrap, WrapSettings

__all__ = ["SCENARIO", "WrapStation"]

SCENARIO = Scenario(name="rig", interval_ms=15.0)
"""Connection events, supervision timeouts, back-pressure; no loss but what a case asks for."""

SUBSTEP_S = 0.01
"""Of the plant: one a control period. Coarse, and enough for what the gateway sees of it."""

CRYSTAL_PPM = (37.0, -42.0)
VENTED_MMHG = 5.5
"""5 mmHg, and the error that a wrap's sensors may have."""


@dataclass(frozen=True, slots=True)
class _Station:
    wrap: SimulatedWrap
    controller: AirController
    peripheral: WrapPeripheral
    log: list[LogEntry]


class WrapStation:
    """``folder`` takes the wraps' bonds, which outlive :meth:`restart` and end with :meth:`begin`."""

    def __init__(self, air: Air, folder: Path) -> None:
        self.air = air
        self._folder = folder
        self._stations: list[_Station] = []

    async def begin(self, count: int, paired: bool = False) -> list[WrapAddress]:
        """``count`` new wraps in the place of those that were, known to nobody; ``paired``: to those who knew them."""
        await self.end()
        path = self._folder / "bonds.json"
        if not paired:
            path.unlink(missing_ok=True)
        self._stations = [await self._switch_on(index, BondFile(path)) for index in range(count)]
        return [WrapAddress(self._address(index), station.wrap.settings.serial) for index, station in enumerate(self._stations)]

    async def end(self) -> None:
        """All wraps are gone."""
        stations, self._stations = self._stations, []
        for station in stations:
            await self._switch_off(station)

    def controller(self, wrap: int) -> AirController:
        """The radio of one."""
        return self._stations[wrap].controller

    def _address(self, index: int) -> str:
        return f"F0:57:52:00:00:{index + 1:02X}"

    async def _switch_on(self, index: int, bonds: BondFile) -> _Station:
        clock = asyncio.get_running_loop().time
        log: list[LogEntry] = []
        settings = WrapSettings(
            serial=f"VIRTUAL-{index + 1}",
            side=(Side.LEFT, Side.RIGHT)[index % 2],
            board=load_board(REFERENCE_BOARD),
            seed=index,
            clock_ppm=CRYSTAL_PPM[index % 2],
            start_tick=index * 1_234_567,
            plant_substep_s=SUBSTEP_S,
        )
        wrap = SimulatedWrap(settings, clock(), log.append)
        controller = AirController(f"wrap {index + 1}", link=self.air, public_address=f"00:00:5E:00:52:{index + 1:02X}", wrap=index)
        passkeys = partial(Random(f"{clock()}/{index}").randrange, 1, PASSKEYS)
        pairing = WrapPairing(bonds.bonds_of(settings.serial), passkeys, log.append)
        lose_links = partial(self.air.fall_silent, controller)
        peripheral = WrapPeripheral(wrap, host_on(controller), self._address(index), clock, pairing, lose_links)
        await peripheral.start()
        return _Station(wrap, controller, peripheral, log)

    async def _switch_off(self, station: _Station) -> None:
        await station.peripheral.stop()
        self.air.leave(station.controller)

    async def press_pairing_button(self, wrap: int) -> int:
        """The passkey on the display."""
        peripheral = self._stations[wrap].peripheral
        peripheral.press_pairing_button()
        assert peripheral.passkey is not None
        return peripheral.passkey

    async def forget_bonds(self, wrap: int) -> None:
        """As from the factory."""
        self._stations[wrap].peripheral.forget_bonds()
        await asyncio.sleep(0.5)

    async def restart(self, wrap: int) -> None:
        """Off and on: a new device in all but its bonds and its air."""
        await self._switch_off(self._stations[wrap])
        await asyncio.sleep(0.5)
        self._stations[wrap] = await self._switch_on(wrap, BondFile(self._folder / "bonds.json"))

    async def reboot(self, wrap: int) -> None:
        """Power off and on in an instant; what was in the chambers is in them still."""
        station = self._stations[wrap]
        station.peripheral.reboot()
        self.air.fall_silent(station.controller)

    async def fade(self, wrap: int, for_s: float) -> None:
        """Out of reach from now on for so long; returns at once."""
        self.air.fade(wrap, for_s)

    async def steal(self, wrap: int, for_s: float) -> None:
        """A stranger's central takes the wrap as soon as it is free, keeps it for ``for_s`` and lets it go; returns then."""
        while not await self._steal(wrap, for_s):
            pass

    async def _steal(self, wrap: int, for_s: float) -> bool:
        """False when somebody else was quicker: to bumble's central a connect request that nobody took looks like a link."""
        async with open_central(self.air, 99) as thief:
            connection = await thief.connect(self._address(wrap), 60.0)
            await asyncio.sleep(0.2)
            if thief.device.random_address not in self.controller(wrap).le_connections:
                return False
            await asyncio.sleep(for_s)
            await connection.disconnect()
            return True

    async def truth(self, wrap: int) -> Truth:
        """What the wrap truly did since it was switched on."""
        station = self._stations[wrap]
        steps = [entry.outcome for entry in station.log if isinstance(entry, StepEntry)]
        return Truth(
            now_s=asyncio.get_running_loop().time(),
            states=[(entry.host_s, entry.state, entry.cause) for entry in station.log if isinstance(entry, StateEntry)],
            outcomes={outcome: steps.count(outcome) for outcome in sorted(set(steps))},
            pairings=[entry.event for entry in station.log if isinstance(entry, PairingEntry)],
            vented=max(station.wrap.pressure_mmhg) < VENTED_MMHG,
            holding=max(station.wrap.pressure_mmhg) > 30.0,
        )

    async def call(self, name: str, arguments: Sequence[Any]) -> Any:
        """One of the above by name, with what it returns as JSON takes it. Raises :class:`KeyError` for another."""
        doings = {
            "begin": self.begin,
            "end": self.end,
            "press_pairing_button": self.press_pairing_button,
            "forget_bonds": self.forget_bonds,
            "restart": self.restart,
            "reboot": self.reboot,
            "fade": self.fade,
            "steal": self.steal,
            "truth": self.truth,
        }
        doing: Any = doings[name]
        made = await doing(*arguments)
        if isinstance(made, list):
            return [asdict(one) for one in made]
        return asdict(made) if isinstance(made, Truth) else made
