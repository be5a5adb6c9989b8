"""What happens between gateway and wrap in a safety run: silence, stalls, writes that are damaged, repeated, out of order or made up."""

from collections.abc import Sequence
from random import Random

from wavewrap_bench.safety_gateway import Write
from wavewrap_protocol import uuids
from wavewrap_protocol.limits import CHARACTERISTIC_MAX_BYTES
from wavewrap_sim.faults import Fault, GatewayFault, RadioCut, Writes

__all__ = ["SUPERVISION_S", "LinkTrouble"]

SUPERVISION_S = 4.0
"""What the simulated wrap asks for; a link that hears nothing for so long is lost."""

WRITABLE = (uuids.CONTROL, uuids.PLAN, uuids.STOP, uuids.TIME)


class LinkTrouble:
    """The faults among ``faults`` that are of the link or the gateway."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._cuts = [(fault.at_s, fault.end_s) for fault in faults if isinstance(fault, RadioCut)]
        self._stalls = [(f.at_s, float("inf") if f.kind == "gateway_kill" else f.end_s) for f in faults if isinstance(f, GatewayFault)]
        # A killed gateway leaves a link that nobody answers on.
        self._cuts += [(fault.at_s, float("inf")) for fault in faults if isinstance(fault, GatewayFault) and fault.kind == "gateway_kill"]
        self._writers = [(fault, Random(fault.seed)) for fault in faults if isinstance(fault, Writes)]
        self._last_s = 0.0
        self._said: list[Write] = []
        self._held: list[Write] = []

    def is_cut(self, now_s: float) -> bool:
        """Whether nothing gets through."""
        return any(start_s <= now_s < end_s for start_s, end_s in self._cuts)

    def is_lost(self, now_s: float) -> bool:
        """Whether the wrap has noticed and dropped the link."""
        return any(start_s + SUPERVISION_S <= now_s < end_s for start_s, end_s in self._cuts)

    def is_gateway_silent(self, now_s: float) -> bool:
        """Whether the gateway neither reads nor writes."""
        return any(start_s <= now_s < end_s for start_s, end_s in self._stalls)

    def carry(self, now_s: float, writes: list[Write]) -> list[Write]:
        """What arrives of ``writes`` at ``now_s``."""
        since_s, self._last_s = now_s - self._last_s, now_s
        if not self._writers:
            return writes
        for fault, rng in self._writers:
            if fault.at_s <= now_s < fault.end_s:
                strikes = int(fault.per_s * since_s) + (rng.random() < fault.per_s * since_s % 1.0)
                writes = self._trouble(fault.kind, rng, strikes, writes)
        self._said += writes
        del self._said[:-100]
        return writes

    def _trouble(self, kind: str, rng: Random, strikes: int, writes: list[Write]) -> list[Write]:
        match kind:
            case "writes_corrupted":
                return [(uuid, flip_bits(rng, data)) if strikes and rng.random() < 0.5 else (uuid, data) for uuid, data in writes]
            case "writes_replayed":
                again = [rng.choice(self._said) for _ in range(strikes)] if self._said else []
                return writes + again
            case "writes_reordered":
                writes, self._held = writes + self._held, []
                if strikes and writes:
                    self._held = [writes.pop(0)]
                return writes
            case _:
                made_up = [(rng.choice(WRITABLE[:2]), rng.randbytes(rng.randrange(CHARACTERISTIC_MAX_BYTES))) for _ in range(strikes)]
                return made_up + writes


def flip_bits(rng: Random, data: bytes) -> bytes:
    """One to three bits of ``data`` turned over."""
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 4) if changed else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)
