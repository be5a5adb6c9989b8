"""What a person picks: a program, as data.

A program says nothing about the number of chambers of a wrap (:mod:`wavewrap_gateway.core.fit`), about limits
(:mod:`wavewrap_gateway.core.program_check`) or about files (:mod:`wavewrap_gateway.core.program_file`). Chamber 1 of a person is the distal
one, index 0 in code and on the wire.

The models form a union told apart by ``pattern``, each with exactly the keys that its pattern reads; any other key is refused.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag, TypeAdapter, field_validator, model_validator
from pydantic_core import PydanticCustomError

from wavewrap_protocol.limits import CHAMBERS_MAX

__all__ = ["PROGRAM", "Alternating", "Isolation", "Program", "ProgramBase", "SequentialHold", "SequentialPulse", "TravellingWave"]

Direction = Literal["distal_to_proximal", "proximal_to_distal"]
Percent = Annotated[float, Field(gt=0, le=100)]
PressureDrop = Annotated[float, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]


def _gradient_tag(value: object) -> str:
    return "drops" if isinstance(value, list | tuple) else "drop"


Gradient = Annotated[
    Annotated[PressureDrop, Tag("drop")] | Annotated[tuple[PressureDrop, ...], Field(strict=False), Tag("drops")],
    Discriminator(_gradient_tag),
]


class ProgramBase(BaseModel):
    """The keys of every pattern.

    Two of ``hold_s``, ``rest_s`` and ``period_s`` are given; the third follows from the number of chambers, so that one program keeps its
    period, or its hold, on wraps of one to eight chambers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]
    title: Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=r"^[^\r\n]+$")]
    description: str
    duration_min: Annotated[float, Field(gt=0)]

    pressure_mmhg: Annotated[float, Field(gt=0)]
    """Of the distal chamber."""
    gradient_mmhg: Gradient = 0.0
    """Drop from each chamber to the next proximal one; a list gives every drop in turn, distal first."""
    floor_mmhg: Annotated[float, Field(ge=0)] = 0.0
    """The gradient falls no lower."""
    boost_mmhg: Annotated[tuple[PressureDrop, ...], Field(strict=False, max_length=CHAMBERS_MAX)] = ()
    """Added on top, one entry for each chamber, distal first; chambers without an entry get none."""
    soft_cycles_pct: Annotated[tuple[Percent, ...], Field(strict=False)] = ()
    """Share of the full pressure in the first cycles, rising; every later cycle is full."""

    inflate_s: Annotated[float, Field(ge=0.2)]
    """Ramp of one chamber from rest to its pressure. The least is a choice: half of what the reference wrap needs."""
    overlap_s: Seconds = 0.0
    """The next chamber begins this long before the one at work is done: with its inflation, in travelling patterns with its hold too."""
    hold_s: Seconds | None = None
    release_s: Seconds
    """Time given to a release before the rest begins."""
    rest_s: Seconds | None = None
    """From the end of the last release to the next cycle."""
    period_s: Annotated[float, Field(gt=0)] | None = None

    @property
    def duration_s(self) -> float:
        """Length of the session asked for."""
        return self.duration_min * 60.0

    @field_validator("soft_cycles_pct")
    @classmethod
    def _rise(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if list(value) != sorted(value):
            raise ValueError("the first cycles must rise: put the smallest share first")
        return value

    @model_validator(mode="after")
    def _two_of_three(self) -> "ProgramBase":
        given = [key for key in ("hold_s", "rest_s", "period_s") if getattr(self, key) is not None]
        if len(given) != 2:
            text = f"give two of hold_s, rest_s and period_s (the third follows from them), not {len(given)}"
            raise PydanticCustomError("two_of_three", "{text}", {"text": text, "key": given[-1] if given else "pattern"})
        return self


class _InTurn(ProgramBase):
    """The chambers inflate one after another and are held together."""

    @model_validator(mode="after")
    def _overlap_within_inflation(self) -> "_InTurn":
        if self.overlap_s > self.inflate_s:
            text = f"longer than inflate_s {self.inflate_s:g}; make it {self.inflate_s:g} or less"
            raise PydanticCustomError("overlap", "{text}", {"text": text, "key": "overlap_s"})
        return self


class SequentialHold(_InTurn):
    """Chambers inflate in turn, hold until all have been up for ``hold_s``, and release together (the gradient mode of AIROS devices)."""

    pattern: Literal["sequential_hold"]
    direction: Direction = "distal_to_proximal"


class TravellingWave(ProgramBase):
    """Each chamber inflates, holds and releases while the next one takes over: a peristaltic wave."""

    pattern: Literal["travelling_wave"]
    direction: Direction = "distal_to_proximal"


class SequentialPulse(ProgramBase):
    """A pulse in the active chamber, a graded hold behind it, release behind that (the pattern named for Normatec devices, FDA K220217)."""

    pattern: Literal["sequential_pulse"]
    direction: Direction = "distal_to_proximal"
    hold_behind_pct: Annotated[tuple[Percent, ...], Field(strict=False, min_length=1, max_length=CHAMBERS_MAX - 1)]
    """Share of its pulse that a chamber keeps one, two, ... places behind the active one; further behind it is released."""

    @field_validator("hold_behind_pct")
    @classmethod
    def _fall(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if list(value) != sorted(value, reverse=True):
            raise ValueError("the hold must not rise with the distance behind the pulse: put the largest share first")
        return value


class Alternating(_InTurn):
    """A sequential hold on the left limb in the first half of each cycle, on the right limb in the second half."""

    pattern: Literal["alternating"]
    direction: Direction = "distal_to_proximal"


class Isolation(_InTurn):
    """A sequential hold on chosen chambers, in the order listed; the others stay at rest."""

    pattern: Literal["isolation"]
    chambers: Annotated[tuple[Annotated[int, Field(ge=1, le=CHAMBERS_MAX)], ...], Field(strict=False, min_length=1)]
    """Chambers counted from 1, the distal one."""

    @field_validator("chambers")
    @classmethod
    def _once_each(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(value)) != len(value):
            raise ValueError("name each chamber once")
        return value


Program = SequentialHold | TravellingWave | SequentialPulse | Alternating | Isolation

PROGRAM: TypeAdapter[Program] = TypeAdapter(Annotated[Program, Field(discriminator="pattern")])
"""Validates the table of a program file."""
