"""The AsyncAPI document and the JSON Schemas of what goes over MQTT, generated from the models and from ``TOPICS``.

``protocol/asyncapi.json`` and ``protocol/schemas/`` are this module's output, committed; a test holds them equal.
Not responsible for: what a field means (the models and ``protocol/README.md`` say it), reading or writing files.
"""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from pydantic_core import core_schema

from wavewrap_protocol.limits import VERSION_MAJOR, VERSION_MINOR
from wavewrap_protocol.payloads import TOPICS, Payload

__all__ = ["ASYNCAPI_VERSION", "MQTT_BINDING_VERSION", "build_asyncapi", "build_schemas"]

ASYNCAPI_VERSION = "3.0.0"
MQTT_BINDING_VERSION = "0.2.0"
JSON_SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"

_PARAMETERS: dict[str, dict[str, Any]] = {
    "base": {
        "description": "Base topic of the gateway, one or more levels.",
        "default": "wavewrap",
        "examples": ["wavewrap", "clinic/room-2"],
    },
    "wrap": {"description": "Name of the wrap: 1 to 64 of a-z 0-9 _ -, and not bridge.", "examples": ["left-leg"]},
}


class _Written(GenerateJsonSchema):
    """The gateway writes every key: one with a default is still one that a reader may count on."""

    def field_is_required(
        self, field: core_schema.ModelField | core_schema.DataclassField | core_schema.TypedDictField, total: bool
    ) -> bool:
        del field, total
        return True


def build_schemas() -> dict[str, dict[str, Any]]:
    """One self-contained JSON Schema for each message, by the name of its model."""
    models = {topic.model.__name__: topic.model for topic in TOPICS.values()}
    return {
        name: {"$schema": JSON_SCHEMA_DIALECT, **_tidy(models[name].model_json_schema(schema_generator=_Written, mode="serialization"))}
        for name in sorted(models)
    }


def build_asyncapi() -> dict[str, Any]:
    """The whole document, from the point of view of a gateway: it sends what stands in ``TOPICS``."""
    names = sorted({topic.model.__name__ for topic in TOPICS.values()})
    return {
        "asyncapi": ASYNCAPI_VERSION,
        "info": {
            "title": "wavewrap gateway",
            "version": f"{VERSION_MAJOR}.{VERSION_MINOR}",
            "description": "What a wavewrap gateway publishes over MQTT. Guarantees stand in protocol/README.md, section 11.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"plain": _server("mqtt", "127.0.0.1:1883"), "tls": _server("mqtts", "broker.example:8883")},
        "channels": {name: _channel(topic.path, topic.model) for name, topic in TOPICS.items()},
        "operations": {f"send_{name}": _operation(name, topic.model, topic.qos, topic.retained) for name, topic in TOPICS.items()},
        "components": {"messages": {name: _message(name) for name in names}, "schemas": _component_schemas()},
    }


def _server(protocol: str, host: str) -> dict[str, Any]:
    will = {"topic": f"wavewrap/{TOPICS['bridge_state'].path}", "qos": 1, "retain": True, "message": '{"state":"offline"}'}
    return {
        "host": host,
        "protocol": protocol,
        "protocolVersion": "5",
        "description": "Any broker of MQTT 5 or 3.1.1; the address is an example.",
        "bindings": {"mqtt": {"lastWill": will, "bindingVersion": MQTT_BINDING_VERSION}},
    }


def _channel(path: str, model: type[Payload]) -> dict[str, Any]:
    address = f"{{base}}/{path}"
    return {
        "address": address,
        "description": _first_line(model),
        "parameters": {name: value for name, value in _PARAMETERS.items() if f"{{{name}}}" in address},
        "messages": {model.__name__: {"$ref": f"#/components/messages/{model.__name__}"}},
    }


def _operation(channel: str, model: type[Payload], qos: int, retained: bool) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{model.__name__}"}],
        "bindings": {"mqtt": {"qos": qos, "retain": retained, "bindingVersion": MQTT_BINDING_VERSION}},
    }


def _message(name: str) -> dict[str, Any]:
    return {"name": name, "contentType": "application/json", "payload": {"$ref": f"#/components/schemas/{name}"}}


def _component_schemas() -> dict[str, Any]:
    models = sorted({topic.model for topic in TOPICS.values()}, key=lambda model: model.__name__)
    _, definitions = models_json_schema(
        [(model, "serialization") for model in models], ref_template="#/components/schemas/{model}", schema_generator=_Written
    )
    return dict(sorted(_tidy(definitions["$defs"]).items()))


def _first_line(model: type[Payload]) -> str:
    return (model.__doc__ or "").strip().partition("\n")[0].replace("``", "`")


def _tidy(schema: Any) -> Any:
    """Without what pydantic adds to every field: titles that only repeat the key, and the markup of our docstrings."""
    if isinstance(schema, list):
        return [_tidy(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    tidy = {key: _tidy(value) for key, value in schema.items()}
    if isinstance(tidy.get("description"), str):
        tidy["description"] = " ".join(tidy["description"].replace("``", "`").split())
    if isinstance(tidy.get("properties"), dict):
        for part in tidy["properties"].values():
            if isinstance(part.get("title"), str):
                del part["title"]
    return tidy
