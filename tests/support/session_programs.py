"""Programs short enough for a test on the real clock."""

from pathlib import Path

SHORT_S = 9.0
"""One cycle of the short program."""

CHAMBERS = (0, 2)
"""Those that the programs use, counted from 0."""

PRESSURE_MMHG = 40.0

_SHORT = """
name = "{name}"
title = "For tests"
description = "Two chambers in turn."
pattern = "isolation"
chambers = [1, 3]
duration_min = {duration_min}
pressure_mmhg = 40
inflate_s = 2
hold_s = {hold_s}
release_s = 2
rest_s = 2
"""


def write_short_program(folder: Path) -> Path:
    """A cycle of 9 s: see :data:`SHORT_S`."""
    return _write(folder, name="short", duration_min=0.2, hold_s=1)


def write_long_hold(folder: Path) -> Path:
    """A hold of 40 s from the fifth second on."""
    return _write(folder, name="long-hold", duration_min=1, hold_s=40)


def _write(folder: Path, *, name: str, duration_min: float, hold_s: float) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.toml"
    path.write_text(_SHORT.format(name=name, duration_min=duration_min, hold_s=hold_s).lstrip(), encoding="utf-8")
    return path
