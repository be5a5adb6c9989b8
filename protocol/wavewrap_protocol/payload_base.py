"""What every MQTT message is made on."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

__all__ = ["Payload", "WrapId"]


def _refuse_reserved(name: str) -> str:
    if name == "bridge":
        raise ValueError("a wrap may not be called bridge: the gateway's own topics begin with it")
    return name


WrapId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,64}$"), AfterValidator(_refuse_reserved)]
"""Name of a wrap in topics."""


class Payload(BaseModel):
    """Base of every message: unknown keys and NaN or infinity (which JSON has no word for) are refused, instances are frozen."""

    # Built when first used: no program uses them all, and to build them is a quarter of a second and two megabytes of each.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)


# What building takes from files (pydantic looks for its plugins) is read now, and not by the first message of a process that may be out of
# descriptors by then.
Payload.model_rebuild()
