"""Logging in and out over HTTP: asked by a page of ours only, told in one word, and the cookie that comes of it."""

import json
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from wavewrap_dashboard.access import Access
from wavewrap_dashboard.login import SESSION_S, Login, TooManyError

__all__ = ["login_routes"]

BODY_MAX_BYTES = 4096


def login_routes(access: Access, login: Login, page: Callable[[], Response]) -> list[Route]:
    """``/login`` and ``/logout``; ``page`` is the form."""

    async def show(_request: Request) -> Response:
        return page()

    async def log_in(request: Request) -> Response:
        given = await _read(request) if access.is_own_page(request.headers) else None
        if given is None:
            return JSONResponse({"fail": "malformed"}, 400)
        name, password = given
        try:
            cookie = await login.open_session(request.client.host if request.client else "", name, password)
        except TooManyError as refusal:
            return JSONResponse({"fail": "wait", "wait_s": round(refusal.wait_s)}, 429, {"retry-after": str(round(refusal.wait_s))})
        if cookie is None:
            return JSONResponse({"fail": "wrong"}, 401)
        answer = Response(status_code=204)
        answer.set_cookie(access.cookie, cookie, max_age=int(SESSION_S), httponly=True, secure=True, samesite="strict", path="/")
        return answer

    async def log_out(request: Request) -> Response:
        if not access.is_own_page(request.headers):
            return JSONResponse({"fail": "malformed"}, 400)
        answer = Response(status_code=204)
        answer.delete_cookie(access.cookie, path="/", secure=True, httponly=True, samesite="strict")
        return answer

    return [Route("/login", show), Route("/login", log_in, methods=["POST"]), Route("/logout", log_out, methods=["POST"])]


async def _read(request: Request) -> tuple[str, str] | None:
    """Name and password of the JSON in the body; ``None`` for anything else."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_MAX_BYTES:
            return None
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(given, dict):
        return None
    name, password = given.get("name"), given.get("password")
    return (name, password) if isinstance(name, str) and isinstance(password, str) else None
