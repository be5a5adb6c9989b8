"""The generated documents: committed as the models make them, valid AsyncAPI 3, and true of real messages."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from tests.support.wire_strategies import payload
from typer.testing import CliRunner

from wavewrap_gateway.cli.protocol import app, render_documents
from wavewrap_protocol.asyncapi import build_asyncapi, build_schemas
from wavewrap_protocol.payloads import TOPICS, Payload
from wavewrap_protocol.requests import REQUESTS

ROOT = Path(__file__).parents[2]
PROTOCOL = ROOT / "protocol"
ASYNCAPI_SCHEMA = ROOT / "out" / "asyncapi" / "schema-3.0.0.json"

WRITTEN: dict[str, type[Payload]] = {
    **{topic.model.__name__: topic.model for topic in TOPICS.values()},
    **{topics.response.__name__: topics.response for topics in REQUESTS.values()},
}
READ: dict[str, type[Payload]] = {topics.request.__name__: topics.request for topics in REQUESTS.values()}


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def resolve(document: dict[str, Any], reference: str) -> Any:
    part: Any = document
    for key in reference.removeprefix("#/").split("/"):
        part = part[key]
    return part


def test_what_is_committed_is_what_the_models_make() -> None:
    committed = {str(path.relative_to(PROTOCOL)) for path in [PROTOCOL / "asyncapi.json", *(PROTOCOL / "schemas").glob("*")]}
    documents = render_documents()
    assert committed == set(documents), "run: make documents"
    for name, text in documents.items():
        assert (PROTOCOL / name).read_text(encoding="utf-8") == text, f"protocol/{name} is old, run: make documents"


@pytest.mark.skipif(not ASYNCAPI_SCHEMA.exists(), reason="no AsyncAPI schema: make test fetches it where there is npm")
def test_the_document_is_valid_asyncapi_3() -> None:
    validator = jsonschema.Draft7Validator(json.loads(ASYNCAPI_SCHEMA.read_text(encoding="utf-8")))
    document = json.loads((PROTOCOL / "asyncapi.json").read_text(encoding="utf-8"))
    assert [error.message for error in validator.iter_errors(document)] == []
    # And the schema is one that can say no: also to what stands deep in a binding.
    document["operations"]["send_bridge_state"]["bindings"]["mqtt"]["qos"] = 3
    assert not validator.is_valid(document)


def test_every_reference_leads_somewhere() -> None:
    document = build_asyncapi()
    found = set(references(document))
    assert "#/components/schemas/Quantiles" in found
    for reference in found:
        resolve(document, reference)


def test_document_and_topic_table_say_the_same() -> None:
    document = build_asyncapi()
    asked = {f"{way}_{command}" for command in REQUESTS for way in ("request", "response")}
    assert set(document["channels"]) == set(TOPICS) | asked
    for name, topic in TOPICS.items():
        channel, operation = document["channels"][name], document["operations"][f"send_{name}"]
        assert channel["address"] == f"{{base}}/{topic.path}"
        assert set(channel["parameters"]) == ({"base", "wrap"} if "{wrap}" in topic.path else {"base"})
        mqtt = operation["bindings"]["mqtt"]
        assert (operation["action"], mqtt["qos"], mqtt["retain"]) == ("send", topic.qos, topic.retained)
        (message,) = operation["messages"]
        schema = resolve(document, resolve(document, resolve(document, message["$ref"])["$ref"])["payload"]["$ref"])
        assert set(schema["properties"]) == set(topic.model.model_fields)


def test_every_request_has_its_answer() -> None:
    document = build_asyncapi()
    for command, topics in REQUESTS.items():
        operation = document["operations"][f"answer_{command}"]
        assert (operation["action"], operation["bindings"]["mqtt"]["retain"]) == ("receive", False)
        asked = resolve(document, operation["channel"]["$ref"])
        answered = resolve(document, operation["reply"]["channel"]["$ref"])
        assert (asked["address"], list(asked["messages"])) == (f"{{base}}/bridge/request/{command}", [topics.request.__name__])
        assert (answered["address"], list(answered["messages"])) == (f"{{base}}/bridge/response/{command}", [topics.response.__name__])


@pytest.mark.parametrize("name", READ)
def test_whoever_asks_may_leave_out_what_has_a_default(name: str) -> None:
    schema = json.loads((PROTOCOL / "schemas" / f"{name}.json").read_text(encoding="utf-8"))
    required = {key for key, field in READ[name].model_fields.items() if field.is_required()}
    assert set(schema.get("required", [])) == required
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("name", WRITTEN)
def test_real_messages_keep_their_schema_and_others_do_not(name: str) -> None:
    schema = json.loads((PROTOCOL / "schemas" / f"{name}.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)

    @settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(payload(WRITTEN[name]))
    def check(value: Any) -> None:
        message = json.loads(value.model_dump_json())
        validator.validate(message)
        assert not validator.is_valid({**message, "surprise": 1})
        for key in message:
            assert not validator.is_valid({other: part for other, part in message.items() if other != key}), key

    check()


def test_the_commands_print_and_write_them(tmp_path: Path) -> None:
    run = CliRunner()
    assert json.loads(run.invoke(app, ["asyncapi"]).stdout) == build_asyncapi()
    assert json.loads(run.invoke(app, ["schema", "Telemetry"]).stdout) == build_schemas()["Telemetry"]
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "Gone.json").write_text("{}")
    told = json.loads(run.invoke(app, ["write", str(tmp_path), "--json"]).stdout)
    assert told["removed"] == ["schemas/Gone.json"]
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.json")} == set(told["written"]) == set(render_documents())
