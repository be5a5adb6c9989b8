"""One timerfd for a whole event loop: absolute deadlines on CLOCK_MONOTONIC, to the microsecond where epoll's time-out rounds to 1 ms.

Linux only. Not responsible for how soon the thread runs once the timer fired (:mod:`wavewrap_gateway.adapters.pacing`).
"""

import asyncio
import ctypes
import heapq
import itertools
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

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


def _create() -> int:
    """A new descriptor. Raises :class:`OSError`."""
    if sys.version_info >= (3, 13):
        return os.timerfd_create(time.CLOCK_MONOTONIC, flags=os.TFD_NONBLOCK | os.TFD_CLOEXEC)
    # TFD_NONBLOCK and TFD_CLOEXEC are O_NONBLOCK and O_CLOEXEC (linux/timerfd.h).
    return _checked(_libc().timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC))


def _make_arm(descriptor: int) -> Callable[[int], None]:
    """A call that lets ``descriptor`` fire once at a time in ns, at once when that has passed. It raises :class:`OSError`."""
    if sys.version_info >= (3, 13):
        return lambda deadline_ns: os.timerfd_settime_ns(descriptor, flags=os.TFD_TIMER_ABSTIME, initial=deadline_ns)
    settime = _libc().timerfd_settime  # looked up once: that alone takes microseconds

    def arm(deadline_ns: int) -> None:
        spec = _TimerSpec(it_value=_TimeSpec(*divmod(deadline_ns, _NS_PER_S)))
        _checked(settime(descriptor, _TFD_TIMER_ABSTIME, ctypes.byref(spec), None))

    return arm


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


class TimerfdTimer:
    """Any number of sleepers on one ``descriptor``, armed for the earliest of them. Made by :func:`open_timerfd`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, descriptor: int) -> None:
        self._loop = loop
        self._descriptor = descriptor
        self._arm = _make_arm(descriptor)
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
        if self._sleepers:
            # Rounded up: never early. At least 1, for 0 would disarm.
            self._arm(max(1, math.ceil(self._sleepers[0][0] * _NS_PER_S)))

    def on_fired(self) -> None:
        """Wake whoever is due. The loop calls this when the descriptor is readable."""
        with suppress(BlockingIOError):  # armed anew since it fired
            os.read(self._descriptor, 8)
        now_s = self._loop.time()
        while self._sleepers and self._sleepers[0][0] <= now_s:
            _, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
        self._arm_for_first()


@contextmanager
def open_timerfd(loop: asyncio.AbstractEventLoop) -> Iterator[TimerfdTimer]:
    """A timer on ``loop``, whose clock must be CLOCK_MONOTONIC; nobody may sleep on it any more at the end. Raises :class:`OSError`."""
    descriptor = _create()
    try:
        timer = TimerfdTimer(loop, descriptor)
        loop.add_reader(descriptor, timer.on_fired)
        try:
            yield timer
        finally:
            loop.remove_reader(descriptor)
    finally:
        os.close(descriptor)
