"""Asks in, answers out, one at a time and in order. What it cannot do is an answer, too; what is our own mistake ends the process."""

import shutil
import time
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from wavewrap_gateway.adapters.recovery_journal import RecoveryJournal
from wavewrap_gateway.history_service.asks import HANDLERS
from wavewrap_gateway.history_service.shelf import Shelf
from wavewrap_protocol.errors import StoreError, UsageError
from wavewrap_protocol.history_asks import ASKS, ServiceAsk, ServiceError, ServiceHead, ServiceStart

__all__ = ["answer", "serve"]


def serve(start: ServiceStart, asks: BinaryIO, answers: BinaryIO) -> None:
    """Answer ``asks`` until they end; then what lies in the folder goes too, fetched or not. Raises ``BrokenPipeError``."""
    journal = RecoveryJournal(start.store, start.gateway, lambda: time.clock_gettime(time.CLOCK_REALTIME))
    shelf = Shelf(start.store, Path(start.folder), journal)
    try:
        for line in asks:
            head, body = answer(shelf, line)
            answers.write(head.model_dump_json().encode() + b"\n" + body.encode() + b"\n")
            answers.flush()
    finally:
        shutil.rmtree(shelf.folder, ignore_errors=True)


def answer(shelf: Shelf, line: bytes) -> tuple[ServiceHead, str]:
    """To one line of input: the head, and the body as JSON. Raises pydantic's ``ValidationError`` for what no server of ours sends."""
    ask = ServiceAsk.model_validate_json(line)
    try:
        wanted = ASKS[ask.ask].request.model_validate(ask.body)
    except (KeyError, ValidationError):
        return _refuse(ask, "usage", f"ask {ask.ask}: this wavewrap does not know it so: update it, and load the page again")
    try:
        body = HANDLERS[ask.ask](shelf, wanted).model_dump_json()
    except UsageError as cause:
        return _refuse(ask, "usage", str(cause))
    except StoreError as cause:
        return _refuse(ask, "store", str(cause))
    return ServiceHead(id=ask.id), body


def _refuse(ask: ServiceAsk, kind: str, text: str) -> tuple[ServiceHead, str]:
    return ServiceHead(id=ask.id, error=ServiceError.model_validate({"kind": kind, "text": text})), "null"
