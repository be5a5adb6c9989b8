"""Programs for tests: a plain one with chosen keys, and random ones."""

from functools import cache

from hypothesis import strategies as st

from wavewrap_board.board import Board
from wavewrap_board.files import REFERENCE_BOARD, load_board
from wavewrap_gateway.core.program import PROGRAM, Program

_PLAIN: dict[str, object] = {
    "name": "plain",
    "title": "Plain",
    "description": "",
    "duration_min": 10,
    "pattern": "sequential_hold",
    "pressure_mmhg": 60,
    "inflate_s": 3,
    "hold_s": 5,
    "release_s": 2,
    "rest_s": 10,
}


@cache
def board_of(chambers: int) -> Board:
    """The reference board with so many chambers."""
    return load_board(REFERENCE_BOARD).with_chambers(chambers)


def make_table(**keys: object) -> dict[str, object]:
    """The plain table with ``keys`` changed; a key given as None is left out."""
    return {key: value for key, value in {**_PLAIN, **keys}.items() if value is not None}


def make_program(**keys: object) -> Program:
    """The plain program with ``keys`` changed; a key given as None is left out."""
    return PROGRAM.validate_python(make_table(**keys))


def _tenths(least: int, most: int) -> st.SearchStrategy[float]:
    return st.integers(least * 10, most * 10).map(lambda tenths: tenths / 10)


@st.composite
def random_programs(draw: st.DrawFn) -> Program:
    """Programs of every pattern that the schema takes; most of them are within the limits too."""
    pattern = draw(st.sampled_from(["sequential_hold", "travelling_wave", "sequential_pulse", "alternating", "isolation"]))
    inflate_s = draw(_tenths(1, 5))
    keys: dict[str, object] = {
        "pattern": pattern,
        "duration_min": draw(st.integers(10, 60)),
        "pressure_mmhg": draw(_tenths(30, 80)),
        "gradient_mmhg": draw(st.one_of(_tenths(0, 8), st.lists(_tenths(0, 8), min_size=7, max_size=7))),
        "floor_mmhg": draw(_tenths(10, 40)),
        "soft_cycles_pct": sorted(draw(st.lists(st.integers(50, 100), max_size=4))),
        "inflate_s": inflate_s,
        "overlap_s": min(inflate_s, draw(_tenths(0, 5))),
        "hold_s": draw(_tenths(0, 6)),
        "release_s": draw(_tenths(2, 4)),
        "rest_s": draw(_tenths(2, 40)),
        "period_s": draw(_tenths(60, 90)),
    }
    keys[draw(st.sampled_from(["hold_s", "rest_s", "period_s"]))] = None
    if pattern == "isolation":
        keys["chambers"] = draw(st.lists(st.integers(1, 8), min_size=1, max_size=3, unique=True))
    else:
        keys["direction"] = draw(st.sampled_from(["distal_to_proximal", "proximal_to_distal"]))
    if pattern == "sequential_pulse":
        keys["hold_behind_pct"] = sorted(draw(st.lists(st.integers(20, 100), min_size=1, max_size=3)), reverse=True)
    return make_program(**keys)
