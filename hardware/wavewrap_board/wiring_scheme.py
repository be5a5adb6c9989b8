"""The wiring of a board as SVG: pins of the processor, drivers, loads, and the two guards that cut the loads' supply without it."""

from wavewrap_board.board import Board
from wavewrap_board.svg import Svg

__all__ = ["draw_wiring"]

_ROW = 30.0
_TOP_Y = 245.0
_MCU_X = 420.0
_MCU_WIDTH = 210.0
_DRIVER_X = 790.0
_LOAD_X = 930.0
_RAIL_X = 1160.0
_WIDTH = 1200.0

Row = tuple[str, str, str]
"""Pin, function, what it leads to."""


def draw_wiring(board: Board) -> str:
    """The wiring of ``board``: inputs left, drivers and loads right, supply and guards on top."""
    left, right = _inputs(board), _outputs(board)
    height = _TOP_Y + _ROW * max(len(left), len(right)) + 80.0
    svg = Svg(_WIDTH, height, f"{board.title}: wiring")
    svg.text(30, 34, f"{board.name}: {board.title}, wiring", "title")
    svg.text(
        30,
        54,
        "Coils and pump hang on a rail of their own. Limiter and watchdog cut that rail by themselves; then everything rests.",
        "small",
    )
    _draw_supply(svg, board)
    rows = max(len(left), len(right))
    svg.box(_MCU_X, _TOP_Y - 20, _MCU_WIDTH, _ROW * rows + 20)
    svg.text(_MCU_X + _MCU_WIDTH / 2, _TOP_Y + _ROW * rows + 16, board.mcu.part, "small", "middle")
    for at, row in enumerate(left):
        _draw_input(svg, _TOP_Y + _ROW * at, row)
    for at, row in enumerate(right):
        _draw_output(svg, _TOP_Y + _ROW * at, row)
    svg.line((_RAIL_X, 120), (_RAIL_X, _TOP_Y + _ROW * (_drives(board) - 1)), look="power")
    svg.text(_RAIL_X + 8, 116, "rail", "bold")
    svg.text(
        30,
        height - 30,
        "Every load has a diode across it. NO: open at rest, energised to shut. NC: shut at rest, energised to open. "
        "Vents sit on the bladders, at the end of their cables.",
        "small",
    )
    return svg.finish()


def _inputs(board: Board) -> list[Row]:
    pins = board.mcu.pins
    rows = [
        (pins.sensor_clock, "sensor clock", "all sensors"),
        (pins.sensor_in, "sensor data in", "all sensors"),
        (pins.sensor_out, "sensor data out", "all sensors"),
        (pins.manifold_sensor_select, "select", "manifold sensor P0"),
    ]
    rows += [
        (pin, "select", f"sensor P{at}, {chamber.name}")
        for at, (pin, chamber) in enumerate(zip(pins.sensor_selects, board.chambers, strict=True), 1)
    ]
    return [
        *rows,
        (pins.stop_button, "stop", "button to ground"),
        (pins.limiter_state, "limiter state", "limiter latch"),
        (pins.battery_sense, "battery", "divider"),
        (pins.display_clock, "display clock", "display (passkey)"),
        (pins.display_data, "display data", "display (passkey)"),
        (pins.led, "light", "LED"),
    ]


def _outputs(board: Board) -> list[Row]:
    """Those that drive a load first; :func:`_drives` counts them."""
    pins, valves = board.mcu.pins, board.valves
    rows: list[Row] = [(pins.pump_enable, "pump enable", f"pump {board.pump.power_w:g} W"), (pins.pump_pwm, "pump PWM", "")]
    coils: tuple[tuple[str, tuple[str, ...]], ...] = (("inlet", pins.inlets), ("vent", pins.vents), ("dump", (pins.dump,)))
    for role, taken in coils:
        valve = getattr(valves, role)
        rest = "NO" if valve.rest == "open" else "NC"
        names = ["dump"] if role == "dump" else [f"{role} {at}" for at in range(1, len(taken) + 1)]
        rows += [(pin, name, f"{name}, {rest}, {valve.coil_w:g} W") for pin, name in zip(taken, names, strict=True)]
    return [*rows, (pins.watchdog_kick, "watchdog kick", ""), (pins.limiter_reset, "limiter reset", "")]


def _drives(board: Board) -> int:
    return len(_outputs(board)) - 2


def _draw_supply(svg: Svg, board: Board) -> None:
    battery, limiter, watchdog = board.battery, board.limiter, board.watchdog
    y = 120.0
    svg.line((150, y), (_RAIL_X, y), look="power")
    svg.box(30, y - 25, 120, 50)
    svg.text(90, y - 5, "battery", "bold", "middle")
    svg.text(90, y + 11, f"{battery.capacity_j / 1000:g} kJ", "small", "middle")
    svg.box(185, y - 14, 60, 28)
    svg.text(215, y + 4, "fuse", "", "middle")
    svg.line((290, y), (290, 175), (525, 175), (525, _TOP_Y - 60), look="power")
    svg.circle(290, y, 3.5, "reddot")
    svg.box(425, _TOP_Y - 84, 200, 28)
    svg.text(525, _TOP_Y - 66, f"regulator {board.mcu.supply_v:g} V", "", "middle")
    svg.line((525, _TOP_Y - 56), (525, _TOP_Y - 20), look="power")
    svg.box(660, y - 25, 210, 50, "guard")
    svg.text(765, y - 6, "limiter cut, latches", "bold", "middle")
    svg.text(765, y + 10, f"any of S1-S{len(board.chambers)} at {limiter.trip_mmhg:g} mmHg", "small", "middle")
    svg.box(900, y - 25, 210, 50, "guard")
    svg.text(1005, y - 6, "watchdog cut", "bold", "middle")
    svg.text(1005, y + 10, f"no kick for {watchdog.timeout_s * 1000:g} ms; resets too", "small", "middle")


def _draw_input(svg: Svg, y: float, row: Row) -> None:
    pin, function, leads_to = row
    svg.text(_MCU_X + 8, y + 4, pin)
    svg.line((230, y), (_MCU_X, y))
    svg.text(_MCU_X - 8, y - 4, function, "small", "end")
    svg.box(40, y - 11, 190, 22)
    svg.text(135, y + 4, leads_to, "", "middle")


def _draw_output(svg: Svg, y: float, row: Row) -> None:
    pin, function, load = row
    edge = _MCU_X + _MCU_WIDTH
    svg.text(edge - 8, y + 4, pin, "", "end")
    svg.text(edge + 8, y - 4, function, "small")
    svg.line((edge, y), (_DRIVER_X, y))
    if function in ("watchdog kick", "limiter reset"):
        svg.box(_DRIVER_X, y - 11, 90, 22, "guard")
        svg.text(_DRIVER_X + 45, y + 4, function.split()[0], "", "middle")
        return
    high = function == "pump enable"
    svg.box(_DRIVER_X, y - 11, 90, 22)
    svg.text(_DRIVER_X + 45, y + 4, "high side" if high else "low side", "", "middle")
    if function == "pump PWM":
        # The same pump: its other end.
        svg.line((_DRIVER_X + 90, y), (_LOAD_X + 90, y), (_LOAD_X + 90, y - _ROW + 11), look="power")
        return
    svg.line((_DRIVER_X + 90, y), (_LOAD_X, y), look="power")
    svg.box(_LOAD_X, y - 11, 180, 22)
    svg.text(_LOAD_X + 90, y + 4, load, "", "middle")
    if high:
        svg.line((_DRIVER_X + 45, y - 11), (_DRIVER_X + 45, y - 22), (_RAIL_X, y - 22), look="power")
        svg.circle(_RAIL_X, y - 22, 3.5, "reddot")
    else:
        svg.line((_LOAD_X + 180, y), (_RAIL_X, y), look="power")
        svg.circle(_RAIL_X, y, 3.5, "reddot")
