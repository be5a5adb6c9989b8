"""The last clamp: the one function that turns a wave step into a step for the wire.

The device decides; the gateway can only ask for less. Nothing else in the gateway makes a :class:`wavewrap_protocol.commands.Step`.
"""

from dataclasses import dataclass
from math import inf

from wavewrap_gateway.core.wave import WaveStep
from wavewrap_protocol.commands import Step
from wavewrap_protocol.limits import CEILING_DEFAULT_MMHG, CEILING_MAX_MMHG, EASE_FIRST_PCT, EASE_SECOND_PCT, RAMP_MAX_MS
from wavewrap_protocol.reports import Capabilities
from wavewrap_protocol.units import TICK_MODULUS, cmmhg_to_mmhg, mmhg_to_cmmhg

__all__ = ["FRAME_FRESH_S", "SafetyLimits", "emit_step", "limits_for"]

FRAME_FRESH_S = 1.0
"""A sample older than this is stale: no longer shown as live nor taken as proof. Choice: ten default batches."""


@dataclass(frozen=True, slots=True)
class SafetyLimits:
    """What no step may exceed. Pressures are gauge."""

    ceiling_mmhg: float
    chambers: int
    ease_mmhg: tuple[float, ...] = ()
    """Most in a chamber's first compressions of a session, in order."""

    def eased_mmhg(self, compression: int) -> float:
        """The most that the device gives a chamber in its ``compression``, counted from 0, the ceiling aside."""
        return self.ease_mmhg[compression] if compression < len(self.ease_mmhg) else inf


def limits_for(capabilities: Capabilities, ceiling_mmhg: float = CEILING_DEFAULT_MMHG) -> SafetyLimits:
    """The tightest of what the user asked, what the device enforces and what the protocol allows; the device eases by its own ceiling."""
    device_mmhg = cmmhg_to_mmhg(capabilities.ceiling_cmmhg)
    ease_mmhg = (device_mmhg * EASE_FIRST_PCT / 100.0, device_mmhg * EASE_SECOND_PCT / 100.0)
    return SafetyLimits(min(ceiling_mmhg, device_mmhg, CEILING_MAX_MMHG), capabilities.chambers, ease_mmhg)


def emit_step(step: WaveStep, due_tick: int, limits: SafetyLimits) -> Step:
    """``step`` for the wire, due at ``due_tick`` (never wrapped), clamped to ``limits``. Raises :class:`ValueError` for a chamber that the
    device does not have: a wave for another wrap."""
    if not 0 <= step.chamber < limits.chambers:
        raise ValueError(f"chamber {step.chamber} of a wrap with {limits.chambers}")
    target_mmhg = min(max(step.target_mmhg, 0.0), limits.ceiling_mmhg)
    ramp_ms = min(max(round(step.ramp_s * 1000), 0), RAMP_MAX_MS)
    return Step(due_tick % TICK_MODULUS, step.chamber, mmhg_to_cmmhg(target_mmhg), ramp_ms)
