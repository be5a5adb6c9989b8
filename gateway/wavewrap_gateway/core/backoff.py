"""How long to wait before the next attempt."""

__all__ = ["RADIO_DELAYS_S", "RECONNECT_DELAYS_S", "Backoff"]

RECONNECT_DELAYS_S = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0)
"""Choice, after the practice of long-lived BLE clients: the first retries are near-immediate, because most losses are short, and the
last delay stays under the lease so that a session can still be saved."""


RADIO_DELAYS_S = (0.1, 0.25, 0.5, 1.0, 2.0)
"""While the gateway's own radio is down. Choice: to ask it takes no air, and a daemon that was restarted is there in a second or two."""


class Backoff:
    """Steps through ``delays_s`` and stays at the last; :meth:`reset` after a success."""

    def __init__(self, delays_s: tuple[float, ...] = RECONNECT_DELAYS_S) -> None:
        self._delays_s = delays_s
        self._attempt = 0

    @property
    def attempt(self) -> int:
        """Failures since the last success."""
        return self._attempt

    def next_delay_s(self) -> float:
        """The wait before the next attempt; counts one failure."""
        delay_s = self._delays_s[min(self._attempt, len(self._delays_s) - 1)]
        self._attempt += 1
        return delay_s

    def reset(self) -> None:
        """An attempt succeeded."""
        self._attempt = 0
