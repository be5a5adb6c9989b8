"""What the sizing promises, played: the calf wave on the simulated wrap with its real firmware, in virtual time."""

from collections.abc import Sequence

import numpy as np
import pytest

from wavewrap_board.board import Board
from wavewrap_board.files import board_names, load_board
from wavewrap_board.sizing import LAG_TOLERANCE_S, size_cycle
from wavewrap_gateway.adapters.program_files import load_program
from wavewrap_gateway.core.wave import Wave, WaveStep, compile_wave
from wavewrap_protocol import uuids
from wavewrap_protocol.commands import Arm, Command, ControlWrite, Plan, Renew, Step
from wavewrap_protocol.payloads import Side
from wavewrap_protocol.units import TICKS_PER_S, mmhg_to_cmmhg
from wavewrap_sim.log import FaultEntry, LogEntry
from wavewrap_sim.wrap import SimulatedWrap, WrapSettings

SESSION = 7
START_S = 3.0
PERIOD_S = 0.01
UP_MMHG = 2.0
"""A chamber is up when it is this near to its target, the band that control is held to."""


class Player:
    """Plays a wave on one wrap of ``board`` whose clock runs true; ``trace`` has pressures, a row each 10 ms from the session's start."""

    def __init__(self, board: Board, wave: Wave, until_s: float) -> None:
        self.faults: list[LogEntry] = []
        settings = WrapSettings("W1", Side.LEFT, board=board)
        self.wrap = SimulatedWrap(settings, 0.0, lambda entry: self.faults.append(entry) if isinstance(entry, FaultEntry) else None)
        self._cmd_id = self._seq = 0
        self.wrap.connected(0.0, 244)
        self.wrap.advance(START_S - 0.5)
        self._command(START_S - 0.5, Arm(SESSION, 5_000, mmhg_to_cmmhg(board.limits.ceiling_mmhg)))
        waiting = list(wave.steps)
        rows: list[tuple[float, ...]] = []
        self.charge_pct: list[float] = []
        for at in range(round(until_s / PERIOD_S)):
            at_s = at * PERIOD_S
            if at % 100 == 0:
                self._command(START_S + at_s, Renew(SESSION, 5_000))
                near = [step for step in waiting if step.at_s < at_s + 3.0]
                self._plan(START_S + at_s, near)
                waiting = waiting[len(near) :]
            self.wrap.advance(START_S + at_s)
            rows.append(self.wrap.pressure_mmhg)
            self.charge_pct.append(self.wrap.battery_pct)
        self.trace = np.array(rows)

    def up_s(self, step: WaveStep) -> float:
        """When the chamber of ``step`` was up, in session time."""
        after = round(step.at_s / PERIOD_S)
        return (after + int(np.argmax(self.trace[after:, step.chamber] >= step.target_mmhg - UP_MMHG))) * PERIOD_S

    def _command(self, now_s: float, command: Command) -> None:
        self._cmd_id += 1
        self.wrap.write(now_s, uuids.CONTROL, ControlWrite(self._cmd_id, command).encode())

    def _plan(self, now_s: float, steps: Sequence[WaveStep]) -> None:
        if not steps:
            return
        made = tuple(
            Step(round((START_S + s.at_s) * TICKS_PER_S), s.chamber, mmhg_to_cmmhg(s.target_mmhg), round(s.ramp_s * 1000)) for s in steps
        )
        self._cmd_id += 1
        self.wrap.write(now_s, uuids.PLAN, Plan(self._cmd_id, SESSION, self._seq, made).encode())
        self._seq += len(made)


@pytest.mark.parametrize("name", board_names())
def test_the_calf_wave_comes_up_in_time_and_costs_what_was_calculated(name: str) -> None:
    board = load_board(name)
    program = load_program("calf-wave", len(board.chambers), board=name).model_copy(
        update={"soft_cycles_pct": (), "hold_s": 4.0, "period_s": 12.0}
    )
    wave = compile_wave(program, Side.LEFT, len(board.chambers), 24.0)
    played = Player(board, wave, 24.0)
    assert played.faults == []
    # The first cycle is gentle, the second one as it will be.
    rises = [step for step in wave.steps if step.cycle == 1 and step.target_mmhg > 0]
    assert len(rises) == len(board.chambers)
    late_s = [played.up_s(step) - (step.at_s + step.ramp_s) for step in rises]
    assert max(late_s) <= LAG_TOLERANCE_S
    assert np.diff([played.up_s(step) for step in rises]) == pytest.approx(np.full(len(rises) - 1, 0.5), abs=LAG_TOLERANCE_S)
    load = size_cycle(board, [step for step in wave.steps if step.cycle == 1], wave.cycle_s)
    spent_pct = played.charge_pct[1200] - played.charge_pct[-1]
    assert load.energy_j == pytest.approx(spent_pct / 100.0 * board.battery.capacity_j, rel=0.10)
