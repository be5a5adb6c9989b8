"""A wave as lines of text: one strip of block characters per chamber. Pure: it prints nothing."""

from math import ceil

from wavewrap_gateway.core.wave import Wave

__all__ = ["chart_lines"]

_BLOCKS = " ▁▂▃▄▅▆▇█"
_LABEL_COLUMNS = 11
_STRIP_ROWS = 3
"""Choice: 24 steps of height, and eight chambers still fit a screen of 40 lines."""
_TICK_COLUMNS = 10


def chart_lines(wave: Wave, until_s: float, columns: int) -> list[str]:
    """Target pressure of every chamber from 0 to ``until_s``, the most proximal chamber on top, as lines of at most ``columns`` characters.

    Every column shows the highest target within its slice of time, so that no short pulse is lost. All strips share one scale, from 0 to the
    highest target of the wave.
    """
    width = max(_TICK_COLUMNS, columns - _LABEL_COLUMNS)
    top_mmhg = max(wave.peaks_mmhg)
    lines: list[str] = []
    for chamber in reversed(range(wave.chambers)):
        heights = [share * _STRIP_ROWS * 8 / top_mmhg for share in _column_peaks(wave, chamber, until_s, width)]
        name = f"{chamber + 1} {'distal' if chamber == 0 else ''}".strip()
        peak = f"{wave.peaks_mmhg[chamber]:g} mmHg"
        labels = [name, peak, ""]
        for row in range(_STRIP_ROWS):
            base = (_STRIP_ROWS - 1 - row) * 8
            strip = "".join(_BLOCKS[min(8, max(0, ceil(height - base)))] for height in heights)
            lines.append(f"{labels[row]:>{_LABEL_COLUMNS - 2}} │{strip}".rstrip())
    return lines + _axis_lines(until_s, width)


def _column_peaks(wave: Wave, chamber: int, until_s: float, width: int) -> list[float]:
    """Highest target in each of ``width`` slices: it lies at an edge of the slice or at a corner inside it."""
    slice_s = until_s / width
    peaks = [max(wave.target_at(column * slice_s)[chamber], wave.target_at((column + 1) * slice_s)[chamber]) for column in range(width)]
    for at_s, target_mmhg in wave.corners(chamber, until_s):
        column = min(int(at_s / slice_s), width - 1)
        peaks[column] = max(peaks[column], target_mmhg)
    return peaks


def _axis_lines(until_s: float, width: int) -> list[str]:
    ticks = range(0, width, _TICK_COLUMNS)
    rule = "".join("┴" if column in ticks else "─" for column in range(width))
    numbers = "".join(f"{column * until_s / width:<{_TICK_COLUMNS}.3g}" for column in ticks)
    return [f"{'':>{_LABEL_COLUMNS - 2}} └{rule[1:]}", f"{'s':>{_LABEL_COLUMNS - 2}}  {numbers[:width]}".rstrip()]
