"""A wave as lines of text: one strip of block characters per chamber. Pure: it prints nothing."""

from math import ceil, floor

from wavewrap_gateway.core.wave import Wave

__all__ = ["chart_lines"]

_BLOCKS = " ▁▂▃▄▅▆▇█"
_LABEL_COLUMNS = 11
_STRIP_ROWS = 3
"""Choice: 24 steps of height, and eight chambers still fit a screen of 40 lines."""
_FULL_EIGHTHS = _STRIP_ROWS * 8 - 3
"""The highest target leaves a gap to the strip above."""
_TICK_COLUMNS = 8
"""Least distance of two numbers on the time axis."""
_TICK_STEPS_S = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600)


def chart_lines(wave: Wave, until_s: float, columns: int) -> list[str]:
    """Target pressure of every chamber from 0 to ``until_s``, the most proximal on top, as lines of at most ``columns`` characters.

    Every column shows the highest target within its slice of time, so that no short pulse is lost. All strips share one scale, from 0 to
    the highest target of the wave.
    """
    width = max(_TICK_COLUMNS, columns - _LABEL_COLUMNS)
    top_mmhg = max(wave.peaks_mmhg)
    lines: list[str] = []
    for chamber in reversed(range(wave.chambers)):
        heights = [peak_mmhg * _FULL_EIGHTHS / top_mmhg for peak_mmhg in _column_peaks(wave, chamber, until_s, width)]
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
        column = max(0, ceil(at_s / slice_s) - 1)  # a corner on an edge belongs to the slice that it ends
        peaks[column] = max(peaks[column], target_mmhg)
    return peaks


def _axis_lines(until_s: float, width: int) -> list[str]:
    """Rule and numbers of the time axis, a tick at round seconds."""
    column_s = until_s / width
    step_s = next((step_s for step_s in _TICK_STEPS_S if step_s >= _TICK_COLUMNS * column_s), _TICK_STEPS_S[-1])
    rule, numbers = ["─"] * width, [" "] * width
    for tick in range(floor(until_s / step_s) + 1):
        column, number = round(tick * step_s / column_s), str(tick * step_s)
        if column + len(number) <= width:
            rule[column] = "┬"
            numbers[column : column + len(number)] = number
    indent = " " * (_LABEL_COLUMNS - 2)
    return [f"{indent} └{''.join(rule)}", f"{'s':>{_LABEL_COLUMNS - 2}}  {''.join(numbers)}".rstrip()]
