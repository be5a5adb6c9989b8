"""Schemes and bills of materials: what is committed is what the board file gives, and says what the board says."""

import csv
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from wavewrap_board.bill_of_materials import BillRow, list_parts, write_bill
from wavewrap_board.board import Board
from wavewrap_board.files import board_names, load_board
from wavewrap_board.pneumatic_scheme import draw_pneumatics
from wavewrap_board.wiring_scheme import draw_wiring
from wavewrap_protocol.limits import CHAMBERS_MAX

HARDWARE = Path(__file__).parents[2] / "hardware"
SVG = "{http://www.w3.org/2000/svg}"
DRAWERS = {"pneumatics": draw_pneumatics, "wiring": draw_wiring}


def _words(svg: str) -> list[str]:
    return ["".join(text.itertext()) for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("name", board_names())
@pytest.mark.parametrize("kind", DRAWERS)
def test_the_committed_drawings_are_the_boards(name: str, kind: str) -> None:
    committed = (HARDWARE / "schemes" / f"{name}_{kind}.svg").read_text(encoding="utf-8")
    assert committed == DRAWERS[kind](load_board(name)), f"run: wavewrap board draw {name} --to hardware/schemes"


@pytest.mark.parametrize("name", board_names())
def test_the_committed_bill_is_the_boards(name: str) -> None:
    with (HARDWARE / "bom" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        text = file.read()
    assert text == write_bill(load_board(name)), f"run: wavewrap board bom {name} --to hardware/bom/{name}.csv"


@pytest.mark.parametrize("count", range(1, CHAMBERS_MAX + 1))
def test_a_drawing_shows_every_part_and_pin(count: int) -> None:
    board = load_board("wrap_rev_a").with_chambers(count)
    pneumatics, wiring = _words(draw_pneumatics(board)), _words(draw_wiring(board))
    for number, chamber in enumerate(board.chambers, 1):
        assert f"{number} {chamber.name}" in pneumatics
        for part in (f"inlet {number}, NC", f"vent {number}, NO", f"P{number}"):
            assert part in pneumatics
    assert "dump, NO" in pneumatics
    for _, pin in board.mcu.pins.by_function():
        assert wiring.count(pin) == 1, pin


@pytest.mark.parametrize("drawer", DRAWERS.values())
def test_everything_lies_inside_the_picture_and_no_words_on_words(drawer: object) -> None:
    assert callable(drawer)
    root = ElementTree.fromstring(drawer(load_board("wrap_rev_b")))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    boxes: list[tuple[float, float, float, float]] = []
    for text in root.iter(f"{SVG}text"):
        words = "".join(text.itertext())
        # Six tenths of the size for each letter: wider than the fonts named.
        size = {"small": 10.5, "title": 18.0}.get(text.attrib.get("class", ""), 12.0)
        long = 0.6 * size * len(words)
        left = float(text.attrib["x"]) - {"start": 0.0, "middle": 0.5, "end": 1.0}[text.attrib["text-anchor"]] * long
        base = float(text.attrib["y"])
        assert left >= 0, words
        assert left + long <= width, words
        assert size <= base <= height - 3, words
        boxes.append((left, base - 0.75 * size, left + long, base))
    for at, (left, top, right, bottom) in enumerate(boxes):
        for other_left, other_top, other_right, other_bottom in boxes[:at]:
            assert left >= other_right or other_left >= right or top >= other_bottom or other_top >= bottom, boxes[at]


def test_a_drawing_follows_its_board() -> None:
    board = load_board("wrap_rev_a")
    other = board.model_copy(update={"limiter": board.limiter.model_copy(update={"trip_mmhg": 96.0})})
    for drawer in DRAWERS.values():
        assert drawer(other) != drawer(board)
        assert any("96" in words for words in _words(drawer(other)))


def _row(board: Board, function: str) -> BillRow:
    (row,) = [row for row in list_parts(board) if row.function.startswith(function)]
    return row


@pytest.mark.parametrize("count", range(1, CHAMBERS_MAX + 1))
def test_quantities_follow_the_chambers(count: int) -> None:
    board = load_board("wrap_rev_a").with_chambers(count)
    assert sum(row.quantity for row in list_parts(board) if row.part.startswith("bladder")) == count
    assert [_row(board, f"{role}:").quantity for role in ("inlet", "vent", "dump")] == [count, count, 1]
    assert _row(board, "one a chamber, one for the manifold").quantity == count + 1
    assert _row(board, "limiter:").quantity == count
    assert _row(board, "valve block to bladder").quantity == count
    assert _row(board, "one a coil, one for the pump's PWM").quantity == 2 * count + 2


@pytest.mark.parametrize("name", board_names())
def test_key_figures_are_the_boards(name: str) -> None:
    board = load_board(name)
    with (HARDWARE / "bom" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = {(row["part"], row["function"]): row for row in csv.DictReader(file)}
    assert all(all(row.values()) for row in rows.values()), "no empty cell"
    figures = {
        function.split(":")[0]: [float(text) for text in re.findall(r"\d+\.?\d*", row["key_figures"])]
        for (_, function), row in rows.items()
    }
    assert figures["air"] == pytest.approx([round(board.pump.free_flow_ml_s * 0.06 / 2, 1), board.pump.stall_mmhg, board.pump.power_w / 2])
    for role in ("inlet", "vent", "dump"):
        valve = getattr(board.valves, role)
        assert figures[role] == pytest.approx([valve.conductance_ml_s_bar / 1000, 1000 * (valve.dead_s + valve.lag_s), valve.coil_w])
    assert figures["limiter"] == [board.limiter.trip_mmhg, board.limiter.tolerance_mmhg, 1000 * board.limiter.delay_s]
    assert figures["bounds the manifold when every inlet is shut"][0] == board.manifold.relief_mmhg
    # Pump, one inlet, every vent and the dump at once, and the electronics.
    most_w = board.pump.power_w + 0.5 * (len(board.chambers) + 2) + board.battery.electronics_w
    assert figures["supply"][-1] == pytest.approx(most_w)
