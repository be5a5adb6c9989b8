"""The history's part of the server: asks of the page as JSON, and files for download. Only for pages that this server gave out.

An ask comes as ``POST /ask/<name>`` with the JSON of that row's request; the answer is the service's, or ``{"error": ..., "text": ...}``.
"""

from pydantic import ValidationError
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from wavewrap_dashboard.access import Access
from wavewrap_dashboard.history import HistoryError, HistoryService
from wavewrap_protocol.history_asks import ASKS, FileAnswer

__all__ = ["ASK_MAX_BYTES", "history_routes"]

ASK_MAX_BYTES = 8192
"""Choice: many times the longest ask."""

PROMISED_MAX = 32
"""Choice: files that a page asked for and did not fetch; older ones are given up, and go with the service."""

_STATUS = {"usage": 409, "store": 503, "busy": 429, "service": 502}

_KINDS = {".csv": "text/csv; charset=utf-8", ".parquet": "application/vnd.apache.parquet", ".png": "image/png"}


def history_routes(access: Access, history: HistoryService | None) -> list[Route]:
    """``history`` is ``None`` where the dashboard was started without one: then every ask is refused, and says so."""
    promised: dict[str, FileAnswer] = {}

    async def ask(request: Request) -> Response:
        if not access.is_own_page(request.headers) or not access.lets_in(request.cookies.get(access.cookie)):
            return _refuse(403, "forbidden", "this is for the page of this server only: open it with its link, or log in")
        name = request.path_params["name"]
        row = ASKS.get(name)
        if row is None:
            return _refuse(404, "usage", f"ask {name[:40]}: there is no such thing")
        if history is None:
            return _refuse(409, "none", "this dashboard was started without a history")
        body = await _read(request)
        try:
            wanted = row.request.model_validate_json(body or b"-")
        except ValidationError as cause:
            told = cause.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in told["loc"])
            return _refuse(400, "usage", f"ask {name}: {where or 'body'}: {told['msg']}")
        try:
            answer = await history.ask(name, wanted)
        except HistoryError as cause:
            return _refuse(_STATUS[cause.kind], cause.kind, str(cause))
        if row.gives_file:
            file = FileAnswer.model_validate_json(answer)
            promised[file.key] = file
            if len(promised) > PROMISED_MAX:
                promised.pop(next(iter(promised)))
        return Response(answer, media_type="application/json", headers={"cache-control": "no-store"})

    async def send_file(request: Request) -> Response:
        if not access.lets_in(request.cookies.get(access.cookie)):
            return PlainTextResponse("forbidden\n", 403)
        file = promised.pop(request.path_params["key"], None)
        path = None if file is None or history is None else history.take_file(file.key)
        if file is None or path is None:
            return PlainTextResponse("This file was fetched already, or has been given up: ask for it again on the page.\n", 404)
        return FileResponse(
            path,
            media_type=_KINDS.get(path.suffix, "application/octet-stream"),
            filename=file.name,
            headers={"cache-control": "no-store"},
            background=BackgroundTask(path.unlink, missing_ok=True),
        )

    return [Route("/ask/{name}", ask, methods=["POST"]), Route("/file/{key}", send_file)]


async def _read(request: Request) -> bytes:
    """The body; empty where it is too long."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > ASK_MAX_BYTES:
            return b""
    return body


def _refuse(status: int, kind: str, text: str) -> JSONResponse:
    return JSONResponse({"error": kind, "text": text}, status, headers={"cache-control": "no-store"})
