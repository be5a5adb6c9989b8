"""Writes 50,000 seeded hostile messages to a fleet of simulated wraps in every state; ``--writes`` and ``--seed`` change the run.

Run as a script; prints one line and exits 0, or the first breach of a law and exits 1. The laws: :mod:`wavewrap_bench.hostile_writes`.
"""

import argparse
import sys

from wavewrap_bench.hostile_writes import play_hostile
from wavewrap_board.files import REFERENCE_BOARD, load_board


def main() -> int:
    """Run it; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--writes", type=int, default=50_000)
    options = parser.parse_args()
    result = play_hostile(load_board(REFERENCE_BOARD), options.writes, options.seed)
    if result.breach:
        print(f"fuzz: firmware: {result.breach}", file=sys.stderr)
        return 1
    unvisited = [state for state, count in result.in_state.items() if count == 0]
    if unvisited:
        print(f"fuzz: no write met a wrap in {', '.join(unvisited)}: raise --writes", file=sys.stderr)
        return 1
    states = ", ".join(f"{count} in {state}" for state, count in result.in_state.items())
    print(
        f"fuzz: {result.writes} hostile writes ({result.unauthenticated} unauthenticated, {result.delivered} let through, "
        f"{result.accepted} answered OK), seed {options.seed}: {states}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
