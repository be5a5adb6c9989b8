"""The pneumatic scheme of a board as SVG, in the symbols of ISO 1219: valves at rest, lines on the square beside the spring."""

from wavewrap_board.board import Board
from wavewrap_board.pneumatic_parts import Chamber, Valve
from wavewrap_board.svg import Svg

__all__ = ["draw_pneumatics"]

_SQUARE = 30.0
_COLUMN = 226.0
_LEFT = 330.0
_RAIL_Y = 215.0
_INLET_Y = 255.0
_BLADDER_Y = 470.0
_SENSE_Y = 590.0
_BOTTOM_Y = 690.0


def draw_pneumatics(board: Board) -> str:
    """The scheme of ``board``: what joins what, with the figures of its parts."""
    width = _LEFT + _COLUMN * len(board.chambers) + 85.0
    svg = Svg(width, _BOTTOM_Y, f"{board.title}: pneumatic scheme")
    svg.text(30, 34, f"{board.name}: {board.title}, pneumatic scheme", "title")
    svg.text(30, 54, "Drawn without power: pump off, inlets closed, vents and dump open. C is sonic conductance.", "small")
    _draw_source(svg, board)
    _draw_manifold(svg, board)
    for index, chamber in enumerate(board.chambers):
        _draw_column(svg, board, index, chamber, _LEFT + 95.0 + _COLUMN * index)
    legend = "Blue: air. Dashed: sense lines, one a sensor and one a switch. A kinked air tube neither blinds them nor shuts a vent in."
    svg.text(30, _BOTTOM_Y - 14, legend, "small")
    return svg.finish()


def _draw_source(svg: Svg, board: Board) -> None:
    pump, y = board.pump, _RAIL_Y
    svg.line((34, y), (250, y), look="air")
    svg.polygon((30, y - 12), (54, y), (30, y + 12))
    svg.text(28, y + 30, "filter", "small")
    svg.circle(115, y, 24)
    svg.polygon((139, y), (122, y - 10), (122, y + 10), look="line")
    svg.text(115, y - 50, f"{pump.units} pumps in parallel" if pump.units > 1 else "pump", "bold", "middle")
    svg.text(115, y - 34, f"{round(pump.free_flow_ml_s * 0.06, 1):g} L/min free, stall {pump.stall_mmhg:g} mmHg", "small", "middle")
    svg.text(115, y + 42, f"{pump.power_w:g} W", "small", "middle")
    # Check valve: a ball in its seat, towards the manifold.
    svg.line((222, y - 14), (204, y), (222, y + 14))
    svg.circle(213.5, y, 7)
    svg.text(210, y + 30, "check valve", "small", "middle")


def _draw_manifold(svg: Svg, board: Board) -> None:
    manifold, sensor = board.manifold, board.manifold_sensor
    svg.line((250, _RAIL_Y), (_LEFT + 95.0 + _COLUMN * (len(board.chambers) - 1), _RAIL_Y), look="air")
    svg.text(258, _RAIL_Y + 18, f"manifold {manifold.volume_ml:g} ml", "bold")
    x = _LEFT + 30.0
    svg.line((x, _RAIL_Y), (x, 150), look="sense")
    _draw_sensor(svg, x, 132, "P0")
    svg.text(x + 24, 128, "manifold sensor")
    svg.text(x + 24, 142, f"0-{sensor.range_mmhg:g} mmHg", "small")
    x += 185.0
    svg.line((x, _RAIL_Y), (x, 150), look="air")
    _draw_relief(svg, x, 120)
    svg.text(x + 44, 132, "relief valve")
    svg.text(x + 44, 146, f"opens at {manifold.relief_mmhg:g} mmHg", "small")
    x += 240.0
    svg.line((x, _RAIL_Y), (x, 150), look="air")
    _draw_valve(svg, x, 120, board.valves.dump, up=True)
    _draw_exhaust(svg, x, 120, up=True)
    _label_valve(svg, x + 38, 132, "dump", board.valves.dump)
    svg.circle(_LEFT + 30.0, _RAIL_Y, 3.5, "dot")
    for joint_x in (x, x - 240.0):
        svg.circle(joint_x, _RAIL_Y, 3.5, "dot")


def _draw_column(svg: Svg, board: Board, index: int, chamber: Chamber, x: float) -> None:
    number, valves = index + 1, board.valves
    svg.circle(x, _RAIL_Y, 3.5, "dot")
    svg.line((x, _RAIL_Y), (x, _BLADDER_Y), look="air")
    _draw_valve(svg, x, _INLET_Y, valves.inlet)
    _label_valve(svg, x + 38, _INLET_Y + 12, f"inlet {number}", valves.inlet)
    vent_x, vent_y = x + 96.0, _BLADDER_Y - 70.0
    svg.line((vent_x, vent_y + _SQUARE), (vent_x, _BLADDER_Y), look="air")
    _draw_valve(svg, vent_x, vent_y, valves.vent, up=True)
    _draw_exhaust(svg, vent_x, vent_y, up=True)
    _label_valve(svg, vent_x - 40, vent_y - 46, f"vent {number}", valves.vent)
    svg.text(x - 8, _BLADDER_Y - 44, "tube", "small", "end")
    svg.text(x - 8, _BLADDER_Y - 30, f"{board.tube.bore_mm:g} mm", "small", "end")
    svg.text(x - 8, _BLADDER_Y - 16, f"{board.tube.length_m:g} m", "small", "end")
    svg.box(x - 70, _BLADDER_Y, 190, 70, "bladder", 24)
    svg.text(x + 25, _BLADDER_Y + 28, f"{number} {chamber.name}", "bold", "middle")
    svg.text(x + 25, _BLADDER_Y + 46, f"{chamber.length_mm:g} x {chamber.width_mm:g} mm", "small", "middle")
    end = "distal" if index == 0 else "proximal" if number == len(board.chambers) else ""
    if end:
        svg.text(x + 25, _BLADDER_Y + 61, end, "small", "middle")
    bottom_y = _BLADDER_Y + 70
    svg.line((x - 25, bottom_y), (x - 25, _SENSE_Y), look="sense")
    _draw_sensor(svg, x - 25, _SENSE_Y + 18, f"P{number}")
    svg.text(x - 25, _SENSE_Y + 54, f"0-{board.sensors.range_mmhg:g} mmHg", "small", "middle")
    svg.line((x + 75, bottom_y), (x + 75, _SENSE_Y), look="sense")
    _draw_switch(svg, x + 75, _SENSE_Y)
    limiter = board.limiter
    svg.text(x + 75, _SENSE_Y + 54, f"S{number} {limiter.trip_mmhg:g} +/- {limiter.tolerance_mmhg:g} mmHg", "small", "middle")


def _draw_valve(svg: Svg, x: float, y: float, valve: Valve, up: bool = False) -> None:
    """A 2/2 valve, its rest square on the vertical line at ``x`` from ``y`` down, solenoid left, spring right; air goes down, or ``up``."""
    _draw_square(svg, x - _SQUARE / 2, y, valve.rest == "open", up)
    _draw_square(svg, x - 1.5 * _SQUARE, y, valve.rest != "open", up)
    left = x - 1.5 * _SQUARE
    svg.box(left - 15, y + 7, 15, 16)
    svg.line((left - 15, y + 23), (left, y + 7))
    start, middle = x + _SQUARE / 2, y + _SQUARE / 2
    svg.line((start, middle), *((start + 3 + 4 * at, middle + (5 if at % 2 else -5)) for at in range(4)), (start + 18, middle))


def _draw_square(svg: Svg, x: float, y: float, opened: bool, up: bool) -> None:
    svg.box(x, y, _SQUARE, _SQUARE)
    middle = x + _SQUARE / 2
    if opened:
        svg.line((middle, y), (middle, y + _SQUARE))
        tip_y, back_y = (y + 2, y + 11) if up else (y + _SQUARE - 2, y + _SQUARE - 11)
        svg.polygon((middle, tip_y), (middle - 4, back_y), (middle + 4, back_y), look="solid")
        return
    for end_y, bar_y in ((y, y + 9), (y + _SQUARE, y + _SQUARE - 9)):
        svg.line((middle, end_y), (middle, bar_y))
        svg.line((middle - 6, bar_y), (middle + 6, bar_y))


def _label_valve(svg: Svg, x: float, y: float, name: str, valve: Valve) -> None:
    """Two lines from (``x``, ``y``) on."""
    rest = "NO" if valve.rest == "open" else "NC"
    svg.text(x, y, f"{name}, {rest}")
    svg.text(x, y + 14, f"C {valve.conductance_ml_s_bar / 1000:g} L/(s bar)", "small")


def _draw_relief(svg: Svg, x: float, y: float) -> None:
    svg.box(x - 15, y, 30, 30)
    svg.line((x + 6, y + 30), (x + 6, y + 4))
    svg.polygon((x + 6, y + 3), (x + 2, y + 11), (x + 10, y + 11), look="solid")
    svg.line((x - 15, y + 22), (x - 22, y + 22), (x - 22, y + 38), (x, y + 38), look="sense")
    svg.line((x + 15, y + 15), *((x + 18 + 4 * at, y + 15 + (5 if at % 2 else -5)) for at in range(4)), (x + 33, y + 15))
    _draw_exhaust(svg, x, y, up=True)


def _draw_exhaust(svg: Svg, x: float, y: float, up: bool) -> None:
    """To the room: a triangle on a short line."""
    step = -1.0 if up else 1.0
    svg.line((x, y), (x, y + 12 * step), look="air")
    svg.polygon((x - 7, y + 12 * step), (x + 7, y + 12 * step), (x, y + 24 * step))


def _draw_sensor(svg: Svg, x: float, y: float, name: str) -> None:
    svg.circle(x, y, 18)
    svg.text(x, y + 4, name, "bold", "middle")


def _draw_switch(svg: Svg, x: float, y: float) -> None:
    svg.box(x - 18, y, 36, 36, "guard")
    svg.line((x - 18, y + 26), (x - 7, y + 26), (x + 8, y + 12))
    svg.line((x + 9, y + 26), (x + 18, y + 26))
