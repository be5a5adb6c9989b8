"""The wraps that this host is paired with, in one JSON file: who they are and what people call them. No keys are in it."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter, ValidationError

from wavewrap_gateway.adapters.private_files import read_text_if_there, replace_file
from wavewrap_gateway.runtime.wrap import topic_name
from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.payloads import Side, WrapId

__all__ = ["KnownWrap", "KnownWraps", "load_known_wraps"]

_WRAP_ID: TypeAdapter[str] = TypeAdapter(WrapId)


class KnownWrap(BaseModel):
    """One wrap. ``serial`` is who it is; ``address`` is where it was last seen, on ``radio`` (as configured), whose bond it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    serial: str
    side: Side
    model: str
    name: WrapId | None = None
    address: str
    radio: str
    paired_at: AwareDatetime

    @property
    def topic(self) -> str:
        """What it is called in topics, unless the configuration says otherwise."""
        return self.name or topic_name(self.serial)

    def answers_to(self, text: str) -> bool:
        """Whether a person means this one: by name, serial number or address."""
        return text.lower() in {self.topic, self.serial.lower(), self.address.lower()}


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    wraps: tuple[KnownWrap, ...] = ()


class KnownWraps:
    """What stands in the file at ``path``; every change is written at once."""

    def __init__(self, path: Path, wraps: Iterable[KnownWrap]) -> None:
        self._path = path
        self._wraps = {wrap.serial: wrap for wrap in wraps}

    @property
    def wraps(self) -> tuple[KnownWrap, ...]:
        """In the order of pairing."""
        return tuple(self._wraps.values())

    def names(self, configured: Mapping[str, str]) -> dict[str, str]:
        """Names by serial number; what is ``configured`` comes before what was given when pairing."""
        return {wrap.serial: wrap.name for wrap in self.wraps if wrap.name is not None} | dict(configured)

    def addresses(self, radio: str) -> list[str]:
        """Of those paired on ``radio``."""
        return [wrap.address for wrap in self.wraps if wrap.radio == radio]

    def at(self, radio: str, address: str) -> KnownWrap | None:
        """The wrap that was last seen there."""
        return next((wrap for wrap in self.wraps if (wrap.radio, wrap.address) == (radio, address)), None)

    def find(self, text: str) -> KnownWrap:
        """The wrap that ``text`` means. Raises :class:`UsageError`."""
        for wrap in self.wraps:
            if wrap.answers_to(text):
                return wrap
        known = ", ".join(wrap.topic for wrap in self.wraps) or "none"
        raise UsageError(f"no wrap called {text!r} is paired with this host; known: {known}. See 'wavewrap wraps'")

    def resolve(self, texts: Iterable[str]) -> list[str]:
        """Addresses for names and serial numbers of known wraps; what is neither stays as it is."""
        return [next((wrap.address for wrap in self.wraps if wrap.answers_to(text)), text) for text in texts]

    def check_name(self, name: str, serial: str, configured: Mapping[str, str]) -> str:
        """``name``, if the wrap with ``serial`` may have it. Raises :class:`UsageError`."""
        try:
            _WRAP_ID.validate_python(name)
        except ValidationError:
            raise UsageError(f"name {name!r}: use up to 64 of a-z, 0-9, _ and -, and not 'bridge'") from None
        taken = {other.topic: other.serial for other in self.wraps} | {called: of for of, called in configured.items()}
        if taken.get(name, serial) != serial:
            raise UsageError(f"name {name!r}: the wrap {taken[name]} is called that: choose another, or rename that one")
        return name

    def add(self, wrap: KnownWrap) -> None:
        """Remember ``wrap``, in the place of what was known of it."""
        self._wraps.pop(wrap.serial, None)
        self._wraps[wrap.serial] = wrap
        self._save()

    def rename(self, wrap: KnownWrap, name: str) -> KnownWrap:
        """``wrap`` under its new name."""
        renamed = self._wraps[wrap.serial] = wrap.model_copy(update={"name": name})
        self._save()
        return renamed

    def remove(self, wrap: KnownWrap) -> None:
        """Know it no longer."""
        del self._wraps[wrap.serial]
        self._save()

    def _save(self) -> None:
        replace_file(self._path, _File(wraps=self.wraps).model_dump_json(indent=2) + "\n")


def load_known_wraps(path: Path) -> KnownWraps:
    """What stands in ``path``; nothing, where there is no such file. Raises :class:`UsageError` for a broken one."""
    text = read_text_if_there(path)
    if text is None:
        return KnownWraps(path, ())
    try:
        file = _File.model_validate_json(text)
    except ValidationError as cause:
        detail = cause.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, detail["loc"]))
        raise UsageError(f"{path}: {where + ': ' if where else ''}{detail['msg']}: repair it, or move it away and pair again") from None
    return KnownWraps(path, file.wraps)
