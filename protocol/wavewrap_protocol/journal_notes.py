"""What a person notes in the recovery journal: runs, and how sore the calves are. Checked alike from the page and the command line."""

from typing import Self

from pydantic import Field, model_validator

from wavewrap_protocol.payload_base import Payload

__all__ = ["NOTE_MAX", "RunNote", "SorenessNote"]

NOTE_MAX = 500
"""Characters of a remark. Choice: a few sentences."""

WEIGHT_CHANGE_MAX = 0.1
"""Share of the weight by which both may differ. Choice: far over what a run costs, under most slips of the finger and mixed-up units."""


class RunNote(Payload):
    """A run. What was not noted is ``None``; ``effort`` is how hard it felt, 1 (very easy) to 10 (as hard as can be)."""

    ended_unix_s: float
    duration_s: float = Field(gt=0.0, le=48 * 3600.0)
    distance_m: float | None = Field(default=None, gt=0.0, le=500_000.0)
    effort: int | None = Field(default=None, ge=1, le=10)
    weight_before_kg: float | None = Field(default=None, ge=20.0, le=350.0)
    weight_after_kg: float | None = Field(default=None, ge=20.0, le=350.0)
    warm_up_s: float | None = Field(default=None, ge=0.0, le=7200.0)
    stretch_s: float | None = Field(default=None, ge=0.0, le=7200.0)
    note: str = Field(default="", max_length=NOTE_MAX)

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


class SorenessNote(Payload):
    """How sore the calves were at a moment: 0 (not at all) to 10 (as sore as can be)."""

    unix_s: float
    soreness: int = Field(ge=0, le=10)
    note: str = Field(default="", max_length=NOTE_MAX)

    @property
    def at_unix_s(self) -> float:
        """When it was."""
        return self.unix_s
