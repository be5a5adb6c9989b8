"""Golden bytes, checked in both directions. They were made without the code under test."""

import pytest
from tests.support.vectors import FOLDER, MESSAGES, Vector, build, decode, describe, read_vectors

from wavewrap_protocol.codec import FROM_DEVICE, TO_DEVICE
from wavewrap_protocol.enums import Cause, DeviceState, Fault, Opcode, ReportKind, Result, StepOutcome
from wavewrap_protocol.errors import RemoteError, VersionError

BOTH_WAYS = read_vectors()


@pytest.mark.parametrize("vector", BOTH_WAYS, ids=str)
def test_golden_bytes_read_as_their_message(vector: Vector) -> None:
    assert describe(decode(vector)) == vector.message


@pytest.mark.parametrize("vector", BOTH_WAYS, ids=str)
def test_message_is_written_as_its_golden_bytes(vector: Vector) -> None:
    assert vector.message is not None
    assert build(vector.message).encode() == vector.data


@pytest.mark.parametrize("vector", read_vectors("tolerated"), ids=str)
def test_tolerated_bytes_are_read(vector: Vector) -> None:
    assert describe(decode(vector)) == vector.message


@pytest.mark.parametrize("vector", read_vectors("invalid"), ids=str)
def test_invalid_bytes_are_refused_in_one_line(vector: Vector) -> None:
    with pytest.raises(RemoteError) as refusal:
        decode(vector)
    assert str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_another_major_version_is_refused_with_both_versions_named() -> None:
    (vector,) = (v for v in read_vectors("invalid") if v.name == "major version 2")
    with pytest.raises(VersionError, match=r"version 2.*version 1: update the gateway") as refusal:
        decode(vector)
    assert (refusal.value.theirs, refusal.value.ours) == (2, 1)


def types_in(value: object) -> set[str]:
    if isinstance(value, dict):
        return {str(value["type"])}.union(*(types_in(item) for item in value.values()))
    return set().union(*(types_in(item) for item in value)) if isinstance(value, list) else set()


def values_of(field: str, value: object) -> set[object]:
    if isinstance(value, dict):
        own = {value[field]} if field in value else set()
        return own.union(*(values_of(field, item) for item in value.values()))
    return set().union(*(values_of(field, item) for item in value)) if isinstance(value, list) else set()


def test_every_message_class_has_a_vector() -> None:
    assert set().union(*(types_in(vector.message) for vector in BOTH_WAYS)) == set(MESSAGES)


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ("result", Result),
        ("state", DeviceState),
        ("cause", Cause),
        ("outcome", StepOutcome),
        ("kind", ReportKind),
    ],
)
def test_every_enumerated_value_has_a_vector(field: str, kind: type[Result]) -> None:
    found = set().union(*(values_of(field, vector.message) for vector in BOTH_WAYS))
    # A steps report writes its kind itself, so it is no field of the message.
    assert found | ({"STEPS"} if field == "kind" else set()) == {member.name for member in kind}


def test_every_fault_has_a_vector_as_state_or_fault_report() -> None:
    found = set().union(*(values_of("fault", vector.message) for vector in BOTH_WAYS if vector.characteristic == "REPORT"))
    assert found == {fault.name for fault in Fault}


def test_every_opcode_is_written_and_answered() -> None:
    control = read_vectors("control")
    written = {vector.data[0] for vector in control if vector.direction == "to_device"}
    answered = {vector.data[1] for vector in control if vector.direction == "from_device"}
    assert written == set(Opcode) - {Opcode.PLAN}
    assert set(Opcode) <= answered


def test_every_characteristic_has_vectors_each_way() -> None:
    found = {(vector.characteristic, vector.direction) for vector in BOTH_WAYS}
    assert len(found) == len(TO_DEVICE) + len(FROM_DEVICE)
    assert {path.stem for path in FOLDER.glob("*.json")} == {vector.file for vector in BOTH_WAYS} | {"invalid", "tolerated"}


def test_replays_and_live_frames_have_vectors() -> None:
    assert {vector.message["replay"] for vector in read_vectors("telemetry") if vector.message} == {True, False}
