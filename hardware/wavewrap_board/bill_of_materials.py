"""The bill of materials of a board: quantities and key figures from its file, so that no list can say anything else.

Part classes are named by specification; no part number and no price is given, because none was checked by building one.
"""

import csv
from collections import Counter
from dataclasses import astuple, dataclass, fields
from io import StringIO

from wavewrap_board.board import Board
from wavewrap_board.pneumatic_parts import Valve

__all__ = ["BillRow", "list_parts", "write_bill"]


@dataclass(frozen=True, slots=True)
class BillRow:
    """One line of the list; ``key_figures`` are what a part in its place has to meet."""

    part: str
    function: str
    quantity: int
    key_figures: str
    why: str
    alternatives: str


def list_parts(board: Board) -> list[BillRow]:
    """Everything to buy or make for one wrap of ``board``."""
    return [*_air_parts(board), *_valve_rows(board), *_sensing_parts(board), *_electric_parts(board)]


def write_bill(board: Board) -> str:
    """The list as CSV with a heading, lines ended by a line feed."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(BillRow)])
    writer.writerows(astuple(row) for row in list_parts(board))
    return text.getvalue()


def _air_parts(board: Board) -> list[BillRow]:
    pump, manifold, tube, count = board.pump, board.manifold, board.tube, len(board.chambers)
    bladders = Counter((chamber.length_mm, chamber.width_mm, chamber.dead_volume_ml) for chamber in board.chambers)
    named = {size: ", ".join(c.name for c in board.chambers if (c.length_mm, c.width_mm, c.dead_volume_ml) == size) for size in bladders}
    each_l_min = round(pump.free_flow_ml_s * 0.06 / pump.units, 1)
    rows = [
        BillRow(
            f"bladder {length_mm:g} x {width_mm:g} mm",
            f"chamber: {named[length_mm, width_mm, dead_ml]}",
            quantity,
            f"{dead_ml:g} ml when vented; ports for air, vent and sense line; tight to {board.limiter.hardware_ceiling_mmhg:g} mmHg",
            "slim and over a spacer mesh, so that little air fills it and it cannot seal its own port",
            "welded TPU-coated nylon; a cuff bladder of the same area without mesh is softer and slower",
        )
        for (length_mm, width_mm, dead_ml), quantity in bladders.items()
    ]
    return [
        *rows,
        BillRow(
            "sleeve",
            "holds the bladders on the calf",
            1,
            f"{sum(chamber.width_mm for chamber in board.chambers):g} mm of bladders along the limb; little stretch",
            "a sleeve that gives eats the air of every fill",
            "hook and loop; straps with a ratchet",
        ),
        BillRow(
            "diaphragm pump 12 V",
            "air",
            pump.units,
            f"{each_l_min:g} L/min free; stall {pump.stall_mmhg:g} mmHg; {pump.power_w / pump.units:g} W",
            f"together {pump.free_flow_ml_s:g} ml/s, what the calf wave needs and no more",
            "one pump of the whole flow; less flow makes chambers late, more makes them hard to stop",
        ),
        BillRow(
            "filter",
            "keeps lint out of the pump",
            1,
            f"{pump.free_flow_ml_s:g} ml/s",
            "lint holds valves open",
            "foam",
        ),
        BillRow(
            "check valve",
            "holds air when a pump stops",
            pump.units,
            f"{each_l_min:g} L/min; tight from {board.limits.ceiling_mmhg:g} mmHg back",
            "a pump's own valves leak back",
            "duckbill; umbrella valve built into the pump, if its leak is measured",
        ),
        BillRow(
            "manifold block",
            "joins pump, inlets, dump, relief and sensor",
            1,
            f"{manifold.volume_ml:g} ml inside; {count + 4} ports; stands {manifold.rated_mmhg:g} mmHg",
            "small, so that it charges at once and hands little air on when an inlet opens",
            "drilled acrylic or aluminium; printed and leak-tested",
        ),
        BillRow(
            "relief valve",
            "bounds the manifold when every inlet is shut",
            1,
            f"opens at {manifold.relief_mmhg:g} mmHg +/- 10 %; {manifold.relief_ml_s_mmhg:g} ml/s a mmHg over that",
            "mechanical: works without power and firmware",
            "umbrella valve, if its spread is sorted",
        ),
        BillRow(
            f"air tube {tube.bore_mm:g} mm",
            "valve block to bladder",
            count,
            f"{tube.bore_mm:g} mm bore; {tube.length_m:g} m; kink-proof",
            f"costs {tube.resistance_mmhg_s_ml * 100:.1f} mmHg at 100 ml/s",
            "spiral-wound silicone; polyurethane",
        ),
        BillRow(
            "vent stub",
            "bladder to the vent valve on it",
            count,
            f"{board.vent_stub.bore_mm:g} mm bore; {board.vent_stub.length_m * 1000.0:g} mm; rigid",
            "too short and stiff to kink, and away from the skin: the coil warms its valve",
            "barbed elbow welded into the bladder",
        ),
        BillRow(
            "vent cable",
            "coil of the vent on the bladder",
            count,
            f"2 cores; {tube.length_m:g} m; {board.valves.vent.coil_w:g} W",
            "a broken wire opens the vent",
            "cores in the jacket of the air tube",
        ),
        BillRow(
            "sense tube",
            "bladder to its sensor and switch",
            2 * count,
            f"{tube.length_m:g} m; no flow",
            "lines of their own: a kinked air tube must not blind sensor or switch",
            "multi-lumen tube with the air tube",
        ),
    ]


def _valve_rows(board: Board) -> list[BillRow]:
    count = len(board.chambers)
    return [
        _valve_row("inlet", "lets a chamber fill", count, board.valves.inlet, "large enough that the pump and not the valve sets the rate"),
        _valve_row(
            "vent", "lets a chamber empty", count, board.valves.vent, "on the bladder, so that no kink keeps air in; open without power"
        ),
        _valve_row("dump", "empties the manifold", 1, board.valves.dump, "the way out when a vent has failed; open without power"),
    ]


def _valve_row(role: str, function: str, quantity: int, valve: Valve, why: str) -> BillRow:
    larger = "a larger one vents faster and is harder to control"
    return BillRow(
        f"2/2 solenoid valve, rests {valve.rest}",
        f"{role}: {function}",
        quantity,
        f"C {valve.conductance_ml_s_bar / 1000:g} L/(s bar); {(valve.dead_s + valve.lag_s) * 1000:g} ms; {valve.coil_w:g} W held",
        why,
        larger if role == "vent" else "two smaller ones in parallel",
    )


def _sensing_parts(board: Board) -> list[BillRow]:
    count, limiter, sensor = len(board.chambers), board.limiter, board.sensors
    return [
        BillRow(
            "gauge pressure sensor, digital",
            "one a chamber, one for the manifold",
            count + 1,
            f"0-{sensor.range_mmhg:g} mmHg; zero within {sensor.offset_mmhg:g} mmHg; noise {sensor.noise_mmhg:g} mmHg; SPI",
            "class of the Honeywell ABP2, 5 psi",
            "any with that range that is read within 1 ms",
        ),
        BillRow(
            "pressure switch",
            "limiter: one a chamber",
            count,
            f"trips at {limiter.trip_mmhg:g} +/- {limiter.tolerance_mmhg:g} mmHg within {limiter.delay_s * 1000:g} ms",
            "a sensor and a comparator of its own; no processor in the chain",
            "mechanical switch of that tolerance",
        ),
    ]


def _electric_parts(board: Board) -> list[BillRow]:
    pump, battery, watchdog, mcu = board.pump, board.battery, board.watchdog, board.mcu
    coils = 2 * len(board.chambers) + 1
    coils_w = board.valves.inlet.coil_w + len(board.chambers) * board.valves.vent.coil_w + board.valves.dump.coil_w
    loads_w = pump.power_w + coils_w
    table: list[tuple[str, str, int, str, str, str]] = [
        (
            "microcontroller board",
            "control and radio",
            1,
            f"{mcu.part}; {mcu.supply_v:g} V",
            f"{len(mcu.pins.by_function())} pins are used",
            "any with as many pins, a timer of 0.1 ms and a hardware SPI",
        ),
        (
            "low-side switch",
            "one a coil, one for the pump's PWM",
            coils + 1,
            "logic level; pulse width to hold a coil at less than its pull-in current",
            "they fail one by one",
            "driver array",
        ),
        (
            "high-side switch",
            "pump enable",
            1,
            f"{pump.power_w:g} W",
            "in series with the PWM switch: one shorted switch cannot run the pump",
            "relay",
        ),
        ("diode", "one a coil and pump", coils + pump.units, "fast", "takes up the energy of a coil", "built into the switch"),
        (
            "supply cut with latch",
            "limiter and watchdog open it: the rail of pump and coils",
            1,
            f"{loads_w:g} W",
            "without that rail everything rests: pump off, inlets shut, vents and dump open",
            "relay with a holding contact",
        ),
        (
            "watchdog timer",
            "resets a hung processor and opens the cut",
            1,
            f"{watchdog.timeout_s * 1000:g} ms",
            "a timer of its own: the processor's may hang with it",
            "retriggerable monostable",
        ),
        (
            "battery pack, protected",
            "supply",
            1,
            f"{battery.capacity_j / 3600:.1f} Wh; three cells in series; {loads_w + battery.electronics_w:g} W at most",
            "12 V pumps run on it directly",
            "double-insulated 12 V supply for a bench set-up",
        ),
        (
            "regulator",
            "supply of the electronics",
            1,
            f"{mcu.supply_v:g} V; {battery.electronics_w:g} W",
            "holds through the pump's start",
            "module",
        ),
        ("fuse", "supply", 1, f"{loads_w + battery.electronics_w:g} W", "a shorted coil must not burn", "resettable"),
        ("stop button", "ends a session on the wrap", 1, "found without looking", "works without phone and gateway", "pull cord"),
        ("display", "passkey, state and fault", 1, "6 digits", "pairing asks for a passkey that the wrap shows", "6-digit LED"),
        ("light", "state at a glance", 1, "one colour is enough", "seen from across the room", "in the button"),
    ]
    return [BillRow(*row) for row in table]
