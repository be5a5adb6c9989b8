"""Hypothesis strategies of every message and payload, made from their own definitions."""

import dataclasses
import types
from enum import Enum, IntEnum
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st
from pydantic import BaseModel

from wavewrap_protocol.commands import COMMANDS, ControlWrite, Plan, Step, Stop
from wavewrap_protocol.enums import DeviceState, Opcode, ReportKind, Result
from wavewrap_protocol.limits import CHAMBERS_MAX, VERSION_MAJOR
from wavewrap_protocol.message import Message
from wavewrap_protocol.reports import Answer, Capabilities, FaultReport, StateReport, StepRecord, StepsReport, Telemetry

__all__ = ["U8", "U16", "U32", "any_message", "messages", "payload"]

U8, U16, U32 = (st.integers(0, (1 << bits) - 1) for bits in (8, 16, 32))
I16 = st.integers(-(1 << 15), (1 << 15) - 1)
_NUMBER_OF_CODE = {"B": U8, "H": U16, "I": U32, "h": I16}


def _fixed(kind: type[Message], /, **chosen: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A message of one struct: each field over the whole range of its code, or over its enumeration."""
    hints = get_type_hints(kind)
    codes = kind.STRUCT.format.removeprefix("<")
    fields = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]  # every message is a dataclass
    return st.builds(
        kind,
        **{
            name: chosen.get(name, st.sampled_from(hints[name]) if issubclass(hints[name], IntEnum) else _NUMBER_OF_CODE[code])
            for name, code in zip(fields, codes, strict=True)
        },
    )


@st.composite
def _telemetry(draw: st.DrawFn) -> Telemetry:
    mask = draw(st.integers(1, 0xFF))
    row = st.tuples(*[I16] * mask.bit_count())
    return Telemetry(
        epoch=draw(U8),
        state=draw(st.sampled_from(DeviceState)),
        replay=draw(st.booleans()),
        seq=draw(U32),
        tick=draw(U32),
        period_ms=draw(st.integers(1, 0xFF)),
        mask=mask,
        samples_cmmhg=tuple(draw(st.lists(row, min_size=1, max_size=12))),
    )


def messages() -> dict[str, st.SearchStrategy[Any]]:
    """A strategy for each thing that travels on a characteristic, by a name for the test."""
    steps = st.lists(_fixed(Step), min_size=1, max_size=55).map(tuple)
    records = st.lists(_fixed(StepRecord), min_size=1, max_size=30).map(tuple)
    return {
        **{opcode.name: st.builds(ControlWrite, U16, _fixed(command)) for opcode, command in COMMANDS.items()},
        "stop": st.builds(Stop, U8),
        "plan": st.builds(Plan, U16, U32, U32, steps),
        "answer": st.builds(Answer, st.one_of(U8, st.sampled_from(Opcode).map(int)), U16, st.sampled_from(Result), U32),
        "capabilities": _fixed(
            Capabilities,
            version_major=st.just(VERSION_MAJOR),
            chambers=st.integers(1, CHAMBERS_MAX),
            sample_period_ms=st.integers(1, 0xFF),
        ),
        "telemetry": _telemetry(),
        "state report": _fixed(StateReport, kind=st.just(ReportKind.STATE)),
        "fault report": _fixed(FaultReport, kind=st.just(ReportKind.FAULT)),
        "steps report": st.builds(StepsReport, U16, records),
    }


def any_message() -> st.SearchStrategy[Any]:
    """One of :func:`messages`."""
    return st.one_of(*messages().values())


def payload(model: type[BaseModel]) -> st.SearchStrategy[Any]:
    """Any valid instance of ``model``."""
    return st.builds(model, **{name: _value(info.annotation, name) for name, info in model.model_fields.items()})


def _value(annotation: Any, name: str) -> st.SearchStrategy[Any]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in {Union, types.UnionType}:
        return st.one_of(*(_value(option, name) for option in arguments))
    if origin is list:
        return st.lists(_value(arguments[0], name), max_size=4)
    if origin is dict:
        return st.dictionaries(_value(arguments[0], name), _value(arguments[1], name), max_size=4)
    if annotation is str and name in {"id", "wrap"}:
        return st.from_regex(r"[a-z0-9_-]{1,64}", fullmatch=True).filter(lambda text: text != "bridge")
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return payload(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return st.sampled_from(annotation)
    # JSON numbers of other languages are doubles: whole up to 2^53.
    return {
        str: st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
        int: st.integers(-(1 << 53), 1 << 53),
        float: st.floats(allow_nan=False, allow_infinity=False),
        bool: st.booleans(),
        type(None): st.none(),
    }[annotation]
