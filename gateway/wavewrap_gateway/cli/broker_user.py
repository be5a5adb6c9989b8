"""``wavewrap broker-user``: let somebody log in to the gateway's own broker."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from wavewrap_gateway.adapters.broker_users import set_user

__all__ = ["broker_user"]


def broker_user(
    file: Annotated[Path, typer.Argument(help="What mqtt.users_file names; made when it is not there.")],
    name: Annotated[str, typer.Argument(help="User name.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Add a user to FILE, or give one another password, which is asked for or read from standard input."""
    if sys.stdin.isatty():
        password = str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    is_new = set_user(file, name, SecretStr(password))
    if as_json:
        typer.echo(json.dumps({"file": str(file), "user": name, "new": is_new}))
    else:
        typer.echo(f"{file}: {name} {'added' if is_new else 'has a new password'}; it holds from the broker's next start")
