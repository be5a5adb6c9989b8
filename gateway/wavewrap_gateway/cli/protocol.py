"""``wavewrap protocol``: the machine-readable description of what goes over MQTT. What it prints is JSON without being asked."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from wavewrap_protocol.asyncapi import build_asyncapi, build_schemas
from wavewrap_protocol.errors import UsageError

__all__ = ["app", "render_documents"]

app = typer.Typer(help="The MQTT messages for programs: AsyncAPI document and JSON Schemas.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """The MQTT messages for programs: AsyncAPI document and JSON Schemas."""


@app.command("asyncapi")
def asyncapi() -> None:
    """Print the AsyncAPI 3 document of this version."""
    typer.echo(_render(build_asyncapi()), nl=False)


@app.command("schema")
def schema(message: Annotated[str, typer.Argument(help="Name of a message, as Telemetry.")]) -> None:
    """Print the JSON Schema of one message."""
    schemas = build_schemas()
    if message not in schemas:
        raise UsageError(f"message {message!r}: there is none of that name; there are {', '.join(schemas)}")
    typer.echo(_render(schemas[message]), nl=False)


@app.command("write")
def write(
    folder: Annotated[Path, typer.Argument(help="Where asyncapi.json and schemas/ go.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write document and schemas below FOLDER, and remove schemas of messages that are no more."""
    documents = render_documents()
    try:
        (folder / "schemas").mkdir(parents=True, exist_ok=True)
        gone = [path for path in sorted((folder / "schemas").glob("*.json")) if f"schemas/{path.name}" not in documents]
        for path in gone:
            path.unlink()
        for name, text in documents.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as cause:
        raise UsageError(f"{folder}: cannot be written ({cause.strerror}): give a folder of yours") from cause
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), "written": sorted(documents), "removed": [f"schemas/{path.name}" for path in gone]}))
    else:
        typer.echo(f"{folder}: {len(documents)} files written, {len(gone)} removed")


def render_documents() -> dict[str, str]:
    """Every generated file: its text by its path below ``protocol/``."""
    schemas = {f"schemas/{name}.json": _render(schema) for name, schema in build_schemas().items()}
    return {"asyncapi.json": _render(build_asyncapi()), **schemas}


def _render(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
