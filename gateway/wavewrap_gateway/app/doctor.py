"""Looks at the machine and says what it thinks of it: reads the facts, has the core judge them, in the order worth mending."""

import os
import sys
from pathlib import Path

from platformdirs import user_data_path

from wavewrap_gateway.adapters.bluez_facts import read_bluetooth
from wavewrap_gateway.adapters.broker_facts import read_broker
from wavewrap_gateway.adapters.host_facts import read_clock, read_dongles, read_folder, read_pacing, read_python, read_system, read_wifi
from wavewrap_gateway.adapters.machine import Machine
from wavewrap_gateway.app.config import GatewayConfig, config_path, load_config
from wavewrap_gateway.core.doctor_bluetooth import Attachment, judge_bluetooth, judge_coexistence
from wavewrap_gateway.core.doctor_host import SystemFacts, judge_clock, judge_folder, judge_pacing, judge_python, judge_system
from wavewrap_gateway.core.doctor_setup import ConfigFacts, judge_broker, judge_config, judge_dongles
from wavewrap_gateway.core.verdict import Examination, Verdict
from wavewrap_protocol import __version__
from wavewrap_protocol.errors import UsageError

__all__ = ["examine"]

LIBRARIES = ("bleak", "dbus-fast") if sys.platform == "linux" else ("bleak",)
"""What speaks to the radio; a wrong version of anything else shows by itself."""


async def examine(machine: Machine, path: Path | None = None, radio: str | None = None, broker: str | None = None) -> Examination:
    """Everything, with the configuration that :func:`load_config` would take. Raises nothing for what is wrong: it says so."""
    facts, config = _read_config(path, radio, broker)
    system = read_system(machine)
    verdicts = [judge_config(facts), *judge_python(read_python(LIBRARIES))]
    verdicts += await _radio(machine, system, radio or (config.radio if config is not None else "platform"))
    if config is not None:
        settings = config.mqtt.settings()
        for one in (None,) if settings is None else settings.targets():
            verdicts.append(judge_broker(await read_broker(one, f"wavewrap-doctor-{config.gateway}-{os.getpid()}")))
    verdicts += [*judge_clock(read_clock(), system), judge_pacing(read_pacing())]
    verdicts.append(judge_folder("config folder", read_folder(config_path().parent), written=False))
    verdicts.append(judge_folder("data folder", read_folder(user_data_path("wavewrap")), written=True))
    return Examination(version=__version__, verdicts=verdicts)


async def _radio(machine: Machine, system: SystemFacts, radio: str) -> list[Verdict]:
    """The system, and the Bluetooth that ``radio`` means."""
    if radio.startswith("bumble:"):
        return [judge_system(system, onboard_radio=False), *judge_dongles(radio, read_dongles(machine))]
    if system.system != "Linux":
        return [judge_system(system, onboard_radio=False)]
    bluetooth = await read_bluetooth(machine)
    onboard = any(adapter.attachment is Attachment.ONBOARD for adapter in bluetooth.adapters)
    return [
        judge_system(system, onboard_radio=onboard),
        *judge_bluetooth(bluetooth, system),
        *judge_coexistence(bluetooth.adapters, await read_wifi(machine), system),
    ]


def _read_config(path: Path | None, radio: str | None, broker: str | None) -> tuple[ConfigFacts, GatewayConfig | None]:
    chosen = config_path() if path is None else path
    exists = chosen.exists()
    try:
        config = load_config(path, radio, broker)
        config.mqtt.settings()
    except UsageError as cause:
        return ConfigFacts(str(chosen), exists, str(cause)), None
    return ConfigFacts(str(chosen), exists, None), config
