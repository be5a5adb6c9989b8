"""Do the parts of a board suit each other? Physics and the project's own safety rules, one clear sentence for each.

Not responsible for types and signs (the models) nor for whether a program can be played (:mod:`wavewrap_board.sizing`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from wavewrap_board.fill_times import fall_s, relief_path, vent_path
from wavewrap_board.flow import balance_pump, capacity_ml_mmhg, pump_flow_ml_s, volume_ml
from wavewrap_protocol import limits as protocol
from wavewrap_protocol.limits import OVER_THRESHOLD_MMHG

if TYPE_CHECKING:
    from wavewrap_board.board import Board

__all__ = ["EMPTY_WITHIN_S", "blowing_mmhg", "find_problem", "limiter_overrun_mmhg"]

EMPTY_WITHIN_S = 5.0
"""From the firmware's ceiling to under 15 mmHg, after any safety action: what the project promises."""

WATCHDOG_MAX_S = 0.2
"""Pump off within 200 ms of a fault, a hung processor being one: what the project promises."""

WATCHDOG_MIN_S = 0.03
"""Choice: three control periods of 10 ms; a shorter one would bite a healthy processor."""

TRIP_MARGIN_MMHG = 2.0
"""The limiter stays clear of what the firmware may do. Choice: the overshoot that the control is held to."""

RELIEF_MARGIN = 1.1
"""The relief opens this much over what filling needs. Choice: springs of small valves are sorted to about 10 %."""

NOISE_MARGIN = 3.0
"""The control's band is at least this many standard deviations of noise, else noise works the valves. Choice."""


def find_problem(board: Board) -> str | None:
    """The first thing about ``board`` that cannot work, with its values and the remedy; None when nothing is wrong."""
    return next(chain(_rest_positions(board), _limits(board), _pneumatics(board), _protection(board), _electrics(board)), None)


def limiter_overrun_mmhg(board: Board) -> float:
    """How far the worst chamber rises from the limiter's trip until its inlet is shut, with the pump at full flow.

    The worst of the spread: full flow and delays too large, the bladder too stiff.
    """
    over = (1.0 + board.spread_fraction) / (1.0 - board.spread_fraction)
    at_mmhg = board.limiter.trip_mmhg + board.limiter.tolerance_mmhg
    _, flow_ml_s = balance_pump(board.pump, np.array(at_mmhg), board.valves.inlet, board.tube.resistance_mmhg_s_ml)
    stiffest_ml_mmhg = min(float(capacity_ml_mmhg(chamber, np.array(at_mmhg))) for chamber in board.chambers)
    inlet = board.valves.inlet
    shut_s = (inlet.dead_s + inlet.lag_s) * (1.0 + board.spread_fraction) + board.limiter.delay_s
    return float(flow_ml_s) / stiffest_ml_mmhg * over * shut_s


def _rest_positions(board: Board) -> Iterator[str]:
    for role, needed in (("inlet", "closed"), ("vent", "open"), ("dump", "open")):
        rest = getattr(board.valves, role).rest
        if rest != needed:
            yield f"valves.{role}.rest {rest}: without power a wrap must empty; fit a valve that rests {needed}"


def _limits(board: Board) -> Iterator[str]:
    limits = board.limits
    if limits.ceiling_mmhg > limits.ceiling_max_mmhg:
        yield (f"limits.ceiling_mmhg {limits.ceiling_mmhg:g}: over limits.ceiling_max_mmhg {limits.ceiling_max_mmhg:g}; lower it")
    loosest = {
        "ceiling_max_mmhg": protocol.CEILING_MAX_MMHG,
        "hold_max_s": protocol.HOLD_MAX_S,
        "session_max_s": protocol.SESSION_MAX_S,
    }
    for key, most in loosest.items():
        if getattr(limits, key) > most:
            yield f"limits.{key} {getattr(limits, key):g}: looser than the protocol's {most:g}; lower it to that or less"
    if limits.vent_min_s < protocol.VENT_MIN_S:
        yield f"limits.vent_min_s {limits.vent_min_s:g}: looser than the protocol's {protocol.VENT_MIN_S:g}; raise it to that or more"
    control = board.control
    if control.centre_mmhg >= control.band_mmhg:
        yield f"control.centre_mmhg {control.centre_mmhg:g}: not inside the band of {control.band_mmhg:g} mmHg; lower it"
    if control.band_mmhg < NOISE_MARGIN * board.sensors.noise_mmhg:
        yield (
            f"control.band_mmhg {control.band_mmhg:g}: under {NOISE_MARGIN:g} times the noise of {board.sensors.noise_mmhg:g} mmHg; "
            "widen it or fit quieter sensors"
        )


def _pneumatics(board: Board) -> Iterator[str]:
    most_mmhg = board.limits.ceiling_max_mmhg
    weak = 1.0 - board.spread_fraction
    if board.pump.stall_mmhg * weak <= most_mmhg:
        yield (
            f"pump.stall_mmhg {board.pump.stall_mmhg:g}: weak by the spread the pump never reaches the ceiling of {most_mmhg:g} mmHg; "
            "fit a stronger one"
        )
        return
    filling_mmhg, flow_ml_s = balance_pump(board.pump, np.array(most_mmhg), board.valves.inlet, board.tube.resistance_mmhg_s_ml)
    relief_mmhg, rated_mmhg = board.manifold.relief_mmhg, board.manifold.rated_mmhg
    if relief_mmhg < RELIEF_MARGIN * filling_mmhg:
        yield (
            f"manifold.relief_mmhg {relief_mmhg:g}: filling a chamber to {most_mmhg:g} mmHg takes {filling_mmhg:.0f} mmHg in the manifold; "
            f"set the relief to {RELIEF_MARGIN * filling_mmhg:.0f} or more, or fit larger inlet valves and tubes"
        )
    held_mmhg = blowing_mmhg(board)
    if held_mmhg > rated_mmhg:
        yield (
            f"manifold.rated_mmhg {rated_mmhg:g}: inlets shut, the relief passes the pump's full flow only at {held_mmhg:.0f} mmHg; "
            "fit a larger relief or stronger parts"
        )
    if board.manifold_sensor.range_mmhg < held_mmhg:
        yield (
            f"manifold_sensor.range_mmhg {board.manifold_sensor.range_mmhg:g}: the manifold reaches {held_mmhg:.0f} mmHg; "
            "fit a sensor of a wider range"
        )
    for at, chamber in enumerate(board.chambers):
        lost_ml_s = chamber.leak_ml_s_mmhg * most_mmhg
        if lost_ml_s * (1.0 + board.spread_fraction) >= flow_ml_s * weak:
            yield (
                f"chambers.{at}.leak_ml_s_mmhg {chamber.leak_ml_s_mmhg:g}: loses {lost_ml_s:.1f} ml/s at {most_mmhg:g} mmHg, "
                f"where the pump brings {flow_ml_s:.1f}; tighten it or fit a stronger pump"
            )
        full_ml = float(volume_ml(chamber, np.array(most_mmhg)))
        if full_ml > chamber.largest_volume_ml:
            yield (
                f"chambers.{at}: {full_ml:.0f} ml at {most_mmhg:g} mmHg, but sheets of {chamber.length_mm:g} x {chamber.width_mm:g} mm "
                f"hold {chamber.largest_volume_ml:.0f} ml at most; correct the volumes or the geometry"
            )
        for path, name in ((vent_path(board), "vent"), (relief_path(board), "inlet and dump")):
            empty_s = fall_s(chamber, path, board.limits.ceiling_mmhg, OVER_THRESHOLD_MMHG) * _slowest(board)
            if empty_s > EMPTY_WITHIN_S:
                yield (
                    f"chambers.{at}: through {name} it takes {empty_s:.1f} s from {board.limits.ceiling_mmhg:g} to under "
                    f"{OVER_THRESHOLD_MMHG:g} mmHg in the worst of the spread, over {EMPTY_WITHIN_S:g} s; fit larger valves"
                )


def _protection(board: Board) -> Iterator[str]:
    limits, limiter = board.limits, board.limiter
    lowest_mmhg = limiter.trip_mmhg - limiter.tolerance_mmhg
    if lowest_mmhg < limits.ceiling_max_mmhg + TRIP_MARGIN_MMHG:
        yield (
            f"limiter.trip_mmhg {limiter.trip_mmhg:g}: may trip at {lowest_mmhg:g} mmHg, not {TRIP_MARGIN_MMHG:g} mmHg clear of "
            f"limits.ceiling_max_mmhg {limits.ceiling_max_mmhg:g}; raise the trip or lower that ceiling"
        )
    highest_mmhg = limiter.trip_mmhg + limiter.tolerance_mmhg + limiter_overrun_mmhg(board)
    if highest_mmhg > limiter.hardware_ceiling_mmhg:
        yield (
            f"limiter.hardware_ceiling_mmhg {limiter.hardware_ceiling_mmhg:g}: a chamber reaches {highest_mmhg:.1f} mmHg before it "
            "has cut; lower the trip or its delay, or fit a smaller pump"
        )
    if limiter.hardware_ceiling_mmhg > protocol.CEILING_MAX_MMHG:
        yield (
            f"limiter.hardware_ceiling_mmhg {limiter.hardware_ceiling_mmhg:g}: over the protocol's {protocol.CEILING_MAX_MMHG:g}; lower it"
        )
    if board.sensors.range_mmhg <= limiter.hardware_ceiling_mmhg:
        yield (
            f"sensors.range_mmhg {board.sensors.range_mmhg:g}: does not show the hardware ceiling of {limiter.hardware_ceiling_mmhg:g}; "
            "fit sensors of a wider range"
        )
    if not WATCHDOG_MIN_S <= board.watchdog.timeout_s <= WATCHDOG_MAX_S:
        yield f"watchdog.timeout_s {board.watchdog.timeout_s:g}: choose {WATCHDOG_MIN_S:g} to {WATCHDOG_MAX_S:g} s"


def _electrics(board: Board) -> Iterator[str]:
    battery = board.battery
    if not battery.fault_pct < battery.reserve_pct < battery.arm_pct:
        yield (
            f"battery: fault_pct {battery.fault_pct:g}, reserve_pct {battery.reserve_pct:g}, arm_pct {battery.arm_pct:g}: "
            "each must be over the one before it, so that a session can end in order"
        )
    pins, chambers = board.mcu.pins, len(board.chambers)
    for key in ("inlets", "vents", "sensor_selects"):
        given = len(getattr(pins, key))
        if given != chambers:
            yield f"mcu.pins.{key}: {given} pins for {chambers} chambers; give one for each chamber"
    counted = Counter([pin for _, pin in pins.by_function()] + list(board.mcu.spare))
    twice = [pin for pin, count in counted.items() if count > 1]
    if twice:
        users = [function for function, pin in pins.by_function() if pin == twice[0]] + ["spare"] * (twice[0] in board.mcu.spare)
        yield f"mcu.pins: {twice[0]} is used by {' and '.join(users)}; give each function its own pin"


def _slowest(board: Board) -> float:
    """Factor on the nominal time when the chamber is too large and its valves are too small by the spread."""
    return (1.0 + board.spread_fraction) / (1.0 - board.spread_fraction)


def blowing_mmhg(board: Board) -> float:
    """Manifold pressure at which the relief lets out all that the pump delivers."""
    manifold, pump = board.manifold, board.pump
    flow_ml_s = float(pump_flow_ml_s(pump, np.array(manifold.relief_mmhg)))
    slope_ml_s_mmhg = manifold.relief_ml_s_mmhg + pump.free_flow_ml_s / pump.stall_mmhg
    return manifold.relief_mmhg + flow_ml_s / slope_ml_s_mmhg
