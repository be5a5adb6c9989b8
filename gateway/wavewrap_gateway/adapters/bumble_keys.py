"""bumble's bonds on disk: per radio the address that the wraps know it by, and the keys that go with it.

The file is JSON, readable by its owner only: whoever has a key can steer the wrap. A radio without a bond has no entry, and another
address each time.
"""

from pathlib import Path
from typing import Any

from bumble.hci import Address
from bumble.keys import KeyStore, PairingKeys
from pydantic import BaseModel, ConfigDict, ValidationError

from wavewrap_gateway.adapters.private_files import read_text_if_there, replace_file
from wavewrap_protocol.errors import UsageError

__all__ = ["BumbleKeys"]


class _RadioKeys(BaseModel):
    """``address`` is the radio's own; ``bonds`` holds bumble's form of the keys by the address of the peer."""

    model_config = ConfigDict(extra="forbid")
    address: str
    bonds: dict[str, dict[str, Any]] = {}


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    radios: dict[str, _RadioKeys] = {}


class BumbleKeys(KeyStore):
    """The bonds of the radio called ``radio``, in the file at ``path``; without a path they end with the process."""

    def __init__(self, path: Path | None, radio: str) -> None:
        self._path = path
        self._radio = radio
        self._unsaved = _File()
        self._fresh_address: str | None = None
        self.failure: UsageError | None = None
        """Why the newest bond could not be kept; bumble itself passes over that."""

    def own_address(self) -> str:
        """The static random address to use: that of the bonds, a fresh one where there are none. Raises :class:`UsageError`."""
        known = self._read().radios.get(self._radio)
        if known is not None:
            return known.address
        if self._fresh_address is None:
            self._fresh_address = str(Address.generate_static_address())
        return self._fresh_address

    async def get(self, name: str) -> PairingKeys | None:
        """The keys of the bond with ``name``."""
        return dict(self._bonds()).get(name)

    async def get_all(self) -> list[tuple[str, PairingKeys]]:
        """Every bond of this radio."""
        return self._bonds()

    async def update(self, name: str, keys: PairingKeys) -> None:
        """Keep a bond, in the place of an older one."""
        self.failure = None
        try:
            file = self._read()
            entry = file.radios.setdefault(self._radio, _RadioKeys(address=self.own_address()))
            entry.bonds[name] = keys.to_dict()
            self._write(file)
        except UsageError as cause:
            self.failure = cause
            raise

    async def delete(self, name: str) -> None:
        """Remove a bond, if there is one."""
        file = self._read()
        entry = file.radios.get(self._radio)
        if entry is not None and entry.bonds.pop(name, None) is not None:
            self._write(file)

    def _bonds(self) -> list[tuple[str, PairingKeys]]:
        entry = self._read().radios.get(self._radio)
        try:
            return [] if entry is None else [(name, PairingKeys.from_dict(keys)) for name, keys in entry.bonds.items()]
        except (KeyError, TypeError, ValueError) as cause:
            raise UsageError(f"{self._path}: {self._radio}: holds a bond without keys: move the file away and pair again") from cause

    def _read(self) -> _File:
        text = None if self._path is None else read_text_if_there(self._path)
        if text is None:
            return self._unsaved.model_copy(deep=True)
        try:
            return _File.model_validate_json(text)
        except ValidationError as cause:
            detail = cause.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, detail["loc"]))
            raise UsageError(f"{self._path}: {where or 'line 1'}: {detail['msg']}: move the file away and pair again") from None

    def _write(self, file: _File) -> None:
        if self._path is None:
            self._unsaved = file
        else:
            replace_file(self._path, file.model_dump_json(indent=2) + "\n")
