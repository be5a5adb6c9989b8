"""When a wrap pairs: while the window is open that a person opened with its button, with the passkey that it shows meanwhile.

Not responsible for the pairing itself (:mod:`wavewrap_sim.gatt_security`).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from wavewrap_sim.bonds import WrapBonds
from wavewrap_sim.log import LogEntry

__all__ = ["PASSKEYS", "WINDOW_S", "PairingWindow", "WrapPairing"]

WINDOW_S = 60.0
"""Choice: enough to walk to a laptop, too short to be forgotten open."""

ATTEMPTS_MAX = 3
"""A failed attempt lets the other side learn bits of the passkey, which stays the same while the window is open. Choice: typing errors."""

PASSKEYS = 1_000_000
"""A passkey has six digits (Bluetooth Core, Vol 3 Part H 2.3.5.1)."""


@dataclass(frozen=True, slots=True)
class WrapPairing:
    """What a wrap needs to pair: its bonds, where passkeys come from, how long the window stays open, and who is told."""

    bonds: WrapBonds
    draw_passkey: Callable[[], int]
    """1 to 999999: bumble takes no 000000."""
    tell: Callable[[LogEntry], None]
    window_s: float = WINDOW_S


class PairingWindow:
    """The window of one wrap; ``changed`` is called when it has opened or closed."""

    def __init__(self, draw_passkey: Callable[[], int], open_s: float, changed: Callable[[], None]) -> None:
        self._draw_passkey = draw_passkey
        self._open_s = open_s
        self._changed = changed
        self._closing: asyncio.TimerHandle | None = None
        self._failures = 0
        self.passkey: int | None = None
        """On the display; ``None`` while the window is closed."""

    def open(self) -> None:
        """The button was pressed: a new passkey, and the whole time again."""
        self._stop_timer()
        self.passkey = self._draw_passkey()
        self._failures = 0
        self._closing = asyncio.get_running_loop().call_later(self._open_s, self.close)
        self._changed()

    def close(self) -> None:
        """The time is over, a gateway has paired, or too many have tried."""
        self._stop_timer()
        if self.passkey is not None:
            self.passkey = None
            self._changed()

    def fail(self) -> None:
        """An attempt has failed."""
        self._failures += 1
        if self._failures >= ATTEMPTS_MAX:
            self.close()

    def _stop_timer(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
