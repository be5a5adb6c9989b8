"""``wavewrap pair``: bond with a wrap whose pairing window is open, by the passkey that it shows."""

import asyncio
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from wavewrap_gateway.adapters.ble import open_radio
from wavewrap_gateway.app.config import GatewayConfig, load_config
from wavewrap_gateway.app.known_wraps import KnownWrap, KnownWraps, load_known_wraps
from wavewrap_gateway.cli.asking import ask_line, has_terminal
from wavewrap_gateway.cli.config import ConfigOption
from wavewrap_gateway.cli.playing import tell
from wavewrap_gateway.cli.scan import RadioOption
from wavewrap_gateway.runtime.pairing import find_pairing, pair_wrap
from wavewrap_gateway.runtime.ports import Sighting
from wavewrap_protocol.errors import UsageError

__all__ = ["pair"]

_TRIES_MAX = 3
"""So often a person may type something that is no passkey."""


def pair(
    wrap: Annotated[str | None, typer.Option("--wrap", metavar="ADDRESS", help="The wrap with this address; default: ask.")] = None,
    passkey: Annotated[str | None, typer.Option(help="The six digits that the wrap shows; - reads them from stdin; default: ask.")] = None,
    name: Annotated[str | None, typer.Option(help="What to call it in topics instead of its serial number.")] = None,
    for_s: Annotated[float, typer.Option("--for", min=1.0, max=600.0, help="Seconds to wait for an open pairing window.")] = 30.0,
    radio: RadioOption = None,
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Pair with a wrap: press its pairing button, then type the passkey that it shows. Also heals a bond that the wrap has forgotten."""
    chosen = load_config(config, radio)
    known = load_known_wraps(chosen.known_wraps)
    if name is not None:
        # A wrap that is new has no serial number yet; its own name may stay.
        named = next((one.serial for one in known.wraps if wrap is not None and one.answers_to(wrap)), "")
        known.check_name(name, named, chosen.names)
    if passkey is None and not has_terminal():
        raise UsageError("nobody can be asked for the passkey here: give --passkey 123456, or --passkey - and the digits on stdin")
    if passkey not in (None, "-"):
        _read_passkey(passkey)
    try:
        paired = asyncio.run(_pair(chosen, known, wrap, passkey, name, for_s))
    except KeyboardInterrupt:
        raise typer.Abort from None  # typer would end without a word
    if as_json:
        typer.echo(json.dumps({"wrap": paired.model_dump(mode="json")}))
    else:
        typer.echo(f"paired with {paired.serial} ({paired.side.value}, {paired.model}), called {_topic(paired, chosen.names)}")


def _topic(wrap: KnownWrap, configured: Mapping[str, str]) -> str:
    return configured.get(wrap.serial, wrap.topic)


async def _pair(
    chosen: GatewayConfig, known: KnownWraps, wrap: str | None, passkey: str | None, name: str | None, for_s: float
) -> KnownWrap:
    address = None if wrap is None else known.resolve([wrap])[0]
    async with open_radio(chosen.radio, chosen.bumble_keys) as opened:
        tell(f"looking for a wrap whose pairing window is open (up to {for_s:g} s): press its pairing button")
        found = await find_pairing(opened, for_s, address)
        sighting = await _choose(found, known, chosen.radio)
        tell(f"pairing with {_describe(sighting, known, chosen.radio)}")

        async def ask() -> int | None:
            return await _ask_passkey(sighting, passkey)

        identity = await pair_wrap(opened, sighting, ask)
        before = next((one.name for one in known.wraps if one.serial == identity.serial), None)
        paired = KnownWrap(
            serial=identity.serial,
            side=identity.side,
            model=identity.model,
            name=before if name is None else name,
            address=sighting.address,
            radio=chosen.radio,
            paired_at=datetime.now(UTC).replace(microsecond=0),
        )
        known.add(paired)
        return paired


def _describe(sighting: Sighting, known: KnownWraps, radio: str) -> str:
    wrap = known.at(radio, sighting.address)
    who = "" if wrap is None else f" {wrap.topic} ({wrap.serial})"
    return f"{sighting.address}{who}: {sighting.side.value}, {sighting.model}, {sighting.rssi_dbm} dBm"


async def _choose(found: list[Sighting], known: KnownWraps, radio: str) -> Sighting:
    if len(found) == 1:
        return found[0]
    if not has_terminal():
        raise UsageError(f"{len(found)} wraps have their pairing window open: give one with --wrap {found[0].address}")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("no.", "address", "serial", "model", "side", "signal"):
        table.add_column(heading)
    for number, one in enumerate(found, 1):
        wrap = known.at(radio, one.address)
        # Its serial could only be read over a link, and a system may begin to pair as soon as there is one.
        serial = "-" if wrap is None else wrap.serial
        table.add_row(str(number), one.address, serial, one.model, one.side.value, f"{one.rssi_dbm} dBm")
    Console(stderr=True).print(table)
    for _ in range(_TRIES_MAX):
        answer = await ask_line(f"which one (1 to {len(found)})? ")
        if answer is None:
            break
        if answer.strip().isdecimal() and 1 <= int(answer) <= len(found):
            return found[int(answer) - 1]
    raise UsageError(f"no wrap was chosen: give one with --wrap {found[0].address}")


async def _ask_passkey(sighting: Sighting, given: str | None) -> int | None:
    if given is None:
        for _ in range(_TRIES_MAX):
            answer = await ask_line(f"passkey that {sighting.address} shows: ")
            if not answer:
                return None
            if re.fullmatch(r"\d{3} ?\d{3}", answer.strip()):
                return _read_passkey(answer)
            tell("a passkey has six digits")
        return None
    line = await ask_line("") if given == "-" else given
    return None if line is None else _read_passkey(line)


def _read_passkey(text: str) -> int:
    """Raises :class:`UsageError`."""
    digits = text.strip().replace(" ", "")
    if not re.fullmatch(r"[0-9]{6}", digits):
        raise UsageError("--passkey: give the six digits that the wrap shows")
    return int(digits)
