"""The best that this machine grants for waking up on time: a timerfd, no timer slack, a real-time scheduling class, short collections.

Each is tried, none is required: the device keeps the time, lateness here only eats guard. Not responsible for other threads of the process,
which can still hold the interpreter's lock.
"""

import asyncio
import ctypes
import gc
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal

from wavewrap_gateway.adapters.timerfd import open_timerfd
from wavewrap_gateway.runtime.ticker import LoopTimer, Timer
from wavewrap_protocol.payloads import Pacing

__all__ = ["Pacer", "open_pacer"]

SLACK_NS = 1
"""The least that PR_SET_TIMERSLACK takes (0 means the default, 50,000)."""

PRIORITY = 1
"""The lowest real-time priority: above every shared thread, below the kernel's own. Choice: no need to win against other real-time work."""

SAME_CLOCK_S = 1.0
"""A loop whose time differs by more from CLOCK_MONOTONIC has a clock of its own, as in a test with virtual time."""

_PR_SET_TIMERSLACK, _PR_GET_TIMERSLACK = 29, 30
"""linux/prctl.h"""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pacer:
    """A timer, and what it can rely on."""

    timer: Timer
    granted: Pacing


@contextmanager
def open_pacer(loop: asyncio.AbstractEventLoop) -> Iterator[Pacer]:
    """Take what is granted for ``loop`` and its thread, which must be the calling one; give it back at the end. Never refused."""
    with _short_collections():
        if sys.platform == "linux" and abs(loop.time() - time.monotonic()) < SAME_CLOCK_S:
            with _take(loop) as pacer:
                yield pacer
        else:
            yield Pacer(LoopTimer(), Pacing(timer="loop", slack_ns=None, policy="other"))


@contextmanager
def _short_collections() -> Iterator[None]:
    """What was there before is left out of garbage collections: the modules of a gateway alone make a full one 64 ms long."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


if sys.platform == "linux":

    @contextmanager
    def _take(loop: asyncio.AbstractEventLoop) -> Iterator[Pacer]:
        with ExitStack() as stack:
            timer: Timer = LoopTimer()
            named: Literal["timerfd", "loop"] = "loop"
            try:
                timer = stack.enter_context(open_timerfd(loop))
                named = "timerfd"
            except OSError as refused:
                _log.info("no timerfd (%s): the loop's own timer", refused)
            # In this order: Linux gives a thread that leaves a real-time class its default slack, so the slack is restored last.
            stack.enter_context(_least_slack())
            stack.enter_context(_real_time())
            yield Pacer(timer, Pacing(timer=named, slack_ns=_read_slack_ns(), policy=_read_policy()))

    @contextmanager
    def _least_slack() -> Iterator[None]:
        """How far the kernel may put off the time-outs of this thread, those of the loop among them; the timerfd itself has none."""
        before_ns = _read_slack_ns()
        _prctl(_PR_SET_TIMERSLACK, SLACK_NS)
        try:
            yield
        finally:
            if before_ns:
                _prctl(_PR_SET_TIMERSLACK, before_ns)

    def _read_slack_ns() -> int | None:
        """Of this thread; newer kernels say 0 for one in a real-time class. ``None`` where it cannot be asked."""
        slack_ns = _prctl(_PR_GET_TIMERSLACK, 0)
        return slack_ns if slack_ns >= 0 else None

    def _prctl(option: int, argument: int) -> int:
        """The C library's, which the standard library does not have; -1 when refused."""
        call = ctypes.CDLL(None).prctl
        call.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong)
        return int(call(option, argument, 0, 0, 0))

    @contextmanager
    def _real_time() -> Iterator[None]:
        """SCHED_FIFO for this thread alone: what it starts is in the shared class again. One that is real-time already is left alone."""
        before = _enter_real_time()
        try:
            yield
        finally:
            if before is not None:
                _leave_real_time(*before)

    def _enter_real_time() -> tuple[int, os.sched_param] | None:
        """What to go back to; ``None`` when nothing was changed."""
        try:
            before = os.sched_getscheduler(0), os.sched_getparam(0)
            if _policy_word(before[0]) != "other":
                return None
            os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(PRIORITY))
        except OSError as refused:
            _log.info("no real-time class (%s): grant CAP_SYS_NICE or an RLIMIT_RTPRIO of %d", refused, PRIORITY)
            return None
        return before

    def _leave_real_time(before: int, parameter: os.sched_param) -> None:
        try:
            os.sched_setscheduler(0, before, parameter)
        except PermissionError:
            # Without CAP_SYS_NICE the reset-on-fork flag stays once it is set (sched(7)); in a shared class it does nothing.
            os.sched_setscheduler(0, before | os.SCHED_RESET_ON_FORK, parameter)

    def _read_policy() -> Literal["fifo", "rr", "other"]:
        try:
            return _policy_word(os.sched_getscheduler(0))
        except OSError:  # musl has the call and always refuses it
            return "other"

    def _policy_word(policy: int) -> Literal["fifo", "rr", "other"]:
        words: dict[int, Literal["fifo", "rr"]] = {os.SCHED_FIFO: "fifo", os.SCHED_RR: "rr"}
        return words.get(policy & ~os.SCHED_RESET_ON_FORK, "other")
