"""What the models of a program take and refuse."""

import pytest
from pydantic import ValidationError
from tests.support.programs import make_program

from wavewrap_gateway.core.fit import Fit, Problem, chamber_pressures, fit_program
from wavewrap_protocol.errors import UsageError


@pytest.mark.parametrize(
    "keys",
    [
        {"chambers": [1]},  # isolation alone reads it
        {"hold_behind_pct": [50]},  # the pulse alone reads it
        {"pattern": "isolation", "chambers": [1], "direction": "distal_to_proximal"},  # the list is the order
        {"pattern": "isolation"},
        {"pattern": "isolation", "chambers": []},
        {"pattern": "isolation", "chambers": [1, 1]},
        {"pattern": "isolation", "chambers": [9]},
        {"pattern": "isolation", "chambers": [0]},
        {"pattern": "sequential_pulse"},
        {"pattern": "sequential_pulse", "hold_behind_pct": [50, 70]},
        {"pattern": "tsunami"},
        {"direction": "up"},
        {"pressure_mmhg": "60"},
        {"pressure_mmhg": True},
        {"pressure_mmhg": float("nan")},
        {"pressure_mmhg": float("inf")},
        {"pressure_mmhg": 0},
        {"gradient_mmhg": -1},
        {"gradient_mmhg": [5, -5]},
        {"soft_cycles_pct": [90, 80]},
        {"soft_cycles_pct": [101]},
        {"overlap_s": 3.5},
        {"overlap_s": -1},
        {"inflate_s": 0},
        {"period_s": 60},
        {"hold_s": None},
        {"name": "Two Words"},
        {"title": "two\nlines"},
    ],
)
def test_a_wrong_table_is_refused(keys: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        make_program(**keys)


@pytest.mark.parametrize(
    ("keys", "pressures_mmhg"),
    [
        ({}, (60, 60, 60, 60)),
        ({"gradient_mmhg": 5}, (60, 55, 50, 45)),
        ({"gradient_mmhg": 15, "floor_mmhg": 35}, (60, 45, 35, 35)),
        ({"gradient_mmhg": [5, 10, 0]}, (60, 55, 45, 45)),
        ({"gradient_mmhg": [5, 10, 0, 10, 10]}, (60, 55, 45, 45)),
        ({"gradient_mmhg": 5, "boost_mmhg": [0, 10]}, (60, 65, 50, 45)),
        ({"floor_mmhg": 70}, (60, 60, 60, 60)),
    ],
)
def test_pressures_follow_gradient_floor_and_boost(keys: dict[str, object], pressures_mmhg: tuple[float, ...]) -> None:
    assert chamber_pressures(make_program(**keys), 4) == pressures_mmhg


@pytest.mark.parametrize(
    ("keys", "key", "words"),
    [
        ({"boost_mmhg": [0, 0, 0, 0, 5]}, "boost_mmhg", "leave out 1"),
        ({"gradient_mmhg": [5]}, "gradient_mmhg", "add 2"),
        ({"gradient_mmhg": 20}, "gradient_mmhg", "chamber 4 would get 0 mmHg"),
        ({"pattern": "isolation", "chambers": [2, 5]}, "chambers", "name 1 to 4"),
        ({"rest_s": None, "period_s": 15}, "period_s", "at least 19.0 s"),
        ({"pattern": "alternating"}, "rest_s", "more than half"),
        ({"pattern": "alternating", "rest_s": None, "period_s": 37}, "period_s", "more than half"),
        ({"pattern": "travelling_wave", "overlap_s": 9}, "overlap_s", "8.0 s"),
    ],
)
def test_a_program_that_does_not_fit_says_which_key(keys: dict[str, object], key: str, words: str) -> None:
    problem = fit_program(make_program(**keys), 4)
    assert isinstance(problem, Problem)
    assert problem.key == key
    assert words in str(problem)


@pytest.mark.parametrize("chambers", [0, 9, -1])
def test_no_wrap_has_so_many_chambers(chambers: int) -> None:
    with pytest.raises(UsageError, match="1 to 8"):
        fit_program(make_program(), chambers)


@pytest.mark.parametrize("pattern", ["sequential_hold", "travelling_wave"])
@pytest.mark.parametrize("left_out", ["hold_s", "rest_s", "period_s"])
def test_the_third_time_follows_from_the_other_two(pattern: str, left_out: str) -> None:
    # sequential_hold: 3 x 3 s delay + 3 + 5 + 2 + 10 = 29 s; travelling_wave: 3 x 8 s + 20 = 44 s
    period_s = {"sequential_hold": 29.0, "travelling_wave": 44.0}[pattern]
    keys = {"hold_s": 5.0, "rest_s": 10.0, "period_s": period_s, left_out: None}
    fit = fit_program(make_program(pattern=pattern, **keys), 4)
    assert isinstance(fit, Fit)
    assert (fit.hold_s, fit.rest_s, fit.cycle_s) == pytest.approx((5.0, 10.0, period_s))
