"""``python -m wavewrap_sim``, which is what ``wavewrap sim`` runs: simulated wraps behind HCI over TCP, or on the air."""

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from wavewrap_board.files import REFERENCE_BOARD, load_board
from wavewrap_protocol.errors import LocalError, UsageError
from wavewrap_protocol.limits import CHAMBERS_MAX
from wavewrap_protocol.payloads import Side
from wavewrap_sim.compiled import fastest_kernel
from wavewrap_sim.faults import GATEWAY_KINDS, PERSON_KINDS, Fault, RadioCut, load_faults, require_chambers
from wavewrap_sim.gatt_security import SecurityMode
from wavewrap_sim.log import LightEntry, PairingEntry
from wavewrap_sim.pairing_window import WINDOW_S
from wavewrap_sim.process import Announcement, Console, SimulatorSettings, serve
from wavewrap_sim.program import run_program
from wavewrap_sim.scenario import CLEAR, load_scenario

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

WRAPS_MAX = 8


@app.command(name="wavewrap sim")
def simulate(
    wraps: Annotated[int | None, typer.Option(min=1, max=WRAPS_MAX, help="How many wraps; default: 2, or one for each --radio.")] = None,
    side: Annotated[list[Side] | None, typer.Option(help="Side of each wrap in turn; default: left, right, left, ...")] = None,
    board: Annotated[str, typer.Option(help="What the wraps are built of: the name of a board, or a file.")] = REFERENCE_BOARD,
    chambers: Annotated[
        int | None, typer.Option(min=1, max=CHAMBERS_MAX, help="Chambers of each wrap: the board's first ones; default: all.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same wraps.")] = 1,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Loopback TCP port for HCI; 0 takes a free one.")] = 9001,
    radio: Annotated[
        list[str] | None,
        typer.Option(
            help="Put a wrap on the air with this Bluetooth controller (usb:0, serial:/dev/ttyACM0,1000000, hci-socket:0), "
            "one for each wrap; default: a virtual air, with HCI on --port."
        ),
    ] = None,
    scenario: Annotated[Path | None, typer.Option(help="Radio conditions, a TOML file; none: a radio without time or loss.")] = None,
    faults: Annotated[Path | None, typer.Option(help="What goes wrong and when, a TOML file; tests/faults has some.")] = None,
    security: Annotated[
        SecurityMode,
        typer.Option(
            help="open: serve everybody; passkey: ask for a link paired with the passkey shown. SIGUSR1 presses every pairing button, "
            "SIGUSR2 makes every wrap forget its bonds."
        ),
    ] = SecurityMode.OPEN,
    bonds: Annotated[Path | None, typer.Option(help="Keep the wraps' bonds in this file; none: they end with the simulator.")] = None,
    window: Annotated[
        float, typer.Option(min=1.0, max=600.0, help="Seconds that a pairing window stays open after the button is pressed.")
    ] = WINDOW_S,
    log: Annotated[Path | None, typer.Option(help="Write what the wraps truly did here, one JSON object a line.")] = None,
    with_parent: Annotated[bool, typer.Option(help="End when standard input ends; tell on stdout why not.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Announce on one JSON line.")] = False,
) -> None:
    """Run simulated wraps until Ctrl-C. A gateway reaches them with --radio bumble:tcp-client:127.0.0.1:PORT."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    # The host stack's own log repeats, in colour, what our errors say.
    logging.getLogger("bumble").setLevel(logging.ERROR)
    dongles = list(radio or [])
    wraps = _count_wraps(wraps, dongles, scenario)
    given = list(side or [])
    if len(given) > wraps:
        raise UsageError(f"--side is given {len(given)} times for {wraps} wraps: give it at most once a wrap")
    sides = given + [(Side.LEFT, Side.RIGHT)[index % 2] for index in range(len(given), wraps)]
    try:
        conditions = CLEAR if scenario is None else load_scenario(scenario)
        built = load_board(board)
        built = built if chambers is None else built.with_chambers(chambers)
        wrong = () if faults is None else _load_faults(faults, len(built.chambers), security, dongles)
    except UsageError as cause:
        if with_parent:
            print(json.dumps({"error": str(cause)}), flush=True)
            raise typer.Exit(2) from cause
        raise
    settings = SimulatorSettings(sides, built, seed, "127.0.0.1", port, conditions, security, log, wrong, bonds, window, dongles)

    def announce(ready: Announcement) -> None:
        if as_json:
            print(json.dumps({"radio": ready.radio, "serials": list(ready.serials)}), flush=True)
        else:
            print(f"{wraps} simulated wrap(s), {len(built.chambers)} chambers each: {', '.join(ready.serials)}")
            if security is SecurityMode.PASSKEY:
                print(f"their pairing buttons:  kill -USR1 {os.getpid()}  (then: wavewrap pair --radio {ready.radio})")
            if not fastest_kernel().is_compiled:
                print(f"the plant runs as {fastest_kernel().form}: it takes some per cent of a core a wrap")
            if dongles:
                print(
                    f"on the air at {', '.join(dongles)}: another computer, or another adapter of this one, finds it with 'wavewrap scan'"
                )
            print(f"try:  wavewrap run recovery --radio {ready.radio}", flush=True)

    def show(entry: PairingEntry | LightEntry) -> None:
        if isinstance(entry, LightEntry):
            text = f"shows its light for {entry.for_s} s" if entry.for_s else "puts its light out"
            print(json.dumps({"wrap": entry.wrap, "light_s": entry.for_s}) if as_json else f"{entry.wrap}  {text}", flush=True)
        elif as_json:
            print(json.dumps({"wrap": entry.wrap, "pairing": entry.event, "passkey": entry.passkey}), flush=True)
        else:
            text = f"shows passkey {entry.passkey} for {window:g} s" if entry.passkey else f"pairing: {entry.event.replace('_', ' ')}"
            print(f"{entry.wrap}  {text}{f' ({entry.central})' if entry.central else ''}", flush=True)

    try:
        asyncio.run(_run(settings, announce, show, with_parent))
    except OSError as cause:
        what = f"port {port} is in use" if cause.filename is None else f"{cause.filename}: {cause.strerror}"
        text = f"the simulator cannot start: {what}: choose another with {'--port' if cause.filename is None else '--log'}"
        if with_parent:
            print(json.dumps({"error": text}), flush=True)
            raise typer.Exit(1) from cause
        raise LocalError(text) from cause


def _count_wraps(wraps: int | None, dongles: list[str], scenario: Path | None) -> int:
    """How many there are to be. Raises :class:`UsageError`."""
    if not dongles:
        return 2 if wraps is None else wraps
    if len(set(dongles)) < len(dongles) or wraps not in (None, len(dongles)):
        raise UsageError(f"{len(set(dongles))} controllers with --radio for {wraps or len(dongles)} wraps: a wrap has one of its own")
    if len(dongles) > WRAPS_MAX:
        raise UsageError(f"--radio is given {len(dongles)} times: at most {WRAPS_MAX} wraps")
    if scenario is not None:
        raise UsageError(f"--scenario {scenario}: the air between real radios is what it is: leave out --scenario or --radio")
    return len(dongles)


def _load_faults(path: Path, chambers: int, security: SecurityMode, dongles: list[str]) -> tuple[Fault, ...]:
    faults = load_faults(path)
    require_chambers(faults, chambers, str(path))
    for fault in faults:
        if fault.kind in GATEWAY_KINDS:
            raise UsageError(f"{path}: {fault.kind} befalls a gateway, and this program is none: 'wavewrap bench safety' plays it")
        if isinstance(fault, RadioCut) and dongles:
            raise UsageError(f"{path}: {fault.kind}: a real radio is cut by walking away: leave it out, or leave out --radio")
        if fault.kind in PERSON_KINDS and security is SecurityMode.OPEN:
            raise UsageError(f"{path}: {fault.kind}: these wraps serve everybody: give --security passkey")
    return faults


async def _run(
    settings: SimulatorSettings,
    announce: Callable[[Announcement], None],
    show: Callable[[PairingEntry | LightEntry], None],
    with_parent: bool,
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    console = Console()
    loop.add_signal_handler(signal.SIGUSR1, console.press_pairing_buttons)
    loop.add_signal_handler(signal.SIGUSR2, console.forget_bonds)
    if with_parent:
        loop.add_reader(sys.stdin.fileno(), _stop_at_end, stop)
    await serve(settings, announce, show, stop, console)


def _stop_at_end(stop: asyncio.Event) -> None:
    """The parent closed the pipe, or died, which closes it too."""
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.set()


def main() -> None:
    """Entry point: one line on stderr for what is wrong, exit code 2 for usage, 1 for failure."""
    run_program(app, "wavewrap sim")


if __name__ == "__main__":
    main()
