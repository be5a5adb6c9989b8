"""The plant's substep, written once as scalar loops: machine code where numba is installed, plain Python where it is not.

Equations and scheme stand in :mod:`wavewrap_sim.pneumatics`. This file imports nothing of ours and holds every figure that is compiled in,
because numba's cache looks at the file of a function alone: a constant from elsewhere would live on in it after a change.

Tables are arrays of C order: ``chambers`` (wraps, chambers, fields), ``valves`` and ``pending`` (wraps, valves, ...) with inlets, vents and
dump in this order, ``wraps`` (wraps, fields), conditions likewise, ``commands`` (wraps, valves and duty), ``work`` (chambers, fields). The
fields are numbered here. Only :func:`advance` is called from outside.
"""

from math import copysign, exp, expm1, inf, isnan, sqrt

import numpy as np
from numpy.typing import NDArray

__all__ = ["ATMOSPHERE_MMHG", "COMPILED", "LEAK_AT_MMHG", "ROOM_K", "advance"]

Table = NDArray[np.float64]

ATMOSPHERE_MMHG = 760.0
"""Absolute pressure of the room."""

ROOM_K = 293.15
"""Temperature of the room, at which free air is counted. Choice: 20 degC."""

LEAK_AT_MMHG = 60.0
"""Pressure for which the condition ``leak_at_60_ml_s`` gives the flow."""

HOSE_END_ML_S_MMHG = 20.0
"""An open hose end of 4 mm bore: ISO 6358 with C = 0.2 dm3/(s bar) a mm2 of bore times 0.64, at 30 mmHg, taken as linear."""

THETA = 0.5
LEAST_STIFFNESS = 1e-4
"""Below this the manifold's theta is 0.5 to rounding."""
RELINEARISE_MMHG = 6.0
"""A step in which a manifold moves further is solved twice, the second time with the flows linear around its middle: a root is no line.
Choice: it happens in the milliseconds after a valve has moved."""
STILL_DUTY = 1e-9
SETTLED = 1e-7
"""An opening this close to its end is there: at 200 ml/s that is a flow of 2e-5 ml/s."""
TINY_MMHG2_S2_ML2 = 1e-12
"""Keeps the slope finite at no drop without a tube: it rounds the root over some 1e-12 mmHg."""

# Of a chamber: what it is made of, its state, and what flowed in the last substep.
DEAD_ML, SOFT_ML, MINUS_BY_SOFT, COMPLIANCE, CREEP_FRACTION, CREEP_S, LEAK = range(7)
PRESSURE, AIR_ML, CREEP_ML, SWELL_ML, COLDNESS, INLET_ML_S, VENT_ML_S, LEAK_ML_S = range(7, 15)
CHAMBER_FIELDS = 15
# Of a chamber: what befalls it.
LEAK_AT_60, KINK, SLACK_ML, HOSE_ON, COMPLIANCE_FACTOR, INLET_HELD, VENT_HELD, SWELL_TO_ML, WARMTH_K = range(9)
CHAMBER_CONDITIONS = 9
# Of a valve with its tube.
GAIN, HALF_BETA, TUBE, DEAD_S, LAG_S, COMMANDED, TARGET, OPENING = range(8)
VALVE_FIELDS = 8
# Of a command that a valve has been given and not yet followed; empty places lie behind, with an infinite time.
MOVES_S, MOVES_TO = range(2)
PENDING_FIELDS = 2
# Of a wrap.
PUMP_FREE_ML_S, PUMP_STALL_MMHG, PUMP_LAG_S, MANIFOLD_ML_MMHG, RELIEF_MMHG, RELIEF_ML_S_MMHG = range(6)
MANIFOLD, DUTY, PUMP_ML_S, DUMP_ML_S, RELIEF_ML_S = range(6, 11)
WRAP_FIELDS = 11
PUMP_EFFICIENCY, DUMP_HELD, PUMP_HELD_DUTY = range(3)
WRAP_CONDITIONS = 3
# Of a chamber of the wrap in hand: constant over a call, then over a substep, then of its solution.
EVEN_LEAK, SQUARE_LEAK, SOFT_NOW_ML, BASE_ML, TAUT, CREEP_ML_MMHG, SWELL_ML_S, COOLING_S = range(8)
INLET_OPEN, VENT_OPEN, OWN, OWN_BY, LEAK_BY, CREEP_GAP, CREEP_SHARE = range(8, 15)
INLET, INLET_BY_UP, INLET_BY_DOWN, VENT, VENT_BY, REST, DIAGONAL, DELTA = range(15, 23)
WORK_FIELDS = 23


def advance(
    chambers: Table,
    chamber_conditions: Table,
    valves: Table,
    pending: Table,
    wraps: Table,
    wrap_conditions: Table,
    commands: Table,
    work: Table,
    now_s: float,
    dt_s: float,
    steps: int,
) -> bool:
    """Move every wrap from ``now_s`` on by ``dt_s`` in so many substeps, under ``commands`` given at ``now_s``.

    False, and nothing is done, where ``pending`` has no place for a command.
    """
    if not has_places(valves, pending, commands):
        return False
    h_s = dt_s / steps
    for wrap in range(chambers.shape[0]):
        command_valves(valves, pending, commands, wrap, now_s)
        duty = commands[wrap, valves.shape[1]]
        if not isnan(wrap_conditions[wrap, PUMP_HELD_DUTY]):
            duty = wrap_conditions[wrap, PUMP_HELD_DUTY]
        for at in range(chambers.shape[1]):
            take_conditions(chambers, chamber_conditions, work, wrap, at, dt_s)
        for step in range(steps):
            move_wrap(chambers, chamber_conditions, valves, pending, wraps, wrap_conditions, work, wrap, duty, now_s + step * h_s, h_s)
        for at in range(chambers.shape[1]):
            # Where the drift ends, to the last bit.
            chambers[wrap, at, SWELL_ML] = chamber_conditions[wrap, at, SWELL_TO_ML]
            chambers[wrap, at, COLDNESS] = ROOM_K / (ROOM_K + chamber_conditions[wrap, at, WARMTH_K])
    return True


def has_places(valves: Table, pending: Table, commands: Table) -> bool:
    """Whether every valve with a new command has an empty place for it."""
    last = pending.shape[2] - 1
    for wrap in range(valves.shape[0]):
        for valve in range(valves.shape[1]):
            if commands[wrap, valve] != valves[wrap, valve, COMMANDED] and pending[wrap, valve, last, MOVES_S] != inf:
                return False
    return True


def command_valves(valves: Table, pending: Table, commands: Table, wrap: int, now_s: float) -> None:
    """Each valve with a new command begins to follow it after its own dead time."""
    for valve in range(valves.shape[1]):
        command = commands[wrap, valve]
        if command != valves[wrap, valve, COMMANDED]:
            valves[wrap, valve, COMMANDED] = command
            place = 0
            while pending[wrap, valve, place, MOVES_S] != inf:
                place += 1
            pending[wrap, valve, place, MOVES_S] = now_s + valves[wrap, valve, DEAD_S]
            pending[wrap, valve, place, MOVES_TO] = command


def take_conditions(chambers: Table, chamber_conditions: Table, work: Table, wrap: int, at: int, dt_s: float) -> None:
    """What holds for a chamber over the whole call."""
    off = 1.0 - chamber_conditions[wrap, at, HOSE_ON]
    work[at, EVEN_LEAK] = chambers[wrap, at, LEAK] + HOSE_END_ML_S_MMHG * off
    work[at, SQUARE_LEAK] = chamber_conditions[wrap, at, LEAK_AT_60] / (LEAK_AT_MMHG * LEAK_AT_MMHG)
    work[at, SOFT_NOW_ML] = chambers[wrap, at, SOFT_ML] + chamber_conditions[wrap, at, SLACK_ML]
    work[at, BASE_ML] = chambers[wrap, at, DEAD_ML] + work[at, SOFT_NOW_ML]
    work[at, TAUT] = chambers[wrap, at, COMPLIANCE] * chamber_conditions[wrap, at, COMPLIANCE_FACTOR]
    work[at, CREEP_ML_MMHG] = chambers[wrap, at, CREEP_FRACTION] * work[at, TAUT]
    work[at, SWELL_ML_S] = (chamber_conditions[wrap, at, SWELL_TO_ML] - chambers[wrap, at, SWELL_ML]) / dt_s
    coldness = ROOM_K / (ROOM_K + chamber_conditions[wrap, at, WARMTH_K])
    work[at, COOLING_S] = (coldness - chambers[wrap, at, COLDNESS]) / dt_s


def move_wrap(
    chambers: Table,
    chamber_conditions: Table,
    valves: Table,
    pending: Table,
    wraps: Table,
    wrap_conditions: Table,
    work: Table,
    wrap: int,
    duty_target: float,
    at_s: float,
    h_s: float,
) -> None:
    """One substep of one wrap."""
    count = chambers.shape[1]
    duty = mean_duty(wraps, wrap, duty_target, h_s)
    dump_open = mean_opening(valves, pending, wrap, 2 * count, wrap_conditions[wrap, DUMP_HELD], at_s, h_s)
    for at in range(count):
        work[at, INLET_OPEN] = mean_opening(valves, pending, wrap, at, chamber_conditions[wrap, at, INLET_HELD], at_s, h_s)
        work[at, VENT_OPEN] = mean_opening(valves, pending, wrap, count + at, chamber_conditions[wrap, at, VENT_HELD], at_s, h_s)
        weigh_chamber(chambers, work, wrap, at, h_s)
    pump = duty * wraps[wrap, PUMP_FREE_ML_S] * wrap_conditions[wrap, PUMP_EFFICIENCY]
    delta, theta = solve(chambers, chamber_conditions, valves, wraps, work, wrap, pump, dump_open, 0.0, h_s)
    if abs(delta) > RELINEARISE_MMHG:
        delta, theta = solve(chambers, chamber_conditions, valves, wraps, work, wrap, pump, dump_open, theta * delta, h_s)
    wraps[wrap, MANIFOLD] += delta
    for at in range(count):
        move_chamber(chambers, chamber_conditions, work, wrap, at, h_s)


def mean_duty(wraps: Table, wrap: int, target: float, h_s: float) -> float:
    """The pump's speed over the next ``h_s``, which it also moves on by."""
    gap = wraps[wrap, DUTY] - target
    if abs(gap) < STILL_DUTY:
        wraps[wrap, DUTY] = target
        return target
    lag_s = wraps[wrap, PUMP_LAG_S]
    left = gap * exp(-h_s / lag_s)
    wraps[wrap, DUTY] = target + left
    mean: float = target + (gap - left) * (lag_s / h_s)
    return mean


def mean_opening(valves: Table, pending: Table, wrap: int, valve: int, held: float, at_s: float, h_s: float) -> float:
    """How far a valve stands open over the next ``h_s``, which it also moves on by.

    Piece by piece: it goes to its old target until its dead time is over, then to the next one. Stuck, it stands where it is ``held``.
    """
    target = valves[wrap, valve, TARGET]
    opening = valves[wrap, valve, OPENING]
    end_s = at_s + h_s
    mean: float = target
    if opening != target or pending[wrap, valve, 0, MOVES_S] < end_s:
        lag_s = valves[wrap, valve, LAG_S]
        total = 0.0
        while pending[wrap, valve, 0, MOVES_S] < end_s:
            span_s = max(pending[wrap, valve, 0, MOVES_S] - at_s, 0.0)
            gap = opening - target
            left = gap * exp(-span_s / lag_s)
            total += target * span_s + (gap - left) * lag_s
            opening = target + left
            at_s += span_s
            target = pending[wrap, valve, 0, MOVES_TO]
            drop_first(pending, wrap, valve)
        span_s = end_s - at_s
        gap = opening - target
        left = gap * exp(-span_s / lag_s)
        total += target * span_s + (gap - left) * lag_s
        mean = total / h_s
        valves[wrap, valve, TARGET] = target
        valves[wrap, valve, OPENING] = target + left if abs(left) > SETTLED else target
    return mean if isnan(held) else held


def drop_first(pending: Table, wrap: int, valve: int) -> None:
    """The first command has been followed; the others move up."""
    last = pending.shape[2] - 1
    for place in range(last):
        pending[wrap, valve, place, MOVES_S] = pending[wrap, valve, place + 1, MOVES_S]
        pending[wrap, valve, place, MOVES_TO] = pending[wrap, valve, place + 1, MOVES_TO]
    pending[wrap, valve, last, MOVES_S] = inf


def weigh_chamber(chambers: Table, work: Table, wrap: int, at: int, h_s: float) -> None:
    """What a chamber does by itself: the pressure that its free air has, and what it leaks, creeps, is moved and warmed."""
    # The pressure is one Newton step from the last prediction.
    predicted = chambers[wrap, at, PRESSURE]
    coldness = chambers[wrap, at, COLDNESS]
    room_share = coldness / ATMOSPHERE_MMHG
    minus_by_soft = chambers[wrap, at, MINUS_BY_SOFT]
    folded = work[at, SOFT_NOW_ML] * exp(minus_by_soft * predicted)
    volume = work[at, TAUT] * predicted + work[at, BASE_ML] + chambers[wrap, at, CREEP_ML] - chambers[wrap, at, SWELL_ML] - folded
    absolute = predicted + ATMOSPHERE_MMHG
    capacity = ((work[at, TAUT] - folded * minus_by_soft) * absolute + volume) * room_share
    pressure = predicted + (chambers[wrap, at, AIR_ML] - volume * absolute * room_share) / capacity
    chambers[wrap, at, PRESSURE] = pressure

    more = work[at, SQUARE_LEAK] * abs(pressure)
    leak = (work[at, EVEN_LEAK] + more) * pressure
    leak_by = THETA * work[at, EVEN_LEAK] + more
    creep_gap = work[at, CREEP_ML_MMHG] * pressure - chambers[wrap, at, CREEP_ML]
    creep_share = 1.0 / (chambers[wrap, at, CREEP_S] + THETA * h_s)
    stretch = (pressure + ATMOSPHERE_MMHG) * room_share
    own = stretch * (creep_share * creep_gap - work[at, SWELL_ML_S]) + leak
    own += chambers[wrap, at, AIR_ML] / coldness * work[at, COOLING_S]
    chambers[wrap, at, LEAK_ML_S] = leak
    work[at, OWN] = own
    work[at, OWN_BY] = stretch * creep_share * THETA * work[at, CREEP_ML_MMHG] + leak_by + capacity / h_s
    work[at, LEAK_BY] = leak_by
    work[at, CREEP_GAP] = creep_gap
    work[at, CREEP_SHARE] = creep_share
    work[at, DELTA] = 0.0


def flow(drop: float, far: float, opening: float, tube: float, gain: float, half_beta: float) -> tuple[float, float, float]:
    """Through a valve and its tube in ml/s, and the slopes by the pressures at its two ends (ml/s per mmHg).

    ``drop`` is the pressure over both, ``far`` that on the side which is downstream when it is positive.
    """
    if opening == 0.0:
        return 0.0, 0.0, 0.0
    size = abs(drop)
    mean = half_beta * size + 0.5 * drop + ATMOSPHERE_MMHG + far
    root_k = sqrt(gain * mean) * opening
    along = tube * root_k
    root = sqrt(along * along + 4.0 * size + TINY_MMHG2_S2_ML2)
    slope = root_k / root
    # K itself moves with the pressures; without this term the scheme would lose its second order.
    fall = (root - along) * (root - along) * slope / mean * 0.25
    side = copysign(0.5, drop)
    return 2.0 * drop * root_k / (root + along), (side + half_beta) * fall + slope, (half_beta - side) * fall + slope


def solve(
    chambers: Table,
    chamber_conditions: Table,
    valves: Table,
    wraps: Table,
    work: Table,
    wrap: int,
    pump: float,
    dump_open: float,
    off_manifold: float,
    h_s: float,
) -> tuple[float, float]:
    """The manifold's change over the substep and its theta; the chambers' changes and all mean flows are left in the tables.

    The valves' flows are taken as linear around the begin, moved by ``off_manifold`` and half of the chambers' ``DELTA``.
    """
    count = chambers.shape[1]
    manifold = wraps[wrap, MANIFOLD]
    at_manifold = manifold + off_manifold
    stiffness = 0.0
    for at in range(count):
        stiffness += open_chamber(chambers, chamber_conditions, valves, work, wrap, at, at_manifold, off_manifold)
    dump_valve = 2 * count
    gain, half_beta, tube = valves[wrap, dump_valve, GAIN], valves[wrap, dump_valve, HALF_BETA], valves[wrap, dump_valve, TUBE]
    dump, dump_by, _ = flow(at_manifold, 0.0, dump_open, tube, gain, half_beta)
    dump -= dump_by * off_manifold
    over = at_manifold - wraps[wrap, RELIEF_MMHG]
    relief_by = wraps[wrap, RELIEF_ML_S_MMHG] if over > 0.0 else 0.0
    relief = relief_by * (over - off_manifold)
    pump_by = pump / wraps[wrap, PUMP_STALL_MMHG]
    pump -= pump_by * manifold

    # How much of the manifold's change counts into the step's mean: theta = 1/(1 - exp(-z)) - 1/z is exact for a relaxation.
    store = wraps[wrap, MANIFOLD_ML_MMHG] / h_s
    escape_by = relief_by + pump_by + dump_by
    stiffness = max((stiffness + escape_by) / store, LEAST_STIFFNESS)
    theta = -1.0 / expm1(-stiffness) - 1.0 / stiffness

    diagonal = theta * escape_by + store
    gained = pump - dump - relief
    for at in range(count):
        hose = chamber_conditions[wrap, at, HOSE_ON]
        work[at, INLET_BY_UP] *= theta
        work[at, REST] = work[at, INLET] * hose - work[at, VENT] - work[at, OWN]
        work[at, DIAGONAL] = work[at, OWN_BY] + work[at, INLET_BY_DOWN] + work[at, VENT_BY]
        share = work[at, INLET_BY_DOWN] / work[at, DIAGONAL]
        diagonal += (1.0 - share * hose) * work[at, INLET_BY_UP]
        gained += share * work[at, REST] - work[at, INLET]
    delta = gained / diagonal
    for at in range(count):
        risen = work[at, INLET_BY_UP] * delta
        work[at, DELTA] = (risen * chamber_conditions[wrap, at, HOSE_ON] + work[at, REST]) / work[at, DIAGONAL]
        chambers[wrap, at, INLET_ML_S] = work[at, INLET] + risen - work[at, INLET_BY_DOWN] * work[at, DELTA]
        chambers[wrap, at, VENT_ML_S] = work[at, VENT] + work[at, VENT_BY] * work[at, DELTA]
    wraps[wrap, PUMP_ML_S] = pump - pump_by * theta * delta
    wraps[wrap, DUMP_ML_S] = dump + dump_by * theta * delta
    wraps[wrap, RELIEF_ML_S] = relief + relief_by * theta * delta
    return delta, theta


def open_chamber(
    chambers: Table,
    chamber_conditions: Table,
    valves: Table,
    work: Table,
    wrap: int,
    at: int,
    at_manifold: float,
    off_manifold: float,
) -> float:
    """Inlet and vent of a chamber as lines through the begin of the substep; the inlet's slope by the manifold's pressure."""
    off = THETA * work[at, DELTA]
    pressure = chambers[wrap, at, PRESSURE] + off
    hose = chamber_conditions[wrap, at, HOSE_ON]
    seen = pressure * hose
    tube = valves[wrap, at, TUBE] + chamber_conditions[wrap, at, KINK]
    gain, half_beta = valves[wrap, at, GAIN], valves[wrap, at, HALF_BETA]
    inlet, by_up, by_down = flow(at_manifold - seen, seen, work[at, INLET_OPEN], tube, gain, half_beta)
    by_down *= hose
    work[at, INLET] = inlet - by_up * off_manifold + by_down * off
    work[at, INLET_BY_UP] = by_up
    work[at, INLET_BY_DOWN] = THETA * by_down
    valve = chambers.shape[1] + at
    gain, half_beta, tube = valves[wrap, valve, GAIN], valves[wrap, valve, HALF_BETA], valves[wrap, valve, TUBE]
    vent, vent_by, _ = flow(pressure, 0.0, work[at, VENT_OPEN], tube, gain, half_beta)
    work[at, VENT] = vent - vent_by * off
    work[at, VENT_BY] = THETA * vent_by
    return by_up


def move_chamber(chambers: Table, chamber_conditions: Table, work: Table, wrap: int, at: int, h_s: float) -> None:
    """The substep's end for a chamber: its air, its creep, the pressure predicted, and where limb and warmth have got to."""
    delta = work[at, DELTA]
    leak = chambers[wrap, at, LEAK_ML_S] + work[at, LEAK_BY] * delta
    gained = chambers[wrap, at, INLET_ML_S] * chamber_conditions[wrap, at, HOSE_ON] - chambers[wrap, at, VENT_ML_S] - leak
    chambers[wrap, at, LEAK_ML_S] = leak
    chambers[wrap, at, AIR_ML] += gained * h_s
    crept = (work[at, CREEP_GAP] + THETA * work[at, CREEP_ML_MMHG] * delta) * work[at, CREEP_SHARE]
    chambers[wrap, at, CREEP_ML] += crept * h_s
    chambers[wrap, at, PRESSURE] += delta
    chambers[wrap, at, SWELL_ML] += h_s * work[at, SWELL_ML_S]
    chambers[wrap, at, COLDNESS] += h_s * work[at, COOLING_S]


COMPILED = (
    has_places,
    command_valves,
    take_conditions,
    mean_duty,
    drop_first,
    mean_opening,
    weigh_chamber,
    flow,
    open_chamber,
    solve,
    move_chamber,
    move_wrap,
    advance,
)
"""What is to be compiled, each after those that it calls."""
