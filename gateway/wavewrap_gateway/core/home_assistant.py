"""What the gateway tells Home Assistant about itself and its wraps: one device discovery message each, as plain data.

Home Assistant reads what the gateway publishes for everybody and sends the requests that anybody may send; nothing here is a way of its
own. Its client speaks MQTT 3.1.1, so its requests carry ``unix_s`` and ``ttl_s``. Not responsible for when this is published
(:mod:`wavewrap_gateway.runtime.discovery`).
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from wavewrap_gateway.core.session import SessionState
from wavewrap_protocol.enums import DeviceState
from wavewrap_protocol.payloads import EndedHow, Moment, WrapInfo
from wavewrap_protocol.requests import CommandName

__all__ = ["EXPIRE_S", "Topics", "describe_gateway", "describe_journal", "describe_wrap", "gateway_id", "journal_id", "wrap_id"]

EXPIRE_S = 10
"""A pressure older than this is shown as unavailable. Choice: twice the period in which states are said again."""

TTL_S = 10
"""How long a press of a button is good. Choice: a slow network passes, a message that lay somewhere does not."""

CLOCK_PROBLEM_MS = 50.0
"""A clock known worse than this is shown as a problem: no step is scheduled on it."""

LINKS = ("searching", "connecting", "preparing", "ready", "lost", "failed", "bond_lost", "closed")

Config = dict[str, object]


@dataclass(frozen=True, slots=True)
class Topics:
    """``base`` is the gateway's base topic; the rest stands under it."""

    base: str

    def request(self, command: CommandName) -> str:
        """Where to ask."""
        return f"{self.base}/bridge/request/{command}"


def gateway_id(gateway: str) -> str:
    """Of the gateway in Home Assistant."""
    return f"wavewrap_{gateway.replace('-', '_')}"


def journal_id(gateway: str) -> str:
    """Of the gateway's recovery journal in Home Assistant: a device of its own, so that it goes as a whole when it is switched off."""
    return f"{gateway_id(gateway)}_journal"


def wrap_id(serial_slug: str) -> str:
    """Of a wrap in Home Assistant: by its serial number, so that a new name leaves its history."""
    return f"wavewrap_wrap_{serial_slug.replace('-', '_')}"


def _origin(version: str) -> Config:
    return {"name": "wavewrap", "sw_version": version}


def _online(topic: str) -> Config:
    return {"topic": topic, "value_template": "{{ value_json.state }}"}


def _entity(device: str, platform: str, key: str, name: str, **more: object) -> Config:
    entity: Config = {"p": platform, "unique_id": f"{device}_{key}", "name": name, "default_entity_id": f"{platform}.{device}_{key}"}
    return {**entity, **more}


def _request(**keys: str) -> str:
    """The template of a request: values are templates, too."""
    head = f'"transaction": "ha-{{{{ now().timestamp() }}}}", "unix_s": {{{{ now().timestamp() }}}}, "ttl_s": {TTL_S}'
    rest = "".join(f', "{key}": {value}' for key, value in keys.items())
    return f"{{{head}{rest}}}"


def describe_gateway(gateway: str, version: str, topics: Topics, programs: Sequence[str], allowed: Collection[CommandName]) -> Config:
    """The gateway as a device: what to play, how long, and the buttons for what is ``allowed``."""
    own = gateway_id(gateway)
    components: dict[str, Config] = {}
    if CommandName.SELECT in allowed:
        where: Config = {"command_topic": topics.request(CommandName.SELECT), "state_topic": f"{topics.base}/bridge/selection"}
        components["program"] = _entity(
            own,
            "select",
            "program",
            "Program",
            **where,
            options=list(programs),
            value_template="{{ value_json.program }}",
            command_template=_request(program='"{{ value }}"'),
            icon="mdi:waveform",
        )
        components["duration"] = _entity(
            own,
            "number",
            "duration",
            "Duration (0: the program's own)",
            **where,
            min=0,
            max=60,
            step=1,
            mode="box",
            unit_of_measurement="min",
            value_template="{{ value_json.duration_min }}",
            command_template=_request(duration_min="{{ value }}"),
        )
    icons = {CommandName.START: "play", CommandName.PAUSE: "pause", CommandName.RESUME: "play-pause", CommandName.STOP: "stop"}
    for command, icon in icons.items():
        if command in allowed:
            components[command] = _entity(
                own,
                "button",
                command,
                command.capitalize(),
                command_topic=topics.request(command),
                command_template=_request(),
                icon=f"mdi:{icon}",
                retain=False,
            )
    components["lateness"] = _entity(
        own,
        "sensor",
        "lateness",
        "Timer lateness (p99)",
        state_topic=f"{topics.base}/bridge/health",
        value_template="{{ value_json.host_lateness_ms.p99 }}",
        unit_of_measurement="ms",
        device_class="duration",
        state_class="measurement",
        suggested_display_precision=1,
        entity_category="diagnostic",
    )
    return {
        "dev": {"identifiers": [own], "name": f"wavewrap {gateway}", "manufacturer": "wavewrap", "model": "Gateway", "sw_version": version},
        "o": _origin(version),
        "availability": [_online(f"{topics.base}/bridge/state")],
        "qos": 1,
        "cmps": components,
    }


def describe_journal(gateway: str, version: str, topics: Topics) -> Config:
    """The recovery journal as a device: whether it asks something, and what. No answer is ever published."""
    own = journal_id(gateway)
    where: Config = {"state_topic": f"{topics.base}/bridge/journal", "icon": "mdi:notebook-heart-outline"}
    components = {
        "due": _entity(own, "binary_sensor", "due", "Question due", **where, value_template=_on_off("value_json.due")),
        "question": _entity(
            own,
            "sensor",
            "question",
            "Question",
            **where,
            value_template="{{ value_json.due[0].moment if value_json.due else 'none' }}",
            device_class="enum",
            options=["none", *(one.value for one in Moment)],
            json_attributes_topic=where["state_topic"],
            json_attributes_template="{{ {'text': value_json.due[0].text if value_json.due else ''} | tojson }}",
        ),
    }
    return {
        "dev": {
            "identifiers": [own],
            "name": f"wavewrap {gateway} journal",
            "manufacturer": "wavewrap",
            "model": "Recovery journal",
            "sw_version": version,
            "via_device": gateway_id(gateway),
        },
        "o": _origin(version),
        "availability": [_online(f"{topics.base}/bridge/state")],
        "qos": 1,
        "cmps": components,
    }


def describe_wrap(gateway: str, version: str, topics: Topics, wrap: WrapInfo, slug: str, allowed: Collection[CommandName]) -> Config:
    """A wrap as a device, with a button for its light where that is ``allowed``; ``slug`` is its serial number as a topic level."""
    own = wrap_id(slug)
    state = f"{topics.base}/{wrap.id}"
    bridge = _online(f"{topics.base}/bridge/state")
    known: Config = {"state_topic": state, "availability": [bridge]}
    """Of what is true of a wrap that is out of reach as well."""
    components: dict[str, Config] = {}
    for number in range(1, wrap.chambers + 1):
        for key, name, field in (("pressure", "Pressure", "pressure_mmhg"), ("target", "Target", "target_mmhg")):
            components[f"{key}_{number}"] = _entity(
                own,
                "sensor",
                f"{key}_{number}",
                f"{name}, chamber {number}",
                state_topic=state,
                value_template=f"{{{{ value_json.{field}[{number - 1}] if value_json.{field} else None }}}}",
                unit_of_measurement="mmHg",
                device_class="pressure",
                state_class="measurement",
                suggested_display_precision=1,
                **({"expire_after": EXPIRE_S} if key == "pressure" else {}),
            )
    components["battery"] = _entity(
        own,
        "sensor",
        "battery",
        "Battery",
        **known,
        value_template="{{ value_json.battery_pct }}",
        unit_of_measurement="%",
        device_class="battery",
        state_class="measurement",
        entity_category="diagnostic",
    )
    components["link"] = _entity(
        own,
        "sensor",
        "link",
        "Link",
        **known,
        value_template="{{ value_json.link }}",
        device_class="enum",
        options=list(LINKS),
        entity_category="diagnostic",
    )
    components["state"] = _entity(
        own,
        "sensor",
        "state",
        "State",
        state_topic=state,
        value_template="{{ value_json.device_state }}",
        device_class="enum",
        options=[one.name.lower() for one in DeviceState],
    )
    components["clock_uncertainty"] = _entity(
        own,
        "sensor",
        "clock_uncertainty",
        "Clock uncertainty",
        state_topic=state,
        value_template="{{ value_json.clock.uncertainty_ms if value_json.clock else None }}",
        unit_of_measurement="ms",
        device_class="duration",
        state_class="measurement",
        suggested_display_precision=2,
        entity_category="diagnostic",
    )
    worse = f"not value_json.clock or value_json.clock.uncertainty_ms > {CLOCK_PROBLEM_MS:g}"
    components["clock_problem"] = _problem(own, "clock_problem", "Clock", state_topic=state, value_template=_on_off(worse))
    components["fault"] = _problem(own, "fault", "Fault", **known, value_template=_on_off("value_json.fault"))
    components["fault_name"] = _entity(
        own, "sensor", "fault_name", "Fault name", **known, value_template="{{ value_json.fault or 'none' }}", entity_category="diagnostic"
    )
    components["session"] = _entity(
        own,
        "sensor",
        "session",
        "Session",
        state_topic=state,
        value_template="{{ value_json.session.state if value_json.session else 'none' }}",
        device_class="enum",
        options=["none", *(one.value for one in SessionState)],
    )
    share = "100 * value_json.session.elapsed_s / value_json.session.duration_s"
    components["progress"] = _entity(
        own,
        "sensor",
        "progress",
        "Session progress",
        state_topic=state,
        value_template=f"{{{{ ({share}) | round(1) if value_json.session else None }}}}",
        unit_of_measurement="%",
        state_class="measurement",
        suggested_display_precision=0,
    )
    components["last_session"] = _entity(
        own,
        "sensor",
        "last_session",
        "Last session",
        state_topic=f"{state}/session",
        availability=[bridge],
        value_template="{{ value_json.ended }}",
        device_class="enum",
        options=[one.value for one in EndedHow],
        json_attributes_topic=f"{state}/session",
        json_attributes_template=(
            "{{ {'program': value_json.program, 'reason': value_json.reason, 'duration_s': value_json.duration_s, "
            "'vented': value_json.vented} | tojson }}"
        ),
    )
    if CommandName.IDENTIFY in allowed:
        components["identify"] = _entity(
            own,
            "button",
            "identify",
            "Identify",
            command_topic=topics.request(CommandName.IDENTIFY),
            command_template=_request(wrap=json.dumps(wrap.id)),
            device_class="identify",
            entity_category="diagnostic",
            retain=False,
        )
    return {
        "dev": {
            "identifiers": [own],
            "name": wrap.id,
            "manufacturer": "wavewrap",
            "model": wrap.model,
            "serial_number": wrap.serial,
            "sw_version": wrap.firmware,
            "via_device": gateway_id(gateway),
        },
        "o": _origin(version),
        "availability": [bridge, _online(f"{state}/availability")],
        "availability_mode": "all",
        "qos": 1,
        "cmps": components,
    }


def _problem(device: str, key: str, name: str, **more: object) -> Config:
    return _entity(device, "binary_sensor", key, name, device_class="problem", entity_category="diagnostic", **more)


def _on_off(condition: str) -> str:
    return f"{{{{ 'ON' if {condition} else 'OFF' }}}}"
