"""The bonds of simulated wraps, on disk where a file is given: a wrap that is switched off and on still knows its gateways."""

import json
import os
from pathlib import Path
from typing import Any

from bumble.keys import MemoryKeyStore, PairingKeys

from wavewrap_protocol.errors import UsageError

__all__ = ["BondFile", "WrapBonds"]


class BondFile:
    """The bonds of all wraps of a simulator at ``path``, by serial number; without a path they end with the process."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._wraps: dict[str, WrapBonds] = {}

    def bonds_of(self, serial: str) -> "WrapBonds":
        """The bonds of one wrap, one object however often it is asked for. Raises :class:`UsageError` for a file that holds none."""
        if serial not in self._wraps:
            self._wraps[serial] = WrapBonds(self, self._load().get(serial, {}))
        return self._wraps[serial]

    def _load(self) -> dict[str, dict[str, PairingKeys]]:
        if self._path is None or not self._path.exists():
            return {}
        try:
            wraps: dict[str, dict[str, dict[str, Any]]] = json.loads(self._path.read_text(encoding="utf-8"))
            return {serial: {name: PairingKeys.from_dict(keys) for name, keys in bonds.items()} for serial, bonds in wraps.items()}
        except OSError as cause:
            raise UsageError(f"{self._path}: cannot be read ({cause.strerror}): give another with --bonds") from cause
        except (AttributeError, KeyError, TypeError, ValueError) as cause:
            raise UsageError(f"{self._path}: holds no bonds ({cause}): move it away, or give another with --bonds") from cause

    def save(self) -> None:
        """Write the bonds of every wrap asked for, and leave those of others as they are. Raises :class:`OSError`."""
        if self._path is None:
            return
        wraps = self._load() | {serial: bonds.all_keys for serial, bonds in self._wraps.items()}
        made = {serial: {name: keys.to_dict() for name, keys in bonds.items()} for serial, bonds in wraps.items()}
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(made, file, indent=2, sort_keys=True)
        beside.replace(self._path)


class WrapBonds(MemoryKeyStore):
    """The bonds of one wrap by the address of the gateway, written to ``file`` at every change."""

    def __init__(self, file: BondFile, keys: dict[str, PairingKeys]) -> None:
        super().__init__()
        self._file = file
        self.all_keys = keys

    async def update(self, name: str, keys: PairingKeys) -> None:
        """Keep a bond, in the place of an older one."""
        await super().update(name, keys)
        self._file.save()

    async def delete(self, name: str) -> None:
        """Remove a bond, if there is one."""
        await super().delete(name)
        self._file.save()

    def forget_all(self) -> None:
        """As from the factory."""
        self.all_keys.clear()
        self._file.save()
