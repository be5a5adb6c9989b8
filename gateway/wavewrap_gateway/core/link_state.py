"""The state of the link to one wrap, as a sum type: match on it and close with ``assert_never``."""

from dataclasses import dataclass
from enum import Enum
from re import sub

__all__ = [
    "BondLost",
    "Closed",
    "Connecting",
    "Failed",
    "LinkState",
    "LossCause",
    "Lost",
    "Preparing",
    "RadioDown",
    "Ready",
    "Searching",
    "link_word",
    "loss_cause",
]


@dataclass(frozen=True, slots=True)
class Searching:
    """Scanning for the wrap."""


@dataclass(frozen=True, slots=True)
class Connecting:
    """A connect is under way."""

    address: str


@dataclass(frozen=True, slots=True)
class Preparing:
    """Connected; reading what the device is, subscribing, measuring its clock."""


@dataclass(frozen=True, slots=True)
class Ready:
    """Usable."""


class LossCause(Enum):
    """Where an attempt came to its end."""

    REACH = "out of reach"
    """The wrap was not seen: too far, off, or in somebody else's link."""
    CONNECT = "no connect"
    """It was seen, and the link did not become ready."""
    LINK = "link lost"
    """The link was ready."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Down by ``cause``, because of ``reason``; tried again in ``retry_in_s``."""

    cause: LossCause
    reason: str
    retry_in_s: float


@dataclass(frozen=True, slots=True)
class RadioDown:
    """The gateway's own radio does not work because of ``reason``; it is tried again and again until it does."""

    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Given up: trying again cannot help until a person acts."""

    reason: str


@dataclass(frozen=True, slots=True)
class BondLost:
    """Given up: the wrap has forgotten this gateway, and only a person may pair them anew, for who asks may be somebody else's device."""

    reason: str


@dataclass(frozen=True, slots=True)
class Closed:
    """Closed on purpose."""


LinkState = Searching | Connecting | Preparing | Ready | Lost | RadioDown | Failed | BondLost | Closed


def link_word(state: LinkState) -> str:
    """One word for logs, topics and screens."""
    return sub(r"(?<=[a-z])(?=[A-Z])", "_", type(state).__name__).lower()


def loss_cause(state: LinkState) -> LossCause:
    """Of what failed in ``state``."""
    match state:
        case Ready():
            return LossCause.LINK
        case Searching() | RadioDown():
            return LossCause.REACH
        case _:
            return LossCause.CONNECT
