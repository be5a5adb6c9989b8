"""The recovery journal: what a person notes of runs and of how sore the calves are. Times are passed in; nothing here is ever published.

Not responsible for where it is kept (``adapters.store_journal``) nor for when somebody is asked (:mod:`wavewrap_gateway.core.soreness`).
"""

from dataclasses import dataclass
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from wavewrap_gateway.core.hydration import drink_ml
from wavewrap_protocol.errors import UsageError

__all__ = ["NOTE_MAX", "JournalEntry", "RunNote", "SorenessNote", "check_time", "read_note"]

NOTE_MAX = 500
"""Characters of a remark. Choice: a few sentences."""

WEIGHT_CHANGE_MAX = 0.1
"""Share of the weight by which both may differ. Choice: far over what a run costs, under most slips of the finger and mixed-up units."""

FUTURE_S = 300.0
"""Choice: so much may the clock of whoever notes be fast."""

OLDEST_UNIX_S = 946_684_800.0
"""2000-01-01: whoever gives less has given something else than seconds since 1970."""


class _Note(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    note: str = Field(default="", max_length=NOTE_MAX)


class RunNote(_Note):
    """A run. What was not noted is ``None``; ``effort`` is how hard it felt, 1 (very easy) to 10 (as hard as can be)."""

    ended_unix_s: float
    duration_s: float = Field(gt=0.0, le=48 * 3600.0)
    distance_m: float | None = Field(default=None, gt=0.0, le=500_000.0)
    effort: int | None = Field(default=None, ge=1, le=10)
    weight_before_kg: float | None = Field(default=None, ge=20.0, le=350.0)
    weight_after_kg: float | None = Field(default=None, ge=20.0, le=350.0)
    warm_up_s: float | None = Field(default=None, ge=0.0, le=7200.0)
    stretch_s: float | None = Field(default=None, ge=0.0, le=7200.0)

    @model_validator(mode="after")
    def _check_weights(self) -> Self:
        before_kg, after_kg = self.weight_before_kg, self.weight_after_kg
        if before_kg is not None and after_kg is not None and abs(before_kg - after_kg) > WEIGHT_CHANGE_MAX * before_kg:
            raise ValueError(f"{before_kg:g} kg before and {after_kg:g} kg after are too far apart: check both, and their unit")
        return self

    @property
    def at_unix_s(self) -> float:
        """When it was: its end."""
        return self.ended_unix_s

    @property
    def load_effort_min(self) -> float | None:
        """Effort times minutes, so that a long easy run and a short hard one can be compared."""
        return None if self.effort is None else self.effort * self.duration_s / 60.0

    @property
    def drink_ml(self) -> float | None:
        """How much to drink after it; ``None`` without both weights."""
        if self.weight_before_kg is None or self.weight_after_kg is None:
            return None
        return drink_ml(self.weight_before_kg, self.weight_after_kg)


class SorenessNote(_Note):
    """How sore the calves were at a moment: 0 (not at all) to 10 (as sore as can be)."""

    unix_s: float
    soreness: int = Field(ge=0, le=10)

    @property
    def at_unix_s(self) -> float:
        """When it was."""
        return self.unix_s


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A note as it is kept, under a name of its own."""

    entry_id: str
    written_unix_s: float
    note: RunNote | SorenessNote


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
