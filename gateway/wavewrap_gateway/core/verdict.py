"""What ``wavewrap doctor`` says: one verdict for each thing that it looked at, in plain words, with what to do about it."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Examination", "Level", "Verdict"]


class Level(StrEnum):
    """How bad it is. A warning lets a session run; a problem does not, or not as it should."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"

    @property
    def rank(self) -> int:
        """Higher is worse."""
        return list(Level).index(self)


class Verdict(BaseModel):
    """One line. An ``ok`` with a remedy is a hint: nothing is wrong, something could be better."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    check: str = Field(description="what was looked at")
    level: Level
    says: str = Field(description="what was found, in plain words")
    remedy: str | None = Field(default=None, description="what to do about it")
    source: str | None = Field(default=None, description="where this is known from")


class Examination(BaseModel):
    """Everything that was looked at, in the order in which it is worth mending."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str = Field(description="of wavewrap")
    verdicts: list[Verdict]

    def count(self, level: Level) -> int:
        """How many verdicts are as bad as that."""
        return sum(verdict.level is level for verdict in self.verdicts)

    @property
    def exit_code(self) -> int:
        """1 with a problem; a warning is no failure."""
        return 1 if self.count(Level.PROBLEM) else 0
