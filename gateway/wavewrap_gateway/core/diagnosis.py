"""What the pressures of a session tell about a wrap, beside the faults that its device finds. Explains, never ends a session.

A chamber is compared with the wrap's other chambers and with its own earlier compressions, so the wrap's build need not be known. What
befalls all chambers alike is no leak: air that warms or cools moves them together. Words: :mod:`wavewrap_gateway.core.advice`.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from wavewrap_gateway.core.advice import FindingKind, advise_finding
from wavewrap_gateway.core.compressions import Compression

__all__ = ["Finding", "diagnose", "fall_rates_mmhg_s"]

LEAST = 3
"""A chamber must show the same in so many compressions. Choice: a leg that shifts once is no finding."""

LEAK_MMHG_S = 0.3
"""Fall of a hold over that of the other chambers. Choice: three times the noise of its estimate; seams let through a tenth of it."""

LAG_S = 0.5
"""A lag that grew by this. Choice: the delay between two chambers of a calf wave."""

TAU_RATIO = 1.5
"""A vent this much slower than the median of the others. Choice: the bladders of one wrap differ by a third; a hose that the device already
calls blocked is twice as slow."""

ONSET_RATIO, ONSET_S = 1.5, 0.15
"""The slack takes this much longer to unfold than in the others, and by at least that time. Choices: as for vents; seven samples."""

REST_MMHG = 2.0
"""Choice: over what zeroing leaves, 0.2 mmHg, and what a vent leaves after five seconds."""

MOVED_S = 0.3
"""In one hold. Choice: shorter is a twitch."""


@dataclass(frozen=True, slots=True)
class Finding:
    """``chamber`` is ``None`` where it concerns the whole wrap. ``text`` is a sentence with what to do."""

    kind: FindingKind
    chamber: int | None
    value: str

    @property
    def text(self) -> str:
        """For a person."""
        where = "the wrap" if self.chamber is None else f"chamber {self.chamber + 1}"
        return f"{where} ({self.value}): {advise_finding(self.kind)}"


def diagnose(compressions: Iterable[Compression]) -> list[Finding]:
    """Findings of one wrap from its finished compressions, any order, at most one of a kind a chamber."""
    by_chamber = _by_chamber(compressions)
    settled = _settled(by_chamber)
    return [*_leaks(settled), *_slow_vents(settled), *_loose(by_chamber), *_lags(settled), *_offsets(settled), *_movements(by_chamber)]


def fall_rates_mmhg_s(compressions: Iterable[Compression]) -> dict[int, tuple[float, float]]:
    """By chamber: how fast its holds fall between refills, and how fast the others' would at its pressure; what it falls faster leaks.

    A bladder that gives way does so in proportion to its pressure, and in a graded wave no two chambers have the same.
    """
    return _falls(_settled(_by_chamber(compressions)))


def _falls(chambers: dict[int, list[Compression]]) -> dict[int, tuple[float, float]]:
    targets_mmhg = {chamber: target for chamber, ones in chambers.items() if (target := _typical(ones, "target_mmhg"))}
    falls_mmhg_s = {at: fall for at, ones in chambers.items() if at in targets_mmhg and (fall := _typical(ones, "fall_mmhg_s")) is not None}
    found: dict[int, tuple[float, float]] = {}
    for chamber, fall_mmhg_s in falls_mmhg_s.items():
        others = [fall / targets_mmhg[at] for at, fall in falls_mmhg_s.items() if at != chamber]
        if others:
            found[chamber] = fall_mmhg_s, median(others) * targets_mmhg[chamber]
    return found


def _by_chamber(compressions: Iterable[Compression]) -> dict[int, list[Compression]]:
    by_chamber: dict[int, list[Compression]] = defaultdict(list)
    for one in sorted(compressions, key=lambda one: (one.chamber, one.number)):
        by_chamber[one.chamber].append(one)
    return by_chamber


def _settled(by_chamber: dict[int, list[Compression]]) -> dict[int, list[Compression]]:
    """The first compression of a session is a gentle one and compares with nothing."""
    return {chamber: ones[1:] for chamber, ones in by_chamber.items() if len(ones) > LEAST}


def _typical(compressions: Sequence[Compression], name: str) -> float | None:
    """Median of the last values; ``None`` with fewer than :data:`LEAST`."""
    values = [value for one in compressions if (value := getattr(one, name)) is not None]
    return median(values[-LEAST:]) if len(values) >= LEAST else None


def _against_others(chambers: dict[int, list[Compression]], name: str) -> Iterable[tuple[int, float, float]]:
    """Chamber, its typical value and the median of the others', where there are others."""
    typical = {chamber: value for chamber, ones in chambers.items() if (value := _typical(ones, name)) is not None}
    for chamber, value in typical.items():
        others = [other for at, other in typical.items() if at != chamber]
        if others:
            yield chamber, value, median(others)


def _leaks(chambers: dict[int, list[Compression]]) -> Iterable[Finding]:
    for chamber, (fall_mmhg_s, others_mmhg_s) in _falls(chambers).items():
        if fall_mmhg_s - others_mmhg_s > LEAK_MMHG_S:
            value = f"falls by {fall_mmhg_s:.2f} mmHg/s, the others at its pressure by {others_mmhg_s:.2f}"
            yield Finding(FindingKind.LEAK, chamber, value)


def _slow_vents(chambers: dict[int, list[Compression]]) -> Iterable[Finding]:
    for chamber, tau_s, others_s in _against_others(chambers, "vent_tau_s"):
        if tau_s > TAU_RATIO * others_s:
            yield Finding(FindingKind.SLOW_VENT, chamber, f"time constant {tau_s:.2f} s, the others {others_s:.2f} s")


def _loose(chambers: dict[int, list[Compression]]) -> Iterable[Finding]:
    for chamber, onset_s, others_s in _against_others(chambers, "onset_s"):
        if onset_s > ONSET_RATIO * others_s and onset_s - others_s > ONSET_S:
            yield Finding(FindingKind.LOOSE, chamber, f"{onset_s:.1f} s until 5 mmHg, the others {others_s:.1f} s")


def _lags(chambers: dict[int, list[Compression]]) -> Iterable[Finding]:
    """Against the chamber's own first compressions; when all have it, it is the pump."""
    grown_s: dict[int, float] = {}
    for chamber, ones in chambers.items():
        lags_s = [one.lag_s for one in ones if one.lag_s is not None]
        if len(lags_s) >= 2 * LEAST:
            grown_s[chamber] = median(lags_s[-LEAST:]) - median(lags_s[:LEAST])
    late = [chamber for chamber, growth_s in grown_s.items() if growth_s > LAG_S]
    if len(late) == len(grown_s) > 1:
        yield Finding(FindingKind.WEAK_SUPPLY, None, f"{median(grown_s.values()):.1f} s later than at first")
    else:
        for chamber in late:
            yield Finding(FindingKind.SLOW_FILL, chamber, f"{grown_s[chamber]:.1f} s later than at first")


def _offsets(chambers: dict[int, list[Compression]]) -> Iterable[Finding]:
    for chamber, ones in chambers.items():
        rest_mmhg = _typical(ones, "rest_mmhg")
        if rest_mmhg is not None and abs(rest_mmhg) > REST_MMHG:
            yield Finding(FindingKind.OFFSET, chamber, f"{rest_mmhg:+.1f} mmHg at rest")


def _movements(chambers: dict[int, list[Compression]]) -> Iterable[Finding]:
    """One for the whole wrap: a leg moves all of it."""
    holds = sum(one.moved_s > MOVED_S for ones in chambers.values() for one in ones)
    if holds:
        yield Finding(FindingKind.LIMB_MOVED, None, f"in {holds} {'hold' if holds == 1 else 'holds'}")
