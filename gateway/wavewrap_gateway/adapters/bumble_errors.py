"""bumble's errors as bleak's, and its requests as ones that may be abandoned."""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from bleak.exc import BleakError, BleakGATTProtocolError
from bumble import core, hci
from bumble.att import ATT_Error

__all__ = ["ControllerGoneError", "KeyRefusedError", "SmpError", "as_bleak_errors", "to_its_end"]

T = TypeVar("T")


class ControllerGoneError(BleakError):
    """The transport has ended, and with it every link."""


class KeyRefusedError(BleakError):
    """The peer has no key for us, or another one than ours."""


class SmpError(BleakError):
    """A pairing failed with this ``code`` of the Security Manager (Bluetooth Core, Vol 3 Part H 3.5.5)."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@contextmanager
def as_bleak_errors() -> Iterator[None]:
    """Raise bumble's errors as bleak's."""
    try:
        yield
    except ATT_Error as cause:
        raise BleakGATTProtocolError(int(cause.error_code)) from cause
    except (core.TimeoutError, core.CommandTimeoutError) as cause:
        raise TimeoutError(str(cause) or "the controller did not answer in time") from cause
    except core.ProtocolError as cause:
        if cause.error_namespace == "smp":
            raise SmpError(cause.error_code or 0, cause.error_name) from cause
        if cause.error_namespace == "hci" and cause.error_code == hci.HCI_ErrorCode.PIN_OR_KEY_MISSING_ERROR:
            raise KeyRefusedError("the peer has no key for this link") from cause
        raise BleakError(str(cause) or type(cause).__name__) from cause
    except core.BaseBumbleError as cause:
        raise BleakError(str(cause) or type(cause).__name__) from cause
    except asyncio.CancelledError as cause:
        # bumble cancels the pending future when the link goes; a cancellation that was meant for us must pass.
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise BleakError("the link was lost during the operation") from cause


def to_its_end(work: Awaitable[T]) -> Awaitable[T]:
    """``work``, which goes on when its caller is cancelled.

    bumble cannot bear to have a request cancelled whose answer is on its way: the answer raises inside its transport, or is taken for the
    next request's.
    """
    running = asyncio.ensure_future(work)
    # Nobody may be left to hear how it ended.
    running.add_done_callback(lambda done: done.cancelled() or done.exception())
    return asyncio.shield(running)
