"""The text of a program: every fault in one line that names its line in the file."""

import json

import pytest
from tests.support.programs import board_of, make_table

from wavewrap_gateway.core.program_file import parse_program
from wavewrap_protocol.errors import UsageError


def _text(**keys: object) -> str:
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in make_table(**keys).items())


def _refusal(text: str) -> str:
    with pytest.raises(UsageError) as caught:
        parse_program(text, "my.toml", board_of(4))
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_good_text() -> None:
    program = parse_program("# first\n" + _text(soft_cycles_pct=[80]), "my.toml", board_of(4))
    assert (program.name, program.soft_cycles_pct, program.duration_s) == ("plain", (80.0,), 600.0)


# The plain table has pattern in line 5, pressure_mmhg in 6, inflate_s 7, hold_s 8, release_s 9, rest_s 10; added keys follow from 11 on.
@pytest.mark.parametrize(
    ("keys", "start", "words"),
    [
        ({"pressure_mmhg": 95}, "my.toml:6: pressure_mmhg 95: over the ceiling of 80 mmHg; lower it to 80 or less", ""),
        ({"pressure_mmhg": "60"}, "my.toml:6: pressure_mmhg '60': should be a valid number", ""),
        ({"pressure_mmhg": -1}, "my.toml:6: pressure_mmhg -1: should be greater than 0", ""),
        ({"presure_mmhg": 5}, "my.toml:11: presure_mmhg: unknown key; did you mean pressure_mmhg?", ""),
        ({"zzz": 5}, "my.toml:11: zzz: unknown key; sequential_hold reads name, ", "direction"),
        ({"chambers": [1]}, "my.toml:11: chambers: the pattern sequential_hold does not read it; take it out", "isolation"),
        ({"pattern": "tsunami"}, "my.toml:5: pattern 'tsunami': unknown; use one of sequential_hold, ", "isolation"),
        ({"pattern": None}, "my.toml:1: pattern is missing: add one of sequential_hold, ", "isolation"),
        ({"inflate_s": None}, "my.toml:1: inflate_s is missing: add it", ""),
        ({"period_s": 60}, "my.toml:11: period_s 60: give two of hold_s, rest_s and period_s", "not 3"),
        ({"rest_s": None}, "my.toml:8: hold_s 5: give two of hold_s, rest_s and period_s", "not 1"),
        ({"rest_s": None, "hold_s": None}, "my.toml:5: pattern sequential_hold: give two of", "not 0"),
        ({"overlap_s": 4}, "my.toml:11: overlap_s 4: longer than inflate_s 3; make it 3 or less", ""),
        ({"soft_cycles_pct": [90, 80]}, "my.toml:11: soft_cycles_pct [90, 80]: the first cycles must rise", ""),
        ({"gradient_mmhg": [5, -5, 5]}, "my.toml:11: gradient_mmhg.1 -5: should be greater than or equal to 0", ""),
        ({"gradient_mmhg": "steep"}, "my.toml:11: gradient_mmhg 'steep': should be a valid number", ""),
        ({"boost_mmhg": [0, 30]}, "my.toml:11: boost_mmhg[1] 30: lifts chamber 2 to 90 mmHg", "lower it by 10 or more"),
        ({"name": "My Program"}, "my.toml:1: name 'My Program': use small letters", "calf-wave"),
        ({"pattern": "isolation", "chambers": [5]}, "my.toml:11: chambers[0] 5: the wrap has 4 chambers; name 1 to 4", ""),
        ({"pattern": 5}, "my.toml:5: pattern 5: unknown; use one of", ""),
        ({"pressure_mmhg": 95, "inflate_s": 61}, "my.toml:6: pressure_mmhg 95: ", "(and 2 more)"),
    ],
)
def test_every_fault_names_its_line(keys: dict[str, object], start: str, words: str) -> None:
    message = _refusal(_text(**keys))
    assert message.startswith(start)
    assert words in message


def test_an_entry_of_a_list_names_its_own_line() -> None:
    assert _refusal(_text() + "boost_mmhg = [\n  0,\n  30,  # too much\n]\n").startswith("my.toml:13: boost_mmhg[1] 30")


def test_a_table_that_does_not_belong_names_its_header() -> None:
    assert _refusal(_text() + "\n[timing]\ninflate_s = 3\n").startswith("my.toml:12: timing: unknown key")


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("a = 1\nb = \n", "my.toml:2: Invalid value"),
        ("a = 1\na = 2\n", "my.toml:2: Cannot overwrite a value"),
        ("a = [1,\n2\n", "my.toml:2: Unclosed array"),
        ("nonsense", "my.toml:1: Expected '='"),
    ],
)
def test_a_syntax_error_names_its_line(text: str, start: str) -> None:
    assert _refusal(text).startswith(start)


def test_brackets_without_end() -> None:
    assert "nested too deep" in _refusal("a = " + "[" * 20_000)


@pytest.mark.parametrize("number", ["9" * 400, "1e400", "nan", "-inf", "1979-05-27", "true", "{}", "[[]]"])
@pytest.mark.parametrize("key", ["pressure_mmhg", "gradient_mmhg", "boost_mmhg", "hold_s"])
def test_no_number_at_all(key: str, number: str) -> None:
    assert _refusal(_text(**{key: None}) + f"{key} = {number}\n").startswith("my.toml:1")


def test_an_empty_text() -> None:
    assert _refusal("").startswith("my.toml:1: pattern is missing")


def test_a_long_value_is_cut() -> None:
    assert len(_refusal(_text(pressure_mmhg="9" * 5000))) < 200
