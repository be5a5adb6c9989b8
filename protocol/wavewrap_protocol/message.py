"""The base of every fixed-size message: a frozen slotted dataclass and one :class:`struct.Struct`, size derived.

Not responsible for framing (:mod:`wavewrap_protocol.codec`) nor for what a value means to the device.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import IntEnum
from struct import Struct
from struct import error as struct_error
from typing import ClassVar, Self, TypeVar, dataclass_transform, get_type_hints

from wavewrap_protocol.errors import RemoteError, WireRangeError

M = TypeVar("M", bound="Message")
E = TypeVar("E", bound=IntEnum)


class Message:
    """A message whose fields, in order, are the values of its struct. Subclass through :func:`message`."""

    __slots__ = ()
    STRUCT: ClassVar[Struct]
    _FIELDS: ClassVar[tuple[tuple[str, type[IntEnum] | None], ...]]

    def encode(self) -> bytes:
        """The bytes of this message. Raises :class:`WireRangeError` when a field does not fit."""
        try:
            return self.STRUCT.pack(*(getattr(self, name) for name, _ in self._FIELDS))
        except struct_error as cause:
            raise WireRangeError(f"{self} does not fit its wire format: {cause}") from cause

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The message in ``data``, which must have exactly its size. Raises :class:`RemoteError`."""
        return cls._unpack(data)

    @classmethod
    def _unpack(cls, data: bytes) -> Self:
        """What :meth:`decode` does, for subclasses that check more: ``super()`` fails in a class that ``slots=True`` made anew."""
        if len(data) != cls.STRUCT.size:
            raise RemoteError(f"{cls.__name__} takes {cls.STRUCT.size} bytes, {len(data)} came: {preview(data)}")
        return cls(
            *(
                value if kind is None else parse_enum(kind, value, cls.__name__)
                for value, (_, kind) in zip(cls.STRUCT.unpack(data), cls._FIELDS, strict=True)
            )
        )


@dataclass_transform(frozen_default=True)
def message(layout: str) -> Callable[[type[M]], type[M]]:
    """Class decorator: a frozen slotted dataclass carried by the struct ``layout`` (little-endian is implied)."""

    def decorate(cls: type[M]) -> type[M]:
        made = dataclass(frozen=True, slots=True)(cls)
        hints = get_type_hints(made)
        made.STRUCT = Struct("<" + layout)
        made._FIELDS = tuple(
            (field.name, hints[field.name] if issubclass(hints[field.name], IntEnum) else None)
            for field in fields(made)  # type: ignore[arg-type]  # mypy sees the decorated class as plain
        )
        return made

    return decorate


def parse_enum(kind: type[E], value: int, where: str) -> E:
    """``value`` as a member of ``kind``; an unknown number raises :class:`RemoteError`."""
    try:
        return kind(value)
    except ValueError as cause:
        raise RemoteError(f"{where}: {value} is no {kind.__name__}") from cause


def preview(data: bytes) -> str:
    """At most 32 bytes of ``data`` in hex, for an error message."""
    return data[:32].hex(" ") + (" ..." if len(data) > 32 else "")
