"""What the package offers, pinned: a name that goes or comes is a decision, not an accident."""

import pytest

from wavewrap_protocol import codec, commands, errors, limits, payloads, reports, requests, responses, states

PINNED = {
    errors: (
        "BrokerError DeviceError LinkError LocalError RemoteError StoreError TransitionError UsageError VersionError WavewrapError "
        "WireRangeError"
    ),
    codec: "FROM_DEVICE TO_DEVICE DeviceMessage GatewayMessage",
    commands: "COMMANDS Acknowledge Arm Command ControlWrite End Flush Identify Plan Renew Replay Reports Step Stop Stream TimePing",
    reports: "Answer Capabilities FaultReport Report StateReport StepRecord StepsReport Telemetry TimePong decode_report frame_wait_ticks",
    states: "PRESSURISING TRANSITIONS DeviceEvent next_state",
    payloads: (
        "TOPICS Availability BridgeEvent BridgeHealth BridgeInfo BridgeState ChamberFigures ClockQuality Cycles Devices "
        "EndedHow FindingRecord Histogram JournalDue JournalQuestion Moment MqttCounts OccasionKind OutboxHealth Pacing Payload "
        "ProcessFigures Quantiles SampleAccount SampleCounts Selection SessionProgress SessionSummary Side StepCounts TargetPath "
        "Telemetry Topic WrapEvent "
        "WrapId WrapInfo WrapState WrapSummary"
    ),
    requests: (
        "REQUESTS REQUEST_MAX_BYTES TTL_MAX_S AcknowledgeRequest BoostRequest CommandName ForgetRequest HealthRequest IdentifyRequest "
        "PairRequest PauseRequest ProgramsRequest RenameRequest Request RequestTopic ResumeRequest ScanRequest SelectRequest "
        "SessionsRequest StartRequest StopRequest Transaction"
    ),
    responses: (
        "HealthData HealthResponse HeardWrap KnownWrapInfo PairData PairResponse PastSession ProgramInfo ProgramPreview ProgramsData "
        "ProgramsResponse Reason Response RunningSession ScanData ScanResponse SelectionResponse SessionResponse SessionsData "
        "SessionsResponse StopData StopResponse WrapHealth WrapResponse"
    ),
}


@pytest.mark.parametrize("module", PINNED, ids=lambda module: module.__name__)
def test_public_names_are_pinned_and_exist(module: object) -> None:
    names = module.__all__  # type: ignore[attr-defined]  # every pinned module has one
    assert names == PINNED[module].split()  # type: ignore[index]  # the modules are the keys
    assert [name for name in names if not hasattr(module, name)] == []


def test_error_tree() -> None:
    drawn = {
        errors.LocalError: errors.WavewrapError,
        errors.WireRangeError: errors.LocalError,
        errors.TransitionError: errors.LocalError,
        errors.UsageError: errors.LocalError,
        errors.RemoteError: errors.WavewrapError,
        errors.VersionError: errors.RemoteError,
        errors.DeviceError: errors.WavewrapError,
        errors.LinkError: errors.WavewrapError,
        errors.BrokerError: errors.WavewrapError,
        errors.StoreError: errors.WavewrapError,
        errors.WavewrapError: Exception,
    }
    assert {getattr(errors, name) for name in errors.__all__} == set(drawn)
    for kind, parent in drawn.items():
        assert kind.__bases__ == (parent,)
        assert kind.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize(("theirs", "remedy"), [(2, "update the gateway"), (0, "update the firmware of the wrap")])
def test_version_error_names_both_versions_and_who_updates(theirs: int, remedy: str) -> None:
    error = errors.VersionError(theirs, limits.VERSION_MAJOR)
    assert f"version {theirs}" in str(error)
    assert f"version {limits.VERSION_MAJOR}" in str(error)
    assert str(error).endswith(remedy)


def test_limits_agree_with_each_other() -> None:
    assert limits.CEILING_DEFAULT_MMHG <= limits.CEILING_MAX_MMHG
    assert limits.LEASE_MIN_MS <= limits.LEASE_DEFAULT_MS <= limits.LEASE_MAX_MS
    assert limits.LEASE_DEFAULT_MS >= 5 * limits.LEASE_RENEW_S * 1000
    assert limits.VENTED_MMHG < limits.OVER_THRESHOLD_MMHG < limits.CEILING_DEFAULT_MMHG
    assert limits.HOLD_MAX_S > limits.RAMP_MAX_MS / 1000
    assert limits.RING_S * 1000 > limits.LEASE_MAX_MS
