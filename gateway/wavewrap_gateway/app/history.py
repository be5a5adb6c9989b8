"""Opens the store that the configuration names and makes records of sessions for it."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

from wavewrap_gateway.app.config import GatewayConfig
from wavewrap_gateway.core.history import RecordedWrap, SessionHead
from wavewrap_gateway.core.late_samples import Unfinished
from wavewrap_gateway.core.program import Program
from wavewrap_gateway.runtime.late_samples import LateSamples
from wavewrap_gateway.runtime.recording import SessionRecorder
from wavewrap_gateway.runtime.session_runner import SessionRunner
from wavewrap_gateway.runtime.wrap_run import WrapRun
from wavewrap_protocol import __version__

__all__ = ["History", "describe_session", "open_history"]


@asynccontextmanager
async def open_history(
    config: GatewayConfig, tell: Callable[[str], None], unix_s: Callable[[float], float]
) -> AsyncIterator[LateSamples | None]:
    """The store, ``None`` where nothing is to be recorded. ``tell`` gets a line when it has trouble, in the loop's thread.

    ``unix_s`` turns host time into wall time.

    Raises :class:`wavewrap_protocol.errors.UsageError` for a store that cannot be one.
    """
    if not config.record:
        yield None
        return
    from wavewrap_gateway.adapters.store_writer import StoreWriter  # here, because SQLAlchemy takes its time and memory to load

    loop = asyncio.get_running_loop()

    def in_loop(call: Callable[[], None]) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(call)

    def expect(unfinished: Sequence[Unfinished]) -> None:
        in_loop(partial(late.expect, unfinished))

    writer = StoreWriter(
        config.store.get_secret_value(),
        config.gateway,
        lambda line: in_loop(partial(tell, line)),
        lambda: time.clock_gettime(time.CLOCK_REALTIME),
        expect,
    )
    late = LateSamples(writer, unix_s)
    writer.start()
    try:
        yield late
    finally:
        await asyncio.shield(asyncio.to_thread(writer.close))


class History:
    """Makes the records of sessions in ``store``; ``clock`` is host time, ``unix_s`` turns it into wall time."""

    def __init__(
        self, config: GatewayConfig, store: LateSamples | None, clock: Callable[[], float], unix_s: Callable[[float], float]
    ) -> None:
        self._config = config
        self.late = store
        self._clock = clock
        self._unix_s = unix_s
        self.last_id: str | None = None
        """Name of the last session; ``None`` where nothing is recorded."""

    def record(self, program: Program, number: int, runner: SessionRunner) -> SessionRecorder | None:
        """Begin to record ``runner``'s session, ``number`` on its wraps."""
        if self.late is None:
            return None
        head = describe_session(self._config, program, number, runner, self._unix_s(self._clock()))
        self.last_id = head.session_id
        return SessionRecorder(self.late, head, runner.runs, self._unix_s)


def describe_session(config: GatewayConfig, program: Program, number: int, runner: SessionRunner, unix_s: float) -> SessionHead:
    """What is known of a session of ``runner`` that begins at wall time ``unix_s``; ``number`` is its number on the wraps."""
    from wavewrap_gateway.adapters.store_writer import this_process  # here, as above

    pid, process_started_unix_s = this_process()
    begun = datetime.fromtimestamp(unix_s, UTC)
    return SessionHead(
        # The time makes a list read in order; the rest tells two sessions of one second apart.
        session_id=f"{begun:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}",
        number=number,
        gateway=config.gateway,
        version=__version__,
        pid=pid,
        process_started_unix_s=process_started_unix_s,
        program=program,
        planned_s=runner.duration_s,
        ceiling_mmhg=config.ceiling_mmhg,
        started_unix_s=unix_s,
        wraps=tuple(_describe_wrap(run) for run in runner.runs),
    )


def _describe_wrap(run: WrapRun) -> RecordedWrap:
    identity, capabilities = run.wrap.link.identity, run.wrap.link.capabilities
    assert identity is not None  # a session is prepared on wraps that have said who they are
    assert capabilities is not None
    return RecordedWrap(
        name=run.wrap.name,
        serial=identity.serial,
        side=run.wrap.side,
        model=identity.model,
        firmware=identity.firmware,
        chambers=capabilities.chambers,
        boot_id=capabilities.boot_id,
    )
