"""One timerfd for a whole event loop: absolute deadlines on CLOCK_MONOTONIC, to the microsecond where epoll's time-out rounds to 1 ms.

Linux only. Not responsible for how soon the thread runs once the timer fired (:mod:`wavewrap_gateway.adapters.pacing`).
"""

import asyncio
import ctypes
import heapq
import itertools
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["TimerfdTimer", "open_timerfd"]

_NS_PER_S = 1_000_000_000
_TFD_TIMER_ABSTIME = 1
"""linux/timerfd.h"""


class _TimeSpec(ctypes.Structure):
    """``struct timespec`` as the plain symbols of the C library take it: two longs, on 32-bit systems too."""

    _fields_ = (("tv_sec", ctypes.c_long), ("tv_nsec", ctypes.c_long))


class _TimerSpec(ctypes.Structure):
    """``struct itimerspec``."""

    _fields_ = (("it_interval", _TimeSpec), ("it_value", _TimeSpec))


class _Timerfd:
    """One descriptor. The calls keep the interpreter's lock, for they never block: to give it up is to wait for the thread that takes it,
    tens of ms beside one that is busy. ``os.timerfd_*`` of Python 3.13 gives it up.
    """

    def __init__(self) -> None:
        self._library = ctypes.PyDLL(None, use_errno=True)
        self._set_time = self._library.timerfd_settime
        self._spec = _TimerSpec()
        self._spec_at = ctypes.byref(self._spec)
        self.descriptor = -1

    def open(self) -> None:
        """Raises :class:`OSError`."""
        # TFD_NONBLOCK and TFD_CLOEXEC are O_NONBLOCK and O_CLOEXEC (linux/timerfd.h).
        self.descriptor = self._library.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self.descriptor < 0:
            raise _last_error()

    def arm(self, deadline_ns: int) -> None:
        """Be readable from ``deadline_ns`` on, and not before even if it is now; 0: never. Raises :class:`OSError`."""
        value = self._spec.it_value
        value.tv_sec, value.tv_nsec = divmod(deadline_ns, _NS_PER_S)
        if self._set_time(self.descriptor, _TFD_TIMER_ABSTIME, self._spec_at, None) < 0:
            raise _last_error()


def _last_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


class TimerfdTimer:
    """Any number of sleepers on one ``timerfd``, armed for the earliest of them. Made by :func:`open_timerfd`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, timerfd: _Timerfd) -> None:
        self._loop = loop
        self._timerfd = timerfd
        self._numbers = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    async def sleep_until(self, deadline_s: float) -> None:
        """Return at ``deadline_s`` of the loop's clock, seconds, never before; when it has passed, after giving others their turn."""
        if deadline_s <= self._loop.time():
            await asyncio.sleep(0)
            return
        sleeper = (deadline_s, next(self._numbers), self._loop.create_future())
        heapq.heappush(self._sleepers, sleeper)
        if self._sleepers[0] is sleeper:
            self._arm_for_first()
        try:
            await sleeper[2]
        finally:
            if sleeper in self._sleepers:  # cancelled
                self._sleepers.remove(sleeper)
                heapq.heapify(self._sleepers)

    def _arm_for_first(self) -> None:
        # Rounded up: never early.
        self._timerfd.arm(math.ceil(self._sleepers[0][0] * _NS_PER_S) if self._sleepers else 0)

    def on_fired(self) -> None:
        """Wake whoever is due. The loop calls this when the descriptor is readable."""
        now_s = self._loop.time()
        while self._sleepers and self._sleepers[0][0] <= now_s:
            _, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
        self._arm_for_first()  # also what makes the descriptor unreadable again: a read would give up the interpreter's lock


@contextmanager
def open_timerfd(loop: asyncio.AbstractEventLoop) -> Iterator[TimerfdTimer]:
    """A timer on ``loop``, whose clock must be CLOCK_MONOTONIC; nobody may sleep on it any more at the end. Raises :class:`OSError`."""
    timerfd = _Timerfd()
    timerfd.open()
    try:
        timer = TimerfdTimer(loop, timerfd)
        loop.add_reader(timerfd.descriptor, timer.on_fired)
        try:
            yield timer
        finally:
            loop.remove_reader(timerfd.descriptor)
    finally:
        os.close(timerfd.descriptor)
