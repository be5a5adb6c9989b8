"""A radio and its troubles as data: what the air does to links, when wraps reboot, how fast their crystals run.

Times count from the start of the simulator, in seconds. Files are TOML; ``tests/scenarios/`` holds the ones the project measures itself by.
"""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from wavewrap_protocol.toml_files import load_toml

__all__ = ["CLEAR", "Fade", "IntervalChange", "Reboot", "Scenario", "Stalls", "load_scenario"]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Stalls(_Table):
    """Random stalls of a link, each on its own: other traffic, a body in between. Start times are a Poisson process."""

    per_minute: float = Field(ge=0.0, le=600.0)
    min_ms: float = Field(default=100.0, gt=0.0)
    max_ms: float = Field(default=300.0, gt=0.0)


class Fade(_Table):
    """Nothing gets through to ``wraps`` (counted from 0; empty: to any) from ``at_s`` for ``for_s``: out of range."""

    at_s: float = Field(ge=0.0)
    for_s: float = Field(gt=0.0)
    wraps: tuple[int, ...] = ()


class IntervalChange(_Table):
    """The central moves every link to ``interval_ms``, as a busy phone or adapter does."""

    at_s: float = Field(ge=0.0)
    interval_ms: float = Field(ge=7.5, le=4000.0)


class Reboot(_Table):
    """Wrap ``wrap`` loses power for an instant."""

    at_s: float = Field(ge=0.0)
    wrap: int = Field(ge=0)


class Scenario(_Table):
    """One radio. ``interval_ms`` is the shortest the central grants, whatever a wrap asks for."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    description: str = ""
    timed: bool = Field(default=True, description="false: no connection events at all, a packet arrives at once")
    interval_ms: float = Field(default=15.0, ge=7.5, le=4000.0)
    event_loss_pct: float = Field(default=0.0, ge=0.0, le=90.0)
    advertising_loss_pct: float = Field(default=0.0, ge=0.0, le=99.0)
    stalls: Stalls | None = None
    fades: tuple[Fade, ...] = ()
    interval_changes: tuple[IntervalChange, ...] = ()
    reboots: tuple[Reboot, ...] = ()
    clock_ppm: tuple[float, ...] = Field(default=(), description="crystal error of each wrap in turn; others get one by the seed")


CLEAR = Scenario(name="clear", description="No air in between: what the simulator runs with when no scenario is named.", timed=False)


def load_scenario(path: Path) -> Scenario:
    """The scenario in ``path``. Raises :class:`wavewrap_protocol.errors.UsageError` in one line."""
    return load_toml(path, Scenario.model_validate, "give the path of a scenario file")
