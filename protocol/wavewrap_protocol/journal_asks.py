"""What the page asks of the recovery journal, and what it is told: rows of ``history_asks.ASKS``, and the answers that are no file.

Not responsible for MQTT, over which none of this goes (``journal_payloads`` has what does, where that is switched on).
"""

from typing import Literal

from pydantic import Field

from wavewrap_protocol.journal_notes import RunNote, SorenessNote
from wavewrap_protocol.journal_payloads import Moment, OccasionKind
from wavewrap_protocol.payload_base import Payload

__all__ = [
    "DueAnswer",
    "JournalAnswer",
    "JournalAsk",
    "JournalDeleteAllAsk",
    "JournalDeleteAnswer",
    "JournalDeleteAsk",
    "JournalDueAsk",
    "JournalExportAsk",
    "QuestionLine",
    "RatedSession",
    "RunLine",
    "SorenessAround",
    "SorenessLine",
]


class JournalAsk(Payload):
    """The last so many days."""

    days: int = Field(default=90, ge=1, le=36_500)


class JournalDueAsk(Payload):
    """What is asked now."""


class JournalDeleteAsk(Payload):
    """One entry, by its whole name."""

    entry: str = Field(min_length=1, max_length=80)


class JournalDeleteAllAsk(Payload):
    """Every entry. ``confirmed`` says that a person was asked."""

    confirmed: Literal[True]


class JournalExportAsk(Payload):
    """All of it as CSV."""


class QuestionLine(Payload):
    """How sore are the calves, at ``moment`` of a session or run? ``name`` is that in the history or journal."""

    of: OccasionKind
    name: str
    moment: Moment
    began_unix_s: float
    ended_unix_s: float | None
    due_unix_s: float
    until_unix_s: float


class DueAnswer(Payload):
    """What is asked now, the oldest first, and when something is asked next."""

    now_unix_s: float
    due: list[QuestionLine]
    next_due_unix_s: float | None


class RunLine(RunNote):
    """A run as it is kept, with what follows from it."""

    kind: Literal["run"] = "run"
    entry: str
    written_unix_s: float
    load_min: float | None = Field(description="effort times minutes")
    drink_ml: float | None


class SorenessLine(SorenessNote):
    """A rating as it is kept."""

    kind: Literal["soreness"] = "soreness"
    entry: str
    written_unix_s: float


class SorenessAround(Payload):
    """How sore the calves were around a session; ``None`` where nothing was noted."""

    before: int | None
    after: int | None
    hours_24: int | None
    hours_48: int | None


class RatedSession(Payload):
    """A session beside the entries."""

    session: str
    program: str
    began_unix_s: float
    ended_unix_s: float | None
    soreness: SorenessAround


class JournalAnswer(DueAnswer):
    """All of it, the newest first."""

    entries: list[RunLine | SorenessLine]
    sessions: list[RatedSession]


class JournalDeleteAnswer(Payload):
    """How many entries are gone."""

    deleted: int
