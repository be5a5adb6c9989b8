"""A fault that a wrap has latched: which one it is, and the word of a person that it has been seen to."""

from wavewrap_gateway.core.advice import describe_fault
from wavewrap_gateway.runtime.exchange import require_ok
from wavewrap_gateway.runtime.wrap import Wrap
from wavewrap_protocol.commands import Acknowledge
from wavewrap_protocol.enums import Fault, Result
from wavewrap_protocol.errors import DeviceError

__all__ = ["acknowledge_fault", "ask_fault"]


async def ask_fault(wrap: Wrap) -> Fault | None:
    """The fault that ``wrap`` has latched, ``None`` without one.

    Raises :class:`wavewrap_protocol.errors.LinkError` or :class:`DeviceError`. To acknowledge none is refused with the name of the one that
    there is.
    """
    answer = await wrap.link.command(Acknowledge(Fault.NONE))
    if answer.result is Result.WRONG_STATE:
        return None
    if answer.result is Result.OUT_OF_RANGE and answer.detail in set(Fault):
        return Fault(answer.detail)
    raise DeviceError(f"{wrap.name} answered {answer.result.name} ({answer.detail}) when asked for its fault: update the gateway")


async def acknowledge_fault(wrap: Wrap, fault: Fault) -> None:
    """Tell ``wrap`` that a person has seen to ``fault``. Raises :class:`DeviceError` when it still finds its cause, or is not vented."""
    answer = await wrap.link.command(Acknowledge(fault))
    if answer.result is Result.FAULT_PRESENT:
        raise DeviceError(f"{wrap.name} still finds {describe_fault(fault)}")
    require_ok(answer, wrap.name)
