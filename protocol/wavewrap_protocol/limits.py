"""Limits of the protocol and of the reference firmware, each with its evidence.

A limit marked *choice* is ours: no published figure was found, the reason stands beside it. None of them is a medical recommendation.
"""

VERSION_MAJOR = 1
VERSION_MINOR = 0

CHAMBERS_MAX = 8
"""The channel mask of telemetry is one byte."""

CEILING_DEFAULT_MMHG = 80.0
"""Firmware ceiling. Above the 70 mmHg of the strongest shipped preset; products reach 110 (Normatec 3, FDA K220217)."""

CEILING_MAX_MMHG = 110.0
"""No firmware may allow more: the top of the cleared range of Normatec 3 (FDA K220217)."""

LEASE_DEFAULT_MS = 5_000
"""A plan is a lease of 2-5 s: long enough for a radio fade of some seconds, short enough that a lost gateway means a vent in seconds."""

LEASE_MAX_MS = 5_000
"""The upper end of those 2-5 s."""

LEASE_MIN_MS = 1_000
"""Choice: one renewal period. A shorter lease would end between two renewals that are both on time."""

LEASE_RENEW_S = 1.0
"""Five renewals fit in one lease, so four in a row may be lost."""

SESSION_MAX_S = 3_600
"""60 min: the longest published session found (five zones at 70 mmHg for 1 h, Martin 2015)."""

OVER_THRESHOLD_MMHG = 15.0
"""A chamber counts as compressing above this. Tourniquet practice alarms at 15 mmHg from the set-point (Zimmer ATS)."""

VENTED_MMHG = 5.0
"""A chamber counts as vented below this; above it long after a vent the vent has failed."""

HOLD_MAX_S = 70.0
"""Longest time over 15 mmHg. Choice: tissue oxygen falls during every compression, so it is bounded; the longest shipped cycle is 60 s."""

VENT_MIN_S = 2.0
"""Shortest time between the end of one compression of a chamber and the start of its next. Choice: the shortest rest of a shipped
preset is longer."""

QUEUE_DEPTH_DEFAULT = 64
"""Steps. Eight chambers at eight steps each: more than a 5 s horizon of any shipped preset."""

SAMPLE_PERIOD_MS = 20
"""50 Hz: resolves a 0.5 s chamber delay (Kamm 1986) twenty-five times over."""

RING_S = 60
"""Samples that the device keeps for replay. A fade longer than the lease ends the session, so this covers it twelve times."""

REPORTS_KEPT = 128
"""Reports that the device keeps to send again after a reconnect."""

COMMANDS_REMEMBERED = 16
"""Answers that the device remembers, so that a command repeated after a reconnect is not carried out twice."""

LATE_TOLERANCE_MS = 5
"""A step no later than this is run, not refused. Choice: a reported error, never a hidden one."""

EASE_FIRST_PCT = 70
"""Share of the device's own ceiling that the first compression of a chamber in a session may reach. Choice: the strongest shipped preset
asks for 56 of 80 mmHg there."""

EASE_SECOND_PCT = 85
"""The same for the second compression. Choice: the strongest shipped preset asks for 63 of 80 mmHg."""

IDENTIFY_MAX_S = 60
"""Choice: as long as somebody looks for the wrap."""

RAMP_MAX_MS = 60_000
"""Longest ramp of one step. Choice: as long as the longest shipped cycle."""

ATT_MTU_MIN = 23
"""The smallest ATT MTU (Bluetooth Core, Vol 3 Part F 3.2.8): 20 bytes of payload. A live telemetry frame of four chambers fits, a
plan (21 bytes) and a replayed frame of four chambers (22 bytes) do not."""

CHARACTERISTIC_MAX_BYTES = 512
"""Longest attribute value (Bluetooth Core, Vol 3 Part F 3.2.9)."""
