"""Keeps whoever supervises the process informed: ready, what it does, stopping; and pings that only a loop which turns can send.

A stalled loop sends none, so that it is killed, and then the leases vent the wraps. Not responsible for how the words travel (an adapter).
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from wavewrap_protocol.limits import LEASE_DEFAULT_MS

__all__ = ["LATE_MAX_S", "ServiceManager", "Supervision", "supervised"]

PINGS = 3
"""In each period of the watchdog. Choice: one may be held back or late without the process being killed for it."""

LATE_MAX_S = LEASE_DEFAULT_MS / 2000.0
"""A loop that wakes later than this does not ping. Choice: half a lease; twice as late, and the wraps have vented without us."""

RECHECK_S = 1.0
"""After such a wake-up the loop has to wake in time once more before it pings. Choice: the period of the lease's renewals."""

STATUS_S = 5.0
"""How often the status is looked at where there is no watchdog."""

_log = logging.getLogger(__name__)


class ServiceManager(Protocol):
    """What the runtime asks of a supervisor, such as systemd. Nothing here ever raises or blocks."""

    @property
    def watchdog_s(self) -> float | None:
        """It kills the process when it hears no ping for so long; ``None`` where it does not watch."""

    def ready(self) -> None:
        """The service has started."""

    def ping(self) -> None:
        """The loop turns."""

    def say(self, status: str) -> None:
        """One line for a person."""

    def stopping(self) -> None:
        """The service has begun to end."""


class Supervision:
    """Made by :func:`supervised`. ``clock`` is the loop's."""

    def __init__(self, manager: ServiceManager, clock: Callable[[], float]) -> None:
        self._manager = manager
        self._clock = clock
        self._pinging: asyncio.Task[None] | None = None
        self._stopping = False
        self._said = ""

    def say(self, status: str) -> None:
        """Tell ``status`` unless it is what was told last."""
        if status != self._said:
            self._said = status
            self._manager.say(status)

    def begin(self, status: Callable[[], str]) -> None:
        """Say that all is ready, and from now on that the loop turns and what ``status`` says."""
        self._manager.ready()
        self._pinging = asyncio.create_task(self._keep_pinging(status), name="supervision")

    def end(self, status: str) -> None:
        """Say, once, that the service ends; the pings go on until it has."""
        if not self._stopping:
            self._stopping = True
            self._manager.stopping()
            self.say(status)

    async def close(self) -> None:
        """No more pings."""
        if self._pinging is not None:
            self._pinging.cancel()
            await asyncio.gather(self._pinging, return_exceptions=True)

    async def _keep_pinging(self, status: Callable[[], str]) -> None:
        watchdog_s = self._manager.watchdog_s
        period_s = STATUS_S if watchdog_s is None else watchdog_s / PINGS
        deadline_s = self._clock()
        while True:
            late_s = self._clock() - deadline_s
            wait_s = period_s
            if late_s > LATE_MAX_S:
                _log.warning("the event loop woke %.1f s late: no ping to the watchdog until it wakes in time", late_s)
                wait_s = min(period_s, RECHECK_S)
            elif watchdog_s is not None:
                self._manager.ping()
            if not self._stopping:
                self.say(status())
            deadline_s = self._clock() + wait_s
            await asyncio.sleep(wait_s)


@asynccontextmanager
async def supervised(manager: ServiceManager, clock: Callable[[], float]) -> AsyncIterator[Supervision]:
    """A supervision that pings, once begun, until the context ends."""
    supervision = Supervision(manager, clock)
    try:
        yield supervision
    finally:
        await supervision.close()
