"""Request and answer over one connection: every command is answered, times out, or fails with the link."""

import asyncio

from wavewrap_gateway.core.advice import describe_fault
from wavewrap_gateway.runtime.ports import Connection
from wavewrap_protocol import uuids
from wavewrap_protocol.commands import Command, ControlWrite, Plan
from wavewrap_protocol.enums import Fault, Result
from wavewrap_protocol.errors import DeviceError, LinkError
from wavewrap_protocol.reports import Answer

__all__ = ["ANSWER_S", "Exchange", "require_ok"]

ANSWER_S = 3.0
"""Longest wait for an answer. Choice: under the lease, so that a lost renewal is noticed while it can still be repeated."""


class Exchange:
    """Matches answers to commands by ``cmd_id``."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._waiting: dict[int, asyncio.Future[Answer]] = {}

    async def command(self, cmd_id: int, command: Command) -> Answer:
        """Write ``command`` and wait for its answer. Raises :class:`LinkError`."""
        return await self._ask(cmd_id, uuids.CONTROL, ControlWrite(cmd_id, command).encode(), type(command).__name__)

    async def plan(self, plan: Plan) -> Answer:
        """Write ``plan`` and wait for its answer. Raises :class:`LinkError`."""
        return await self._ask(plan.cmd_id, uuids.PLAN, plan.encode(), "Plan")

    async def _ask(self, cmd_id: int, uuid: str, data: bytes, what: str) -> Answer:
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[cmd_id] = waiting
        try:
            async with asyncio.timeout(ANSWER_S):
                await self.connection.write(uuid, data, response=True)
                return await waiting
        except TimeoutError as cause:
            raise LinkError(f"{what} was not answered within {ANSWER_S:g} s") from cause
        finally:
            self._waiting.pop(cmd_id, None)
            # A loss that nobody waits for any more is not an error of its own.
            waiting.cancel()

    def resolve(self, answer: Answer) -> None:
        """An answer came in; one that nobody waits for is dropped."""
        waiting = self._waiting.get(answer.cmd_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def fail(self, cause: LinkError) -> None:
        """The link is gone: every waiting command fails with ``cause``."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(cause)


_REMEDIES = {
    Result.NOT_VENTED: "wait until the wrap is vented",
    Result.FAULT_PRESENT: "update the gateway, which does not know this fault",
    Result.BATTERY_LOW: "charge the wrap",
    Result.UNKNOWN_OPCODE: "update its firmware, which does not know this command",
    Result.WRONG_STATE: "stop the running session first, or wait until the wrap is vented",
    Result.QUEUE_FULL: "report this: the gateway lost count of the queue",
}


def require_ok(answer: Answer, wrap: str) -> Answer:
    """``answer`` when the wrap said OK. Raises :class:`DeviceError` with the remedy otherwise."""
    if answer.result is Result.OK:
        return answer
    if answer.result is Result.FAULT_PRESENT and answer.detail in set(Fault) - {Fault.NONE}:
        fault = Fault(answer.detail)
        raise DeviceError(f"{wrap} has {describe_fault(fault)}; when that is done, run 'wavewrap acknowledge'")
    remedy = _REMEDIES.get(answer.result, "see the wrap's log")
    raise DeviceError(f"{wrap} refused {answer.opcode_name}: {answer.result.name} ({answer.detail}): {remedy}")
