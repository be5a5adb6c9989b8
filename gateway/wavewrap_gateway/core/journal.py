"""Entries of the recovery journal, and the checks that need a clock or a rule. Times are passed in; nothing here is ever published.

Not responsible for where it is kept (``adapters.store_journal``) nor for when somebody is asked (:mod:`wavewrap_gateway.core.soreness`).
"""

from dataclasses import dataclass

from pydantic import ValidationError

from wavewrap_gateway.core.hydration import drink_ml
from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.journal_notes import RunNote, SorenessNote

__all__ = ["JournalEntry", "check_time", "drink_after_ml", "read_note"]

FUTURE_S = 300.0
"""Choice: so much may the clock of whoever notes be fast."""

OLDEST_UNIX_S = 946_684_800.0
"""2000-01-01: whoever gives less has given something else than seconds since 1970."""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A note as it is kept, under a name of its own."""

    entry_id: str
    written_unix_s: float
    note: RunNote | SorenessNote


def drink_after_ml(run: RunNote) -> float | None:
    """How much to drink after it; ``None`` without both weights."""
    if run.weight_before_kg is None or run.weight_after_kg is None:
        return None
    return drink_ml(run.weight_before_kg, run.weight_after_kg)


def read_note(kind: type[RunNote] | type[SorenessNote], given: dict[str, object]) -> RunNote | SorenessNote:
    """``given`` as a note. Raises :class:`UsageError` naming the first field at fault."""
    try:
        return kind.model_validate(given)
    except ValidationError as cause:
        detail = cause.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in detail["loc"])
        told = str(detail["msg"]).removeprefix("Value error, ")
        raise UsageError(f"journal: {field}: {told}" if field else f"journal: {told}") from None


def check_time(note: RunNote | SorenessNote, now_unix_s: float) -> None:
    """Raises :class:`UsageError` for a note of the future, or of a time that is none."""
    if note.at_unix_s > now_unix_s + FUTURE_S:
        raise UsageError(f"journal: {note.at_unix_s - now_unix_s:.0f} s in the future: give a time that has been, or set the clock")
    if note.at_unix_s < OLDEST_UNIX_S:
        raise UsageError(f"journal: {note.at_unix_s:g} is no time of a note: give seconds since 1970 UTC")
