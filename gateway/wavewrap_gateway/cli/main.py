"""``wavewrap``: the commands a person types. One line on stderr for what is wrong, exit code 2 for usage, 1 for failure."""

import logging
import os
import sys
from typing import Annotated

import typer

from wavewrap_gateway.cli import (
    acknowledge,
    bench,
    board,
    board_fit,
    broker_user,
    config,
    dashboard,
    demo,
    doctor,
    gateway,
    identify,
    pair,
    programs,
    protocol,
    recovery_journal,
    run,
    scan,
    sessions,
    wraps,
)
from wavewrap_gateway.cli.journal import JournalFormatter, is_read_by_journal, mark
from wavewrap_protocol import __version__
from wavewrap_protocol.errors import UsageError, WavewrapError

__all__ = ["app", "main"]

_ARGUMENT_ERROR: type[typer.BadParameter] = typer.BadParameter.__bases__[0]
"""Wrong options, arguments and commands; typer exports only this leaf of its tree."""

app = typer.Typer(
    name="wavewrap",
    help="Open controller and telemetry gateway for wearable pneumatic compression wraps.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("scan")(scan.scan)
app.command("pair")(pair.pair)
app.command("forget")(wraps.forget)
app.command("run")(run.run)
app.command("gateway")(gateway.gateway)
app.command("doctor")(doctor.doctor)
app.command("broker-user")(broker_user.broker_user)
app.command("dashboard")(dashboard.dashboard)
app.command("acknowledge")(acknowledge.acknowledge)
app.command("identify")(identify.identify)
app.add_typer(wraps.app, name="wraps")
app.add_typer(programs.app, name="programs")
app.add_typer(sessions.app, name="sessions")
app.add_typer(recovery_journal.app, name="journal")
board.app.command("fit")(board_fit.fit)
board.app.command("record", context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})(
    board_fit.record
)
app.add_typer(board.app, name="board")
app.add_typer(config.app, name="config")
app.add_typer(protocol.app, name="protocol")
app.add_typer(bench.app, name="bench")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
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


@app.command("sim", context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def simulate(context: typer.Context) -> None:
    """Run simulated wraps for a gateway to find."""
    # The simulator is a program of its own; the gateway never imports it.
    os.execv(sys.executable, [sys.executable, "-m", "wavewrap_sim", *context.args])


def main() -> None:
    """Entry point of the ``wavewrap`` command."""
    try:
        code = app(standalone_mode=False)
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
