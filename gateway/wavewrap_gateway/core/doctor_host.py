"""From facts about the machine to verdicts: interpreter and libraries, system, clock, real-time class, folders. No IO.

Not responsible for reading the facts (:mod:`wavewrap_gateway.adapters.host_facts`) nor for Bluetooth (:mod:`.doctor_bluetooth`).
"""

from dataclasses import dataclass

from wavewrap_gateway.core.known_versions import FITTING, Version, find_known, read_version
from wavewrap_gateway.core.verdict import Level, Verdict
from wavewrap_protocol.payloads import Pacing

__all__ = [
    "ClockFacts",
    "FolderFacts",
    "PythonFacts",
    "SystemFacts",
    "judge_clock",
    "judge_folder",
    "judge_pacing",
    "judge_python",
    "judge_system",
]

PYTHON_FIRST: Version = (3, 11)
"""requires-python in pyproject.toml."""

PYTHON_PAST_TESTED: Version = (3, 14)
"""The first that the classifiers in pyproject.toml do not name."""

FREE_MIN_BYTES = 1_000_000
"""Under it a folder counts as full. Choice: one record of a session with room to write it anew."""

FREE_LOW_BYTES = 100_000_000
"""Under it the person is warned. Choice: an hour of telemetry of two wraps kept as JSON is about 20 MB; five of them."""

RESOLUTION_COARSE_S = 0.001
"""Choice: the pacer works with microseconds; a clock that steps by 1 ms or more has no high-resolution timers behind it."""

REINSTALL = "install wavewrap again in a fresh environment: python3 -m venv, then pip install ."


@dataclass(frozen=True, slots=True)
class PythonFacts:
    """``libraries`` is by package name; ``None`` is one that is not installed."""

    version: Version
    isolated: bool
    libraries: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class SystemFacts:
    """``kernel`` is its release; ``model`` that of the board where one is named; ``systemd`` whether it is the init system."""

    system: str
    distribution: str | None
    kernel: str
    machine: str
    model: str | None
    systemd: bool

    @property
    def is_raspberry_pi(self) -> bool:
        """Whether the board calls itself one."""
        return self.model is not None and self.model.startswith("Raspberry Pi")


@dataclass(frozen=True, slots=True)
class ClockFacts:
    """``synchronised`` is ``None`` where the kernel cannot be asked; ``error_ms`` is its bound on the error of a synchronised one."""

    synchronised: bool | None
    error_ms: float
    resolution_s: float


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """``stands_in`` is what exists of ``path``; ``refusal`` why nothing can be written there, ``None`` when it can."""

    path: str
    stands_in: str
    free_bytes: int
    refusal: str | None


def judge_python(facts: PythonFacts) -> list[Verdict]:
    """Interpreter, and the libraries that speak to the radio."""
    text = ".".join(map(str, facts.version))
    if facts.version < PYTHON_FIRST:
        verdicts = [Verdict(check="Python", level=Level.PROBLEM, says=f"{text} is too old", remedy="install Python 3.11 or newer")]
    elif not facts.isolated:
        says = f"{text}, in the system's own environment"
        remedy = "a venv keeps wavewrap's libraries apart from the system's: python3 -m venv, then pip install . in it"
        verdicts = [Verdict(check="Python", level=Level.OK, says=says, remedy=remedy)]
    elif facts.version >= PYTHON_PAST_TESTED:
        verdicts = [Verdict(check="Python", level=Level.OK, says=text, remedy="newer than what wavewrap was tested with (3.11 to 3.13)")]
    else:
        verdicts = [Verdict(check="Python", level=Level.OK, says=text)]
    return verdicts + [_judge_library(name, version) for name, version in facts.libraries.items()]


def _judge_library(name: str, text: str | None) -> Verdict:
    version = None if text is None else read_version(text)
    if version is None:
        return Verdict(check=name, level=Level.PROBLEM, says="is not installed", remedy=REINSTALL)
    first, past = FITTING[name]
    if not first <= version < past:
        says = f"{text} does not fit: {_say(first)} to below {_say(past)} is needed"
        return Verdict(check=name, level=Level.PROBLEM, says=says, remedy=REINSTALL)
    known = find_known(name, version)
    if known is not None:
        return Verdict(check=name, level=known.level, says=f"{text}: {known.reason}", remedy=known.remedy, source=known.source)
    return Verdict(check=name, level=Level.OK, says=str(text))


def _say(version: Version) -> str:
    return ".".join(map(str, version))


def judge_system(facts: SystemFacts, *, onboard_radio: bool) -> Verdict:
    """Operating system and kernel."""
    says = ", ".join(part for part in (facts.distribution or facts.system, f"kernel {facts.kernel}", facts.machine, facts.model) if part)
    if facts.system != "Linux":
        remedy = "on this system only Python, the broker, the clock and the folders are looked at"
        return Verdict(check="system", level=Level.OK, says=says, remedy=remedy)
    version = read_version(facts.kernel)
    known = None if version is None else find_known("kernel", version, onboard=facts.is_raspberry_pi and onboard_radio)
    if known is not None:
        return Verdict(check="system", level=known.level, says=f"{says}: {known.reason}", remedy=known.remedy, source=known.source)
    return Verdict(check="system", level=Level.OK, says=says)


def judge_clock(facts: ClockFacts, system: SystemFacts) -> list[Verdict]:
    """Wall time, which stands in every MQTT message, and the clock that sessions run on."""
    verdicts = []
    if facts.synchronised is None:
        remedy = "see in the system's settings that it sets its clock from the network: MQTT messages carry its time"
        verdicts.append(Verdict(check="wall clock", level=Level.OK, says="whether it is synchronised cannot be asked here", remedy=remedy))
    elif facts.synchronised:
        says = f"synchronised, within {facts.error_ms:.0f} ms" if facts.error_ms >= 1.0 else "synchronised"
        verdicts.append(Verdict(check="wall clock", level=Level.OK, says=says))
    else:
        says = "not synchronised: the times in MQTT messages may be wrong" + (
            " (a Raspberry Pi without a clock battery keeps no time while it is off)" if system.is_raspberry_pi else ""
        )
        remedy = "switch it on: sudo timedatectl set-ntp true" if system.systemd else "start a time service, such as chrony"
        verdicts.append(Verdict(check="wall clock", level=Level.WARNING, says=says, remedy=remedy))
    if facts.resolution_s >= RESOLUTION_COARSE_S:
        says = f"steps by {facts.resolution_s * 1000.0:g} ms: no high-resolution timers"
        remedy = "boot a kernel with high-resolution timers, and without highres=off"
        verdicts.append(Verdict(check="session clock", level=Level.WARNING, says=says, remedy=remedy))
    else:
        verdicts.append(Verdict(check="session clock", level=Level.OK, says=f"steps by {facts.resolution_s * 1e9:.0f} ns"))
    return verdicts


def judge_pacing(granted: Pacing) -> Verdict:
    """What the pacer was granted when it tried. Not getting it delays no step: the wrap keeps the time."""
    if granted.policy != "other":
        return Verdict(check="real-time class", level=Level.OK, says=f"SCHED_{granted.policy.upper()} is granted")
    return Verdict(
        check="real-time class",
        level=Level.OK,
        says="not granted, and not needed: the wrap keeps the time",
        remedy="for a busy machine: LimitRTPRIO=1 in a systemd unit, or 'rtprio 1' for this user in /etc/security/limits.d",
    )


def judge_folder(what: str, facts: FolderFacts, *, written: bool) -> Verdict:
    """One folder of ours. ``written``: wavewrap writes there itself, else only a person does."""
    free = f"{facts.free_bytes / 1e9:.1f} GB" if facts.free_bytes >= 1e9 else f"{facts.free_bytes / 1e6:.1f} MB"
    if facts.free_bytes < FREE_MIN_BYTES:
        return Verdict(check=what, level=Level.PROBLEM, says=f"{facts.path}: the disk is full", remedy="delete what is not needed there")
    if facts.refusal is not None:
        says = f"{facts.stands_in} cannot be written ({facts.refusal})"
        remedy = f"give it to this user: sudo chown $USER {facts.stands_in}"
        if not written:
            return Verdict(check=what, level=Level.OK, says=says, remedy="only a person writes there; reading is enough for a session")
        return Verdict(check=what, level=Level.PROBLEM, says=says, remedy=remedy)
    if facts.free_bytes < FREE_LOW_BYTES:
        says = f"{facts.path}: only {free} are free"
        return Verdict(check=what, level=Level.WARNING, says=says, remedy="delete what is not needed there")
    return Verdict(check=what, level=Level.OK, says=f"{facts.path}, {free} free")
