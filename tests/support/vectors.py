"""The golden vectors of ``protocol/vectors``, and messages as the plain data they are written in there."""

import dataclasses
import json
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from wavewrap_protocol import commands, reports, uuids
from wavewrap_protocol.codec import FROM_DEVICE, TO_DEVICE, DeviceMessage, GatewayMessage

__all__ = ["FOLDER", "MESSAGES", "Vector", "build", "decode", "describe", "read_vectors"]

FOLDER = Path(__file__).parents[2] / "protocol" / "vectors"

MESSAGES: dict[str, type[Any]] = {
    name: found
    for module in (commands, reports)
    for name in module.__all__
    if isinstance(found := getattr(module, name), type) and dataclasses.is_dataclass(found)
}
"""Every message class of the wire by name, parts of messages included."""


class Vector(NamedTuple):
    """One entry of a vectors file; ``message`` is None in the file of invalid bytes."""

    file: str
    name: str
    characteristic: str
    direction: str
    data: bytes
    message: dict[str, Any] | None

    def __str__(self) -> str:
        return f"{self.file}: {self.name}"


def read_vectors(*files: str) -> list[Vector]:
    """The entries of ``files`` (stems); of every file that is read and written alike when none is named."""
    stems = files or tuple(sorted(path.stem for path in FOLDER.glob("*.json") if path.stem not in {"invalid", "tolerated"}))
    return [
        Vector(stem, row["name"], row["characteristic"], row["direction"], bytes.fromhex(row["hex"]), row.get("message"))
        for stem in stems
        for row in json.loads((FOLDER / f"{stem}.json").read_text(encoding="utf-8"))["vectors"]
    ]


def decode(vector: Vector) -> GatewayMessage | DeviceMessage:
    """What the codec makes of the bytes of ``vector``. Raises :class:`RemoteError`."""
    uuid = getattr(uuids, vector.characteristic)
    return TO_DEVICE[uuid](vector.data) if vector.direction == "to_device" else FROM_DEVICE[uuid](vector.data)


def describe(value: Any) -> Any:
    """``value`` as the plain data of a vectors file."""
    if dataclasses.is_dataclass(value):
        fields = {field.name: describe(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"type": type(value).__name__, **fields}
    if isinstance(value, tuple):
        return [describe(item) for item in value]
    return value.name if isinstance(value, IntEnum) else value


def build(plain: dict[str, Any]) -> Any:
    """The message that ``plain`` describes."""
    kind = MESSAGES[plain["type"]]
    hints = get_type_hints(kind)
    return kind(**{name: _build_field(hints[name], value) for name, value in plain.items() if name != "type"})


def _build_field(hint: Any, value: Any) -> Any:
    if get_origin(hint) is tuple:
        return tuple(_build_field(get_args(hint)[0], item) for item in value)
    if isinstance(value, dict):
        return build(value)
    return hint[value] if issubclass(hint, IntEnum) else value
