"""How each program of the simulator ends: one line on stderr for what is wrong, exit code 2 for usage, 1 for failure."""

import sys
from typing import NoReturn

import typer

from wavewrap_protocol.errors import UsageError, WavewrapError

__all__ = ["run_program"]

_ARGUMENT_ERROR: type[typer.BadParameter] = typer.BadParameter.__bases__[0]
"""Wrong options and arguments; typer exports only this leaf of its tree."""


def run_program(app: typer.Typer, name: str) -> NoReturn:
    """Run ``app``, which people know as ``name``, and exit."""
    try:
        code = app(standalone_mode=False)
    except UsageError as cause:
        sys.exit(_complain(name, str(cause), 2))
    except WavewrapError as cause:
        sys.exit(_complain(name, str(cause), 1))
    except _ARGUMENT_ERROR as cause:
        sys.exit(_complain(name, f"{cause.format_message().rstrip('.')}. See '{name} --help'.", 2))
    sys.exit(code if isinstance(code, int) else 0)


def _complain(name: str, text: str, code: int) -> int:
    print(f"{name}: {' '.join(text.split())}", file=sys.stderr)
    return code
