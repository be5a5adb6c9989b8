"""From facts about wavewrap's own set-up to verdicts: configuration, a bare USB dongle, the broker. No IO."""

from dataclasses import dataclass

from wavewrap_gateway.core.verdict import Level, Verdict

__all__ = ["BrokerFacts", "ConfigFacts", "DongleFacts", "judge_broker", "judge_config", "judge_dongles"]


@dataclass(frozen=True, slots=True)
class ConfigFacts:
    """``fault`` is what is wrong with it."""

    path: str
    exists: bool
    fault: str | None


@dataclass(frozen=True, slots=True)
class BrokerFacts:
    """``fault`` is why it cannot be used; ``version`` the MQTT it speaks; ``in_clear`` whether a password leaves us unencrypted."""

    name: str
    embedded: bool
    fault: str | None
    version: str | None
    in_clear: bool


@dataclass(frozen=True, slots=True)
class DongleFacts:
    """A USB device that calls itself a Bluetooth controller; ``node`` is its file, which a driver in user space must open for writing."""

    product: str
    node: str
    writable: bool


def judge_config(facts: ConfigFacts) -> Verdict:
    """The configuration file and the environment."""
    if facts.fault is not None:
        remedy = "correct it; wavewrap config show then prints every value with where it came from"
        return Verdict(check="configuration", level=Level.PROBLEM, says=facts.fault, remedy=remedy)
    says = f"{facts.path} is valid" if facts.exists else "no file, every value has a default"
    return Verdict(check="configuration", level=Level.OK, says=says)


def judge_broker(facts: BrokerFacts) -> Verdict:
    """The broker that a session would publish to."""
    check = "MQTT broker"
    if facts.fault is not None:
        says, remedy = _split(facts.fault)
        return Verdict(check=check, level=Level.PROBLEM, says=says, remedy=remedy)
    if facts.embedded:
        remedy = "to see it from elsewhere give one of your own with --broker or in [mqtt]"
        return Verdict(check=check, level=Level.OK, says="one of our own, reachable on this machine only", remedy=remedy)
    says = f"{facts.name} lets us in, MQTT {facts.version}"
    if facts.in_clear:
        says += "; the password goes there unencrypted"
        return Verdict(check=check, level=Level.WARNING, says=says, remedy="use an mqtts:// URL, with the broker's CA as ca_file")
    return Verdict(check=check, level=Level.OK, says=says)


def judge_dongles(radio: str, dongles: tuple[DongleFacts, ...]) -> list[Verdict]:
    """A bare USB dongle, driven without the system's stack; any other transport is the person's own affair."""
    check = "USB dongle"
    if not radio.startswith("bumble:usb:"):
        return [Verdict(check="radio", level=Level.OK, says=f"{radio}: the system's Bluetooth is not used and not looked at")]
    if not dongles:
        return [Verdict(check=check, level=Level.PROBLEM, says="there is none", remedy="plug one in, or use --radio platform")]
    remedy = "install gateway/deploy/udev/60-wavewrap-dongle.rules, be in the group bluetooth, and plug the dongle in again"
    if not any(one.writable for one in dongles):
        says = f"{dongles[0].product}: {dongles[0].node} may not be opened"
        return [Verdict(check=check, level=Level.PROBLEM, says=says, remedy=remedy)]
    return [Verdict(check=check, level=Level.OK, says=f"{one.product} may be opened") for one in dongles if one.writable]


def _split(fault: str) -> tuple[str, str]:
    """What and what to do about it: our errors end with the remedy after a colon."""
    says, _, remedy = fault.rpartition(": ")
    return says, remedy
