"""``wavewrap``: the commands a person types. One line on stderr for what is wrong, exit code 2 for usage, 1 for failure."""

import logging
import os
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Annotated

import typer

from wavewrap_gateway.cli.journal import JournalFormatter, is_read_by_journal, mark
from wavewrap_protocol import __version__
from wavewrap_protocol.errors import UsageError, WavewrapError

__all__ = ["COMMANDS", "build", "main"]

COMMANDS = {
    "demo": "demo:demo",
    "scan": "scan:scan",
    "pair": "pair:pair",
    "forget": "wraps:forget",
    "run": "run:run",
    "gateway": "gateway:gateway",
    "doctor": "doctor:doctor",
    "broker-user": "broker_user:broker_user",
    "dashboard": "dashboard:dashboard",
    "acknowledge": "acknowledge:acknowledge",
    "identify": "identify:identify",
    "wraps": "wraps:app",
    "programs": "programs:app",
    "sessions": "sessions:app",
    "journal": "recovery_journal:app",
    "board": "board:app",
    "config": "config:app",
    "protocol": "protocol:app",
    "bench": "bench:app",
}
"""Each with its module in this package, and its function or group there. Only the one that was typed is loaded: all together take a second
of a laptop, and several of a Raspberry Pi."""

_ARGUMENT_ERROR: type[typer.BadParameter] = typer.BadParameter.__bases__[0]
"""Wrong options, arguments and commands; typer exports only this leaf of its tree."""


_PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": list[str]()}
"""Another program reads the rest of the line."""


def build(names: Iterable[str] = COMMANDS) -> typer.Typer:
    """``wavewrap`` with those of :data:`COMMANDS`."""
    app = typer.Typer(
        name="wavewrap",
        help="Open controller and telemetry gateway for wearable pneumatic compression wraps.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(set_up)
    for name in names:
        module, _, attribute = COMMANDS[name].partition(":")
        found = getattr(import_module(f"wavewrap_gateway.cli.{module}"), attribute)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name)(found)
    app.command("sim", context_settings=_PASSED_ON)(simulate)
    return app


def _named(arguments: Sequence[str]) -> Iterable[str]:
    """What ``arguments`` ask for; everything for a help text, and for a name that there is not."""
    first = next((one for one in arguments if not one.startswith("-")), None)
    if first in COMMANDS:
        return [first]
    return [] if first == "sim" or (first is None and "--version" in arguments) else COMMANDS


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


def set_up(
    verbose: Annotated[int, typer.Option("--verbose", "-v", count=True, help="Log more: -v what happens, -vv every message.")] = 0,
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Set up logging, quiet by default."""
    del version  # the callback has dealt with it
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    if is_read_by_journal(sys.stderr, os.environ):
        for handler in logging.getLogger().handlers:
            handler.setFormatter(JournalFormatter("%(name)s: %(message)s"))
    # The host stack's own log repeats, in colour, what our errors say.
    logging.getLogger("bumble").setLevel(logging.DEBUG if verbose > 2 else logging.CRITICAL)
    logging.getLogger("wavewrap_gateway").setLevel(level if verbose else logging.ERROR)


def simulate(context: typer.Context) -> None:
    """Run simulated wraps for a gateway to find."""
    # The simulator is a program of its own; the gateway never imports it.
    os.execv(sys.executable, [sys.executable, "-m", "wavewrap_sim", *context.args])


def main() -> None:
    """Entry point of the ``wavewrap`` command."""
    try:
        code = build(_named(sys.argv[1:]))(standalone_mode=False)
    except UsageError as cause:
        sys.exit(_complain(str(cause), 2))
    except WavewrapError as cause:
        sys.exit(_complain(str(cause), 1))
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(_complain("stopped", 130))
    except _ARGUMENT_ERROR as cause:
        if len(sys.argv) < 2 or not str(cause):
            typer.echo(cause.format_message(), err=True)
            sys.exit(2)
        sys.exit(_complain(f"{cause.format_message().rstrip('.')}. See 'wavewrap --help'.", 2))
    except BrokenPipeError:
        # Whoever read our output has gone, as in `wavewrap programs list | head -1`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _complain(text: str, code: int) -> int:
    line = f"wavewrap: {' '.join(text.split())}"
    print(mark(line, logging.ERROR) if is_read_by_journal(sys.stderr, os.environ) else line, file=sys.stderr)
    return code
