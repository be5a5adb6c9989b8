"""The page's server: a few routes and one WebSocket, on Starlette. Every answer carries the headers of ``access``."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from wavewrap_dashboard.access import HEADERS, Access
from wavewrap_dashboard.history import HistoryService
from wavewrap_dashboard.history_routes import history_routes
from wavewrap_dashboard.hub import Page, encode
from wavewrap_dashboard.live import Live
from wavewrap_dashboard.requests_in import AskedError, read_message
from wavewrap_protocol import __version__

__all__ = ["BUNDLE", "MISSING_BUNDLE", "make_app"]

BUNDLE = Path(__file__).with_name("bundle")
"""Where the build of ``gateway/web`` puts the page."""

MISSING_BUNDLE = (
    "The page has not been built: run 'make venv' in the source tree, or install wavewrap again. The gateway runs on without it.\n"
)

WRONG_TOKEN = "This page is opened with the link that 'wavewrap dashboard' or 'wavewrap demo' printed: use that one.\n"
WRONG_HOST = "This server answers under its own address and names only.\n"

COOKIE_DAYS = 30

PAGES = ("/", "/history", "/history/{session}", "/compare", "/trends", "/journal")
"""Addresses of the one page, which shows by its address what is asked for."""

_ASSETS = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".webmanifest": "application/manifest+json",
}

PATIENCE_S = 30.0
"""A page sends a heartbeat every second. Choice: one in the background is slowed to one a minute by some browsers; then it reconnects."""


def make_app(
    live: Live, access: Access, history: HistoryService | None, *, check_before_start: bool, bundle: Path = BUNDLE
) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The ASGI application."""

    async def enter(request: Request) -> Response:
        if access.login is not None:
            return RedirectResponse("/login", 303)
        if not access.is_token(request.path_params["token"]):
            return PlainTextResponse(WRONG_TOKEN, 403)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(
            access.cookie, request.path_params["token"], max_age=COOKIE_DAYS * 86_400, httponly=True, samesite="strict", path="/"
        )
        return answer

    async def page(request: Request) -> Response:
        if not access.lets_in(request.cookies.get(access.cookie)):
            return RedirectResponse("/login", 303) if access.login is not None else PlainTextResponse(WRONG_TOKEN, 403)
        return file("index.html")

    def file(name: str) -> Response:
        index = bundle / name
        if not index.is_file():
            return PlainTextResponse(MISSING_BUNDLE, 503)
        return FileResponse(index, media_type="text/html", headers={"cache-control": "no-cache"})

    async def asset(request: Request) -> Response:
        # The page's code is public, and holds nothing; only names of one folder, so nothing beside it can be reached.
        path = bundle / "assets" / request.path_params["name"]
        kind = _ASSETS.get(path.suffix)
        if kind is None or not path.is_file():
            return PlainTextResponse("not found\n", 404)
        return FileResponse(path, media_type=kind, headers={"cache-control": "public, max-age=31536000, immutable"})

    async def socket(websocket: WebSocket) -> None:
        if not access.is_own_page(websocket.headers) or not access.lets_in(websocket.cookies.get(access.cookie)):
            await websocket.close(1008)
            return
        await websocket.accept()
        page = live.open_page({"version": __version__, "check_before_start": check_before_start, "login": access.login is not None})
        sending = asyncio.create_task(_send(websocket, page))
        try:
            await _receive(websocket, live, page, check_before_start)
        finally:
            live.close_page(page)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    logins: list[Route] = []
    if access.login is not None:
        from wavewrap_dashboard.login_routes import login_routes  # as in process

        logins = login_routes(access, access.login, lambda: file("login.html"))
    routes = [
        *logins,
        Route("/enter/{token}", enter),
        *(Route(path, page) for path in PAGES),
        *history_routes(access, history),
        Route("/assets/{name}", asset),
        WebSocketRoute("/socket", socket),
    ]
    return _guarded(Starlette(routes=routes), access)


async def _send(websocket: WebSocket, page: Page) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):  # it has gone; the receiving side sees it too
        while (text := await page.take()) is not None:
            await websocket.send_text(text)
        await websocket.close(1013)


async def _receive(websocket: WebSocket, live: Live, page: Page, check_before_start: bool) -> None:
    with suppress(WebSocketDisconnect, TimeoutError, KeyError):  # KeyError: a binary message, which no page of ours sends
        while True:
            async with asyncio.timeout(PATIENCE_S):
                text = await websocket.receive_text()
            try:
                asked = read_message(text, check_before_start=check_before_start)
            except AskedError as refusal:
                page.put_state(encode({"k": "answer", "id": refusal.number, "fail": refusal.why}))
                continue
            if asked is not None:
                live.ask(page, asked)


def _guarded(app: Starlette, access: Access) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """``app`` behind the check of the Host, with the headers on every answer."""
    raw = [(name.encode(), value.encode()) for name, value in HEADERS.items()]

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *raw]}
            await send(message)

        if scope["type"] == "http" and not access.knows_host(Request(scope).headers):
            await PlainTextResponse(WRONG_HOST, 421)(scope, receive, send_with_headers)
            return
        await app(scope, receive, send_with_headers)

    return guarded
