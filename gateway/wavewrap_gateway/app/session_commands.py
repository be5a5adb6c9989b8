"""What ``run`` and ``demo`` take over MQTT: stop, pause, resume and boost of the one session that they play. They start nothing.

Not responsible for judging requests (:mod:`wavewrap_gateway.runtime.request_desk`); the daemon's powers are :mod:`.commands`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial

from wavewrap_gateway.adapters.mqtt_requests import MqttRequests
from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.app.config import GatewayConfig
from wavewrap_gateway.core.link_state import Ready
from wavewrap_gateway.runtime.bridge import Clocks
from wavewrap_gateway.runtime.request_desk import Handler, RequestDesk
from wavewrap_gateway.runtime.session_desk import SessionDesk
from wavewrap_gateway.runtime.session_runner import SessionRunner
from wavewrap_gateway.runtime.wrap import Wrap
from wavewrap_protocol.errors import LinkError, LocalError
from wavewrap_protocol.requests import BoostRequest, CommandName, PauseRequest, ResumeRequest, StopRequest
from wavewrap_protocol.responses import RunningSession, StopData

__all__ = ["allowed_commands", "taking_requests"]

OFFERED = frozenset({CommandName.STOP, CommandName.PAUSE, CommandName.RESUME, CommandName.BOOST})

UP_S = 2.0
"""Choice: a broker answers within milliseconds, one that speaks no MQTT 5 within a second."""


def allowed_commands(config: GatewayConfig) -> set[CommandName]:
    """What is taken: as far as the configuration allows it, and a stop always."""
    return {CommandName.STOP, *(OFFERED & set(config.commands.allow))}


class _SessionCommands:
    """Implements :class:`wavewrap_gateway.runtime.request_desk.Handlers`."""

    def __init__(self, desk: SessionDesk, wraps: Sequence[Wrap]) -> None:
        self._desk = desk
        self._wraps = wraps
        self._stops: set[asyncio.Task[None]] = set()

    def table(self) -> dict[CommandName, Handler]:
        return {CommandName.PAUSE: self._pause, CommandName.RESUME: self._resume, CommandName.BOOST: self._boost}

    def stop(self, request: StopRequest, reason: str) -> StopData:
        # There is one session, so whichever of its wraps is named, it ends; outside one the wraps are told all the same.
        del request
        for session in self._desk.sessions:
            session.request_stop(reason)
        if not self._desk.sessions:
            for wrap in self._wraps:
                if isinstance(wrap.link.state, Ready):
                    task = asyncio.create_task(_stop_wrap(wrap))
                    self._stops.add(task)
                    task.add_done_callback(self._stops.discard)
        return StopData(stopping=[wrap.name for wrap in self._wraps])

    def _session(self) -> SessionRunner:
        if not self._desk.sessions:
            raise LocalError("no session runs: start one first")
        return self._desk.sessions[0]

    async def _pause(self, _request: PauseRequest) -> RunningSession:
        await self._session().pause()
        return self._running()

    async def _resume(self, _request: ResumeRequest) -> RunningSession:
        await self._session().resume()
        return self._running()

    async def _boost(self, request: BoostRequest) -> RunningSession:
        await self._session().boost(request.mmhg, None if request.chamber is None else request.chamber - 1)
        return self._running()

    def _running(self) -> RunningSession:
        return RunningSession(wraps=[wrap.name for wrap in self._wraps], progress=self._session().progress())


@asynccontextmanager
async def taking_requests(
    settings: MqttSettings,
    config: GatewayConfig,
    desk: SessionDesk,
    wraps: Sequence[Wrap],
    clocks: Clocks,
    tell: Callable[[str, str], None],
) -> AsyncIterator[None]:
    """Requests over MQTT are carried out until left."""
    requests = MqttRequests(settings, f"wavewrap-{config.gateway}-requests")
    now_unix_s = partial(_now_unix_s, clocks)
    commands = _SessionCommands(desk, wraps)
    counter = RequestDesk(settings.base_topic, allowed_commands(config), (), commands, requests, clocks.monotonic_s, now_unix_s, tell)
    requests.on_request = counter.receive
    up = asyncio.Event()
    requests.on_up = up.set
    requests.start()
    try:
        # A session begins when it can be stopped from afar; a broker that is not there keeps it waiting no longer.
        with suppress(TimeoutError):
            async with asyncio.timeout(UP_S):
                await up.wait()
        yield
    finally:
        await requests.close()
        await counter.close()


async def _stop_wrap(wrap: Wrap) -> None:
    # One that cannot be told has a link that is gone, and nothing of ours plays on it.
    with suppress(LinkError):
        await wrap.link.stop()


def _now_unix_s(clocks: Clocks) -> float:
    return clocks.unix_s(clocks.monotonic_s())
