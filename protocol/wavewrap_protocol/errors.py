"""The one error tree of the project.

::

    WavewrapError
    ├── LocalError              ours: a value that the wire cannot carry, an illegal transition, bad input of the user
    │   ├── WireRangeError      a field is outside what its message can carry
    │   ├── TransitionError     an event that the state table does not allow
    │   └── UsageError          the user's program, configuration or arguments are wrong (exit code 2)
    ├── RemoteError             theirs: the peer sent bytes that are no message
    │   └── VersionError        the peer speaks another major version
    ├── DeviceError             the device understood and refused, or reported a fault
    ├── LinkError               the radio link failed, was lost or never came up
    ├── BrokerError             the MQTT broker refused, vanished or could not be reached
    └── StoreError              the history of sessions could not be read or written

A message names the thing, the value and the remedy.
"""

__all__ = [
    "BrokerError",
    "DeviceError",
    "LinkError",
    "LocalError",
    "RemoteError",
    "StoreError",
    "TransitionError",
    "UsageError",
    "VersionError",
    "WavewrapError",
    "WireRangeError",
]


class WavewrapError(Exception):
    """Root of every error this project raises on purpose."""


class LocalError(WavewrapError):
    """Our side is wrong."""


class WireRangeError(LocalError):
    """A value does not fit the field that should carry it."""


class TransitionError(LocalError):
    """The state table has no such transition; the state is untouched."""


class UsageError(LocalError):
    """What the user gave is wrong; the message says where and what to do."""


class RemoteError(WavewrapError):
    """The peer's bytes are not a message of this protocol."""


class VersionError(RemoteError):
    """The peer speaks a major version that we do not."""

    def __init__(self, theirs: int, ours: int) -> None:
        super().__init__(
            f"the wrap speaks protocol version {theirs}, this gateway speaks version {ours}: "
            f"update {'the gateway' if theirs > ours else 'the firmware of the wrap'}"
        )
        self.theirs = theirs
        self.ours = ours


class DeviceError(WavewrapError):
    """The device refused a command or reported a fault."""


class LinkError(WavewrapError):
    """The link to the wrap failed."""


class BrokerError(WavewrapError):
    """The MQTT broker failed us."""


class StoreError(WavewrapError):
    """The history of sessions failed us."""
