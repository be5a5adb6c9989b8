"""Board files: the ones that ship, every check provoked, variants with fewer and more chambers."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wavewrap_board.board import Board
from wavewrap_board.checks import blowing_mmhg, limiter_overrun_mmhg
from wavewrap_board.files import REFERENCE_BOARD, board_names, load_board
from wavewrap_board.sizing import size_chamber
from wavewrap_protocol import limits
from wavewrap_protocol.errors import UsageError

BOARDS = Path(__file__).parents[2] / "hardware" / "boards"


def _table() -> dict[str, Any]:
    return tomllib.loads((BOARDS / "wrap_rev_a.toml").read_text(encoding="utf-8"))


def _set(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(table: dict[str, Any]) -> None:
        node: Any = table
        *parents, key = path.split(".")
        for parent in parents:
            node = node[int(parent)] if isinstance(node, list) else node[parent]
        node[key] = value

    return change


def test_the_boards_that_ship() -> None:
    assert board_names() == ["wrap_rev_a", "wrap_rev_b"]
    assert REFERENCE_BOARD == "wrap_rev_a"
    assert [len(load_board(name).chambers) for name in board_names()] == [4, 6]
    for name in board_names():
        board = load_board(name)
        assert board.name == name
        assert board.limits.ceiling_mmhg == limits.CEILING_DEFAULT_MMHG
        # The limiter holds the hardware ceiling with something to spare in the worst of the spread.
        worst_mmhg = board.limiter.trip_mmhg + board.limiter.tolerance_mmhg + limiter_overrun_mmhg(board)
        assert 100 < worst_mmhg < board.limiter.hardware_ceiling_mmhg <= limits.CEILING_MAX_MMHG


# Each row breaks one thing; the words must name it, its value and the remedy.
@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("valves.inlet.rest", "open", "valves.inlet.rest open: without power a wrap must empty; fit a valve that rests closed"),
        ("valves.vent.rest", "closed", "valves.vent.rest closed: .* rests open"),
        ("valves.dump.rest", "closed", "valves.dump.rest closed: .* rests open"),
        ("limits.ceiling_mmhg", 95, "limits.ceiling_mmhg 95: over limits.ceiling_max_mmhg 90"),
        ("limits.ceiling_max_mmhg", 111, "limits.ceiling_max_mmhg 111: looser than the protocol's 110"),
        ("limits.hold_max_s", 71, "limits.hold_max_s 71: looser than the protocol's 70"),
        ("limits.session_max_s", 3601, "limits.session_max_s 3601: looser"),
        ("limits.vent_min_s", 1, "limits.vent_min_s 1: looser than the protocol's 2; raise it"),
        ("control.centre_mmhg", 1.5, "control.centre_mmhg 1.5: not inside the band of"),
        ("sensors.noise_mmhg", 0.6, "control.band_mmhg .*: under 3 times the noise of 0.6 mmHg"),
        ("pump.stall_mmhg", 90, "pump.stall_mmhg 90: weak by the spread the pump never reaches the ceiling of 90 mmHg; fit"),
        ("pump.stall_mmhg", 120, "pump.stall_mmhg 120: weak by the spread"),
        (
            "chambers.1.leak_ml_s_mmhg",
            1.0,
            "chambers.1.leak_ml_s_mmhg 1: loses 90.0 ml/s at 90 mmHg, where the pump brings 120.4; tighten it",
        ),
        ("manifold.relief_mmhg", 110, "manifold.relief_mmhg 110: filling a chamber to 90 mmHg takes 111 mmHg .* 123 or more"),
        ("valves.inlet.conductance_ml_s_bar", 100, "manifold.relief_mmhg 160: .* or fit larger inlet valves"),
        ("manifold.rated_mmhg", 170, "manifold.rated_mmhg 170: .* 178 mmHg; fit a larger relief"),
        ("manifold.relief_ml_s_mmhg", 0.1, "manifold.rated_mmhg 300: .* larger relief"),
        ("manifold_sensor.range_mmhg", 150, "manifold_sensor.range_mmhg 150: the manifold reaches 178 mmHg"),
        ("chambers.2.compliance_ml_mmhg", 3, "chambers.2: 303 ml at 90 mmHg, but sheets of 190 x 60 mm hold 218 ml at most"),
        ("valves.vent.conductance_ml_s_bar", 30, "chambers.0: through vent it takes .* s from 80 to under 15 mmHg in the worst"),
        ("valves.dump.conductance_ml_s_bar", 10, "chambers.0: through inlet and dump it takes"),
        ("limiter.trip_mmhg", 94, "limiter.trip_mmhg 94: may trip at 91 mmHg, not 2 mmHg clear of limits.ceiling_max_mmhg 90"),
        ("limiter.delay_s", 0.05, "limiter.hardware_ceiling_mmhg 110: a chamber reaches .* lower the trip or its delay"),
        ("limiter.hardware_ceiling_mmhg", 115, "limiter.hardware_ceiling_mmhg 115: over the protocol's 110"),
        ("sensors.range_mmhg", 105, "sensors.range_mmhg 105: does not show the hardware ceiling of 110"),
        ("watchdog.timeout_s", 0.5, r"watchdog.timeout_s 0.5: choose 0.03 to 0.2 s"),
        ("watchdog.timeout_s", 0.01, r"watchdog.timeout_s 0.01: choose"),
        ("battery.reserve_pct", 20, "battery: fault_pct 5, reserve_pct 20, arm_pct 20: each must be over the one before"),
        ("mcu.pins.vents", ["P0.08"], "mcu.pins.vents: 1 pins for 4 chambers"),
        ("mcu.pins.led", "P0.02", "mcu.pins: P0.02 is used by pump pwm and led; give each function its own pin"),
        ("mcu.pins.led", "P1.00", "mcu.pins: P1.00 is used by led and spare"),
    ],
)
def test_parts_that_do_not_suit_each_other(tmp_path: Path, path: str, value: object, words: str) -> None:
    with pytest.raises(UsageError, match=f"^mine.toml: {words}") as caught:
        _load_changed(tmp_path, path, value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("pump.free_flow_ml_s", 0, "pump.free_flow_ml_s: Input should be greater than 0"),
        ("pump.free_flow_ml_s", float("inf"), "pump.free_flow_ml_s: Input should be a finite number"),
        ("pump.colour", "red", "pump.colour: Extra inputs are not permitted"),
        ("valves.inlet.critical_ratio", 1.0, "valves.inlet.critical_ratio: Input should be less than 1"),
        ("chambers", [], "chambers: Tuple should have at least 1 item"),
        ("mcu.pins.led", "pin 7", "mcu.pins.led: String should match pattern"),
        ("control.method", "hope", "control.method: Input should be 'bang_bang' or 'pi_pwm'"),
        ("name", "Wrap A", "name: String should match pattern"),
    ],
)
def test_values_that_cannot_be(tmp_path: Path, path: str, value: object, words: str) -> None:
    with pytest.raises(UsageError, match=f"^mine.toml: {words}"):
        _load_changed(tmp_path, path, value)


def _load_changed(tmp_path: Path, path: str, value: object) -> Board:
    """The reference board with one value changed, as a person's own file; errors name it without its folder."""
    table = _table()
    _set(path, value)(table)
    (tmp_path / "mine.toml").write_text(_as_toml(table), encoding="utf-8")
    try:
        return load_board(tmp_path / "mine.toml")
    except UsageError as cause:
        raise UsageError(str(cause).replace(f"{tmp_path}/", "")) from cause


def _as_toml(table: dict[str, Any]) -> str:
    """Inline tables all the way: enough of TOML to write a board."""
    return "".join(f"{key} = {_value(value)}\n" for key, value in table.items())


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_value(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_value(entry) for entry in value) + "]"
    return repr(value).replace("'", '"') if not isinstance(value, str) else '"' + value.replace("\n", " ") + '"'


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(_as_toml({**_table(), "name": "mine"}), encoding="utf-8")
    mine = load_board(str(path))
    assert mine.name == "mine"
    assert mine.model_copy(update={"name": "wrap_rev_a", "description": ""}) == load_board("wrap_rev_a").model_copy(
        update={"description": ""}
    )


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("wrap_rev_x", "no board is called 'wrap_rev_x': did you mean wrap_rev_"),
        ("zzz", "there are wrap_rev_a, wrap_rev_b."),
        ("gone.toml", "gone.toml: cannot be read .No such file or directory.: give the path of a board file"),
        ("./gone", "gone: cannot be read"),
    ],
)
def test_an_unknown_board_is_refused_with_a_hint(source: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        load_board(source)


@pytest.mark.parametrize("content", [b"name = ", b'name = "\xff"'])
def test_a_file_that_is_no_toml(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mine.toml").write_bytes(content)
    with pytest.raises(UsageError, match="write it as TOML in UTF-8"):
        load_board(tmp_path / "mine.toml")


@pytest.mark.parametrize("name", ["wrap_rev_a", "wrap_rev_b"])
@pytest.mark.parametrize("count", range(1, limits.CHAMBERS_MAX + 1))
def test_variants_are_boards_too(name: str, count: int) -> None:
    board = load_board(name)
    variant = board.with_chambers(count)
    assert len(variant.chambers) == count
    shared = min(count, len(board.chambers))
    assert variant.chambers[:shared] == board.chambers[:shared]
    for extra in variant.chambers[len(board.chambers) :]:
        assert extra.model_copy(update={"name": ""}) == board.chambers[-1].model_copy(update={"name": ""})
    assert len({chamber.name for chamber in variant.chambers}) == count
    assert Board.model_validate(variant.model_dump()) == variant  # every check holds
    pins = sorted([pin for _, pin in variant.mcu.pins.by_function()] + list(variant.mcu.spare))
    assert pins == sorted([pin for _, pin in board.mcu.pins.by_function()] + list(board.mcu.spare))


@pytest.mark.parametrize("count", [0, 9])
def test_no_wrap_has_so_many_chambers(count: int) -> None:
    with pytest.raises(UsageError, match=f"wrap_rev_a: {count} chambers: a wrap has 1 to 8"):
        load_board("wrap_rev_a").with_chambers(count)


def test_pins_run_out() -> None:
    board = load_board("wrap_rev_a")
    poor = board.model_copy(update={"mcu": board.mcu.model_copy(update={"spare": board.mcu.spare[:4]})})
    assert len(poor.with_chambers(5).mcu.spare) == 1
    with pytest.raises(UsageError, match="6 chambers need 6 spare pins, there are 4"):
        poor.with_chambers(6)


def test_a_tube_by_the_book() -> None:
    # Poiseuille for 4 mm x 0.8 m: 8 x 1.83e-5 x 0.8 / (pi x 0.002^4) Pa s/m3 = 2.33e6, in mmHg s/ml 0.0175.
    assert load_board("wrap_rev_a").tube.resistance_mmhg_s_ml == pytest.approx(0.0175, rel=0.005)


@pytest.mark.parametrize("document", ["README.md", "bring_up.md"])
def test_the_text_gives_the_figures_of_the_reference_board(document: str) -> None:
    text = (BOARDS.parent / document).read_text(encoding="utf-8")
    board = load_board(REFERENCE_BOARD)
    limiter = board.limiter
    figures = [
        f"{limiter.trip_mmhg:g} +/- {limiter.tolerance_mmhg:g} mmHg",
        f"{limiter.delay_s * 1000:g} ms",
        f"{limiter.hardware_ceiling_mmhg:g} mmHg",
        f"{board.watchdog.timeout_s * 1000:g} ms",
        f"{blowing_mmhg(board):.0f}",
    ]
    if document == "bring_up.md":
        first_mmhg_s = board.pump.free_flow_ml_s * 760 / 2000  # into the 2 L bottle
        later_mmhg_s = first_mmhg_s * (1 - 100 / board.pump.stall_mmhg)
        figures += [f"{board.pump.free_flow_ml_s:g} ml/s", f"{first_mmhg_s:.0f} mmHg/s", f"{later_mmhg_s:.0f} mmHg/s"]
        figures += [f"within {board.sensors.offset_mmhg:g} mmHg", f"{board.manifold.relief_mmhg * 0.9:g} to", f"{board.pump.power_w:g} W"]
        sizes = [size_chamber(board, chamber, 60.0) for chamber in range(len(board.chambers))]
        for times_s in ([size.rise_s for size in sizes], [size.vent_15_s for size in sizes]):
            figures.append(f"{min(times_s) + 1e-9:.2f} to {max(times_s):.2f} s")
    assert [figure for figure in figures if figure not in text] == []
