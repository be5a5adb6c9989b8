"""Home Assistant's side of device discovery: what it accepts, what it makes of a state, and what it sends when somebody presses.

Written from its public rules, not from the gateway's code: keys that it knows, templates rendered as it renders them (jinja2), values that
an entity of that kind may have.
"""

import json
from datetime import UTC, datetime
from typing import Any

import jinja2

__all__ = ["Entity", "read_device"]

ROOT_KEYS = {"dev", "o", "cmps", "availability", "availability_mode", "qos"}
DEVICE_KEYS = {"identifiers", "name", "manufacturer", "model", "serial_number", "sw_version", "via_device"}
ENTITY_KEYS = {"p", "unique_id", "name", "default_entity_id", "availability", "icon", "entity_category"}
KEYS_OF = {
    "sensor": {
        "state_topic",
        "value_template",
        "unit_of_measurement",
        "device_class",
        "state_class",
        "suggested_display_precision",
        "expire_after",
        "options",
        "json_attributes_topic",
        "json_attributes_template",
    },
    "binary_sensor": {"state_topic", "value_template", "device_class"},
    "select": {"state_topic", "command_topic", "value_template", "command_template", "options"},
    "number": {"state_topic", "command_topic", "value_template", "command_template", "min", "max", "step", "mode", "unit_of_measurement"},
    "button": {"command_topic", "command_template", "device_class", "retain"},
}
UNITS_OF = {"pressure": {"mmHg"}, "battery": {"%"}, "duration": {"ms", "s", "min"}}


def _render(template: str, **variables: object) -> str:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    environment.globals["now"] = lambda: datetime.now(UTC)
    return environment.from_string(template).render(**variables)


class Entity:
    """One component, with what it takes over from its device."""

    def __init__(self, key: str, config: dict[str, Any], device: dict[str, Any]) -> None:
        self.key = key
        self.config = config
        self.availability = config.get("availability", device["availability"])

    def state_of(self, body: bytes) -> str | None:
        """What it shows for ``body`` on its state topic; ``None`` is unknown. Refuses what an entity of its kind cannot show."""
        value = _render(self.config["value_template"], value_json=json.loads(body))
        if value == "None":
            return None
        match self.config["p"], self.config.get("device_class"):
            case "sensor", "enum":
                assert value in self.config["options"], f"{self.key}: {value}"
            case "sensor", _ if "state_class" in self.config:
                float(value)
            case "binary_sensor", _:
                assert value in ("ON", "OFF"), f"{self.key}: {value}"
            case "select", _:
                assert value in self.config["options"], f"{self.key}: {value}"
            case "number", _:
                assert self.config["min"] <= float(value) <= self.config["max"]
            case _:
                pass
        return value

    def attributes_of(self, body: bytes) -> dict[str, Any]:
        """What it shows beside its state."""
        shown = json.loads(_render(self.config["json_attributes_template"], value_json=json.loads(body)))
        assert isinstance(shown, dict)
        return shown

    def command(self, value: object = "PRESS") -> bytes:
        """What is sent when somebody presses it or chooses ``value``."""
        return _render(self.config["command_template"], value=value).encode()

    def is_available(self, retained: dict[str, bytes]) -> bool:
        """By what lies on the broker, all of its topics saying "online"."""
        return all(
            one["topic"] in retained and _render(one["value_template"], value_json=json.loads(retained[one["topic"]])) == "online"
            for one in self.availability
        )


def read_device(body: bytes) -> dict[str, Entity]:
    """The entities of a discovery message; refuses what Home Assistant would refuse or complain about."""
    device = json.loads(body)
    assert set(device) <= ROOT_KEYS, set(device) - ROOT_KEYS
    assert {"dev", "o", "cmps", "availability"} <= set(device)
    assert device["o"]["name"]
    assert device["dev"]["identifiers"]
    assert set(device["dev"]) <= DEVICE_KEYS
    assert device["qos"] in (0, 1, 2)
    assert device.get("availability_mode", "latest") in ("all", "any", "latest")
    assert len(device["availability"]) == 1 or device["availability_mode"] == "all"
    ids = [one["unique_id"] for one in device["cmps"].values()]
    assert len(set(ids)) == len(ids)
    for key, config in device["cmps"].items():
        _check(key, config)
    return {key: Entity(key, config, device) for key, config in device["cmps"].items()}


def _check(key: str, config: dict[str, Any]) -> None:
    kind = config["p"]
    assert set(config) <= ENTITY_KEYS | KEYS_OF[kind], f"{key}: {set(config) - ENTITY_KEYS - KEYS_OF[kind]}"
    assert config["default_entity_id"].startswith(f"{kind}.")
    assert config["default_entity_id"].removeprefix(f"{kind}.").replace("_", "").isalnum()
    assert config["default_entity_id"] == config["default_entity_id"].lower()
    assert config.get("entity_category", "diagnostic") in ("config", "diagnostic")
    if kind in ("sensor", "binary_sensor"):
        assert config.get("entity_category") != "config", f"{key}: a sensor is never of the category config"
    device_class = config.get("device_class")
    if device_class == "enum":
        assert config["options"]
        assert "state_class" not in config
        assert "unit_of_measurement" not in config
    if kind == "sensor" and device_class in UNITS_OF:
        assert config["unit_of_measurement"] in UNITS_OF[device_class]
        assert config["state_class"] == "measurement"
    if kind == "sensor" and device_class == "pressure":
        assert config["suggested_display_precision"] == 1
    for topic in ("state_topic", "command_topic", "json_attributes_topic"):
        assert not set("+#") & set(config.get(topic, ""))
    assert config.get("retain", False) is False, f"{key}: a kept press would press again"
