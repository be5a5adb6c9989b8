"""A dashboard, opened and closed: its port, its server in the running loop, its links to the brokers."""

import asyncio
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from ipaddress import ip_address
from typing import Any

import uvicorn

from wavewrap_dashboard.access import LOOPBACK_NAMES, Access
from wavewrap_dashboard.history import HistoryService
from wavewrap_dashboard.live import Live
from wavewrap_dashboard.server import make_app
from wavewrap_dashboard.settings import DashboardSettings
from wavewrap_protocol.errors import UsageError

__all__ = ["Dashboard", "open_dashboard"]

BACKLOG = 64
CLOSE_S = 2
"""Choice: open sockets get this long to say goodbye."""

WS_MAX_BYTES = 16_384


class _Server(uvicorn.Server):
    """Leaves the signals to whoever runs the loop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures none."""
        yield


class Dashboard:
    """An open one. ``url`` opens the page, and is a secret unless there is a login."""

    def __init__(self, url: str, work: list[asyncio.Task[Any]]) -> None:
        self.url = url
        self._work = work

    async def wait(self) -> None:
        """Until a part of it ends, whose error this raises."""
        done, _ = await asyncio.wait(self._work, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()


@asynccontextmanager
async def open_dashboard(settings: DashboardSettings) -> AsyncIterator[Dashboard]:
    """Serves until left. Raises :class:`UsageError` when its port is taken or its TLS files are none."""
    loop = asyncio.get_running_loop()
    with _listen(settings) as listening:
        port = listening.getsockname()[1]
        live = Live(settings.brokers, f"wavewrap-dashboard-{secrets.token_hex(4)}", loop.time, _read_wall_s)
        history = None if settings.history is None else HistoryService(settings.history)
        access, url = _open_to(settings, port, loop.time)
        app = make_app(live, access, history, check_before_start=settings.check_before_start)
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_level="warning",
            access_log=False,
            ws="websockets-sansio",
            ws_max_size=WS_MAX_BYTES,
            ws_per_message_deflate=False,
            server_header=False,
            timeout_graceful_shutdown=CLOSE_S,
            ssl_certfile=None if settings.tls is None else settings.tls.cert_file,
            ssl_keyfile=None if settings.tls is None else settings.tls.key_file,
        )
        _load(config, settings)
        server = _Server(config)
        work = [asyncio.create_task(live.run(), name="live"), asyncio.create_task(server.serve([listening]), name="server")]
        try:
            while not server.started and not any(task.done() for task in work):  # noqa: ASYNC110  # uvicorn tells it by a flag only
                await asyncio.sleep(0.01)
            for task in work:
                if task.done():
                    task.result()
            yield Dashboard(url, work)
        finally:
            server.should_exit = True
            work[0].cancel()
            await asyncio.gather(*work, return_exceptions=True)
            if history is not None:
                await history.close()


def _open_to(settings: DashboardSettings, port: int, clock: Callable[[], float]) -> tuple[Access, str]:
    """Who may open the page, and the URL to open it by."""
    token = settings.token.get_secret_value()
    address = ip_address(settings.listen)
    own = f"[{address}]" if address.version == 6 else str(address)
    if settings.tls is None:
        return Access(token, port, (*LOOPBACK_NAMES, own)), f"http://{own}:{port}/enter/{token}"
    from wavewrap_dashboard.login import Login  # here, because argon2 takes a megabyte that most pages have no use for

    users = {name: hashed.get_secret_value() for name, hashed in settings.users.items()}
    names = (*settings.names, *(() if address.is_unspecified else (own,)), *(LOOPBACK_NAMES if address.is_loopback else ()))
    return Access(token, port, names, Login(users, token, clock, _read_wall_s)), f"https://{names[0]}:{port}/"


def _load(config: uvicorn.Config, settings: DashboardSettings) -> None:
    try:
        config.load()
    except OSError as cause:
        files = "" if settings.tls is None else f"{settings.tls.cert_file} and {settings.tls.key_file}"
        raise UsageError(
            f"dashboard: TLS files {files} cannot be used ({cause.strerror or cause}): give the PEM files of one certificate"
        ) from cause


def _listen(settings: DashboardSettings) -> socket.socket:
    # Bound by us, so that the port is known before the first answer and a taken one is told in one line.
    listening = socket.socket(socket.AF_INET6 if ip_address(settings.listen).version == 6 else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((settings.listen, settings.port))
        listening.listen(BACKLOG)
    except OSError as cause:
        listening.close()
        raise UsageError(
            f"dashboard: cannot listen on {settings.listen}:{settings.port} ({cause.strerror}): end what uses that port, or choose another"
        ) from cause
    return listening


def _read_wall_s() -> float:
    return time.clock_gettime(time.CLOCK_REALTIME)
