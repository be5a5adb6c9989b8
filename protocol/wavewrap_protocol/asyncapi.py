"""The AsyncAPI document and the JSON Schemas of what goes over MQTT, generated from the models, ``TOPICS`` and ``REQUESTS``.

``protocol/asyncapi.json`` and ``protocol/schemas/`` are this module's output, committed; a test holds them equal.
Not responsible for: what a field means (the models and ``protocol/README.md`` say it), reading or writing files.
"""

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from pydantic_core import core_schema

from wavewrap_protocol.limits import VERSION_MAJOR, VERSION_MINOR
from wavewrap_protocol.payloads import TOPICS, Payload
from wavewrap_protocol.requests import REQUESTS

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

_COMPONENTS = "#/components/schemas/{model}"


class _Row(NamedTuple):
    """One channel and what a gateway does with it; ``reply`` names the channel of the answer."""

    channel: str
    path: str
    model: type[Payload]
    action: Literal["send", "receive"]
    qos: int
    retained: bool
    reply: str | None = None


class _Written(GenerateJsonSchema):
    """The gateway writes every key: one with a default is still one that a reader may count on."""

    def field_is_required(
        self, field: core_schema.ModelField | core_schema.DataclassField | core_schema.TypedDictField, total: bool
    ) -> bool:
        del field, total
        return True


def build_schemas() -> dict[str, dict[str, Any]]:
    """One self-contained JSON Schema for each message, by the name of its model."""
    schemas = {model.__name__: _schema_alone(model, written) for model, written in _models()}
    return dict(sorted(schemas.items()))


def build_asyncapi() -> dict[str, Any]:
    """The whole document, from the point of view of a gateway: it sends what stands in ``TOPICS`` and answers ``REQUESTS``."""
    rows = list(_rows())
    return {
        "asyncapi": ASYNCAPI_VERSION,
        "info": {
            "title": "wavewrap gateway",
            "version": f"{VERSION_MAJOR}.{VERSION_MINOR}",
            "description": "What a wavewrap gateway publishes over MQTT, and what its daemon can be asked. "
            "Guarantees and refusals stand in protocol/README.md, section 11.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"plain": _server("mqtt", "127.0.0.1:1883"), "tls": _server("mqtts", "broker.example:8883")},
        "channels": {row.channel: _channel(row) for row in rows},
        # An answer is no operation of its own: it is the reply of its request.
        "operations": {
            f"{'answer' if row.reply else row.action}_{row.channel.removeprefix('request_')}": _operation(row)
            for row in rows
            if not row.channel.startswith("response_")
        },
        "components": {
            "messages": {name: _message(name) for name in sorted({row.model.__name__ for row in rows})},
            "schemas": _component_schemas(),
        },
    }


def _rows() -> Iterable[_Row]:
    for name, topic in TOPICS.items():
        yield _Row(name, topic.path, topic.model, "send", topic.qos, topic.retained)
    for command, topics in REQUESTS.items():
        yield _Row(f"request_{command}", f"bridge/request/{command}", topics.request, "receive", 1, False, f"response_{command}")
        yield _Row(f"response_{command}", f"bridge/response/{command}", topics.response, "send", 1, False)


def _models() -> list[tuple[type[Payload], bool]]:
    """Each model once, and whether it is the gateway that writes it."""
    return sorted({(row.model, row.action == "send") for row in _rows()}, key=lambda one: one[0].__name__)


def _server(protocol: str, host: str) -> dict[str, Any]:
    state = TOPICS["bridge_state"]
    will = {"topic": f"wavewrap/{state.path}", "qos": state.qos, "retain": state.retained, "message": '{"state":"offline"}'}
    return {
        "host": host,
        "protocol": protocol,
        "protocolVersion": "5",
        "description": "Any broker of MQTT 5 or 3.1.1; the address is an example.",
        "bindings": {"mqtt": {"lastWill": will, "bindingVersion": MQTT_BINDING_VERSION}},
    }


def _channel(row: _Row) -> dict[str, Any]:
    address = f"{{base}}/{row.path}"
    return {
        "address": address,
        "description": (row.model.__doc__ or "").strip().partition("\n")[0].replace("``", "`"),
        "parameters": {name: value for name, value in _PARAMETERS.items() if f"{{{name}}}" in address},
        "messages": {row.model.__name__: {"$ref": f"#/components/messages/{row.model.__name__}"}},
    }


def _operation(row: _Row) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "action": row.action,
        "channel": {"$ref": f"#/channels/{row.channel}"},
        "messages": [{"$ref": f"#/channels/{row.channel}/messages/{row.model.__name__}"}],
        "bindings": {"mqtt": {"qos": row.qos, "retain": row.retained, "bindingVersion": MQTT_BINDING_VERSION}},
    }
    if row.reply is not None:
        operation["reply"] = {"channel": {"$ref": f"#/channels/{row.reply}"}}
    return operation


def _message(name: str) -> dict[str, Any]:
    return {"name": name, "contentType": "application/json", "payload": {"$ref": f"#/components/schemas/{name}"}}


def _schema_alone(model: type[Payload], written: bool) -> dict[str, Any]:
    schema = (
        model.model_json_schema(schema_generator=_Written, mode="serialization") if written else model.model_json_schema(mode="validation")
    )
    return {"$schema": JSON_SCHEMA_DIALECT, **_tidy(schema)}


def _component_schemas() -> dict[str, Any]:
    _, written = models_json_schema(
        [(model, "serialization") for model, by_us in _models() if by_us], ref_template=_COMPONENTS, schema_generator=_Written
    )
    _, read = models_json_schema([(model, "validation") for model, by_us in _models() if not by_us], ref_template=_COMPONENTS)
    return dict(sorted(_tidy({**read["$defs"], **written["$defs"]}).items()))


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
