"""Can a wrap of this board follow a wave, and how many sessions does its battery last? The board's sizing answers for the fullest cycle.

A wave that asks for more air than the pump delivers is played all the same; its chambers then come up late, and this says by how much.
"""

from dataclasses import dataclass

from wavewrap_board.board import Board
from wavewrap_board.sizing import CycleLoad, sessions_per_charge, size_cycle
from wavewrap_gateway.core.wave import Wave

__all__ = ["Achievability", "assess_wave"]


@dataclass(frozen=True, slots=True)
class Achievability:
    """What a wrap makes of a wave. ``cycle``: its fullest one. ``session_j``: energy of the session, every cycle counted as full.
    ``sessions``: whole ones from a full battery down to its reserve."""

    cycle: CycleLoad
    session_j: float
    sessions: int


def assess_wave(wave: Wave, board: Board) -> Achievability:
    """``wave`` on a wrap of ``board``, which has as many chambers as the wave. The last cycle is the fullest."""
    cycle = size_cycle(board, wave.steps[-(len(wave.steps) // wave.cycles) :], wave.cycle_s)
    session_j = cycle.energy_j * wave.cycles
    return Achievability(cycle, session_j, sessions_per_charge(board, session_j))
