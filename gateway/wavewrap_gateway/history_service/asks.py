"""What can be asked: a handler for each row of ``wavewrap_protocol.history_asks.ASKS``; a test holds the two tables equal."""

from collections.abc import Callable
from typing import Any

from wavewrap_gateway.history_service import curves, figures, files, finding, journal
from wavewrap_gateway.history_service.shelf import Shelf
from wavewrap_protocol.payload_base import Payload

__all__ = ["HANDLERS"]

HANDLERS: dict[str, Callable[[Shelf, Any], Payload]] = {
    "sessions": finding.answer_sessions,
    "session": figures.answer_session,
    "traces": curves.answer_traces,
    "compare": figures.answer_compare,
    "trends": figures.answer_trends,
    "delete": finding.answer_delete,
    "export": files.answer_export,
    "journal": journal.answer_journal,
    "journal_due": journal.answer_due,
    "journal_add_run": journal.answer_add,
    "journal_add_soreness": journal.answer_add,
    "journal_delete": journal.answer_delete,
    "journal_delete_all": journal.answer_delete_all,
    "journal_export": journal.answer_export,
}
"""Each takes the model of its row. Raises :class:`wavewrap_protocol.errors.UsageError` or ``StoreError`` for what cannot be done."""
