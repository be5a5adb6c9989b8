"""What a station tells of its wraps. Knows neither simulator nor bumble, so that the near side of a rig needs neither."""

from dataclasses import dataclass

__all__ = ["Truth", "WrapAddress"]


@dataclass(frozen=True, slots=True)
class WrapAddress:
    """Where a wrap is seen, and who it is."""

    address: str
    serial: str


@dataclass(frozen=True, slots=True)
class Truth:
    """What one wrap truly did since it was switched on. Seconds are those of the station's clock, ``now_s`` on it too."""

    now_s: float
    states: list[tuple[float, str, str]]
    """When, which state, by which cause."""
    outcomes: dict[str, int]
    """Steps by what became of them."""
    pairings: list[str]
    vented: bool
    """Every chamber is truly empty now."""
    holding: bool
    """A chamber truly holds over 30 mmHg now."""

    @property
    def causes(self) -> list[str]:
        """Of the states, in order."""
        return [cause for _, _, cause in self.states]
