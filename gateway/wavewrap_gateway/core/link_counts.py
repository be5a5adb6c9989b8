"""How often each trouble befell the link to one wrap, counted from the states that it goes through."""

from dataclasses import dataclass

from wavewrap_gateway.core.link_state import BondLost, LinkState, LossCause, Lost, RadioDown, Ready

__all__ = ["LinkCounts"]


@dataclass(slots=True)
class LinkCounts:
    """Since the gateway started. Feed :meth:`enter` every state and :meth:`reboot` every restart of the wrap."""

    losses: int = 0
    """Links that were ready and were lost, the wrap's fall into silence included."""
    reconnects: int = 0
    """Links that became ready after that."""
    failed_connects: int = 0
    """Connects that did not come as far as ready."""
    out_of_reach: int = 0
    """Scans that did not find the wrap: too far, off, or in somebody else's link, which cannot be told apart."""
    radio_downs: int = 0
    """Times that the gateway's own radio went down: the adapter, the Bluetooth daemon, the bus to it."""
    lost_bonds: int = 0
    """Times that the wrap was found to have forgotten its bond."""
    reboots: int = 0
    """Restarts of the wrap."""
    _radio_is_down: bool = False

    def enter(self, state: LinkState) -> None:
        """The link is now in ``state``."""
        match state:
            case Ready():
                self.reconnects += self.losses > self.reconnects
                self._radio_is_down = False
            case Lost(LossCause.LINK):
                self.losses += 1
            case Lost(LossCause.CONNECT):
                self.failed_connects += 1
                self._radio_is_down = False
            case Lost(LossCause.REACH):
                self.out_of_reach += 1
                self._radio_is_down = False
            case RadioDown():
                self.radio_downs += not self._radio_is_down
                self._radio_is_down = True
            case BondLost():
                self.lost_bonds += 1
            case _:
                pass

    def reboot(self) -> None:
        """The wrap has started again."""
        self.reboots += 1
