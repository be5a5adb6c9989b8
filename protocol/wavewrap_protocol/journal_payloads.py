"""What the recovery journal says over MQTT where it is switched on: its questions, never an answer."""

from enum import StrEnum

from pydantic import Field

from wavewrap_protocol.payload_base import Payload

__all__ = ["JournalDue", "JournalQuestion", "Moment", "OccasionKind"]


class OccasionKind(StrEnum):
    """What somebody is asked about."""

    SESSION = "session"
    RUN = "run"


class Moment(StrEnum):
    """Which rating of an occasion. Soreness after hard exercise sets in within 24 to 48 h, hence the last two."""

    BEFORE = "before"
    AFTER = "after"
    HOURS_24 = "24_h"
    HOURS_48 = "48_h"


class JournalQuestion(Payload):
    """One question of ``bridge/journal``: how sore the calves are, 0 to 10."""

    of: OccasionKind
    moment: Moment
    due_unix_s: float
    until_unix_s: float
    text: str


class JournalDue(Payload):
    """``bridge/journal``, retained, only where it is switched on: what the recovery journal asks now, the oldest first."""

    gateway: str
    gateway_boot: int
    seq: int
    due: list[JournalQuestion]
    next_due_unix_s: float | None = Field(description="when something is asked next; null where nothing is to come")
