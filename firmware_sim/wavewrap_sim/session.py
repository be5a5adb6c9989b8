"""One session of a device: its number, its lease, its limit, its ceiling, and how it starts. Counts are ticks that never wrap."""

from wavewrap_protocol import limits
from wavewrap_protocol.commands import Arm, Step
from wavewrap_protocol.units import TICKS_PER_S, cmmhg_to_mmhg
from wavewrap_sim.firmware_config import FirmwareConfig
from wavewrap_sim.safe_start import SafeStart

__all__ = ["Session", "is_lease"]

_TICKS_PER_MS = TICKS_PER_S // 1000


class Session:
    """Opened at ``count`` by ``command``."""

    def __init__(self, config: FirmwareConfig, count: int, command: Arm) -> None:
        self._chambers = config.chambers
        self.session_id = command.session_id
        self.ceiling_cmmhg = min(command.ceiling_cmmhg, config.ceiling_cmmhg)
        self.limit_count = count + round(config.session_max_s * TICKS_PER_S)
        self.lease_end_count = count
        self.start = SafeStart(config.chambers, cmmhg_to_mmhg(config.ceiling_cmmhg), config.detection)
        self.renew(count, command.lease_ms)

    def renew(self, count: int, lease_ms: int) -> None:
        """The lease now ends ``lease_ms`` after ``count``."""
        self.lease_end_count = count + lease_ms * _TICKS_PER_MS

    def allows(self, step: Step) -> bool:
        """Whether ``step`` is within the limits of the session."""
        return step.chamber < self._chambers and 0 <= step.target_cmmhg <= self.ceiling_cmmhg and step.ramp_ms <= limits.RAMP_MAX_MS


def is_lease(lease_ms: int) -> bool:
    """Whether a device grants a lease of ``lease_ms``."""
    return limits.LEASE_MIN_MS <= lease_ms <= limits.LEASE_MAX_MS
