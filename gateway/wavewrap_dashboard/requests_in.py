"""What a page may ask, read strictly: one JSON object a message, a known command, and before a start the answers of the person.

Not responsible for whether the gateway carries it out (it judges again) nor for the expiry (``asking`` puts it in).
"""

import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wavewrap_protocol.requests import REQUESTS, CommandName

__all__ = ["MESSAGE_MAX_BYTES", "Asked", "AskedError", "Check", "read_message"]

MESSAGE_MAX_BYTES = 8192
"""Twice what a gateway reads."""


class AskedError(Exception):
    """The page is told ``why``, a word that it has a sentence for."""

    def __init__(self, why: str, number: int | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.number = number


class Check(BaseModel):
    """What a person said before a start: the contraindications were read and none holds, and none of the signs of today."""

    model_config = ConfigDict(extra="forbid", strict=True)

    read: bool
    pain: bool
    swelling: bool
    bruising: bool
    stopped_running: bool

    @property
    def allows_start(self) -> bool:
        """Read, and every question answered with no."""
        return self.read and not (self.pain or self.swelling or self.bruising or self.stopped_running)


class Asked(BaseModel):
    """One message of a page; ``gateway`` is the place of the one that is meant among those of all brokers."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: int
    command: str
    gateway: Annotated[int, Field(ge=0)] = 0
    body: dict[str, Any] = {}
    check: Check | None = None


def read_message(text: str, *, check_before_start: bool) -> Asked | None:
    """The request in ``text``; ``None`` for the page's heartbeat. Raises :class:`AskedError`."""
    if len(text) > MESSAGE_MAX_BYTES:
        raise AskedError("malformed")
    try:
        given = json.loads(text)
        if given == {"beat": 1}:
            return None
        asked = Asked.model_validate(given)
    except (ValueError, RecursionError, ValidationError) as cause:
        raise AskedError("malformed") from cause
    if asked.command not in set(CommandName):
        raise AskedError("malformed", asked.id)
    name = CommandName(asked.command)
    try:
        # A stop is passed on however it is written: the gateway stops on anything.
        if name is not CommandName.STOP:
            REQUESTS[name].request.model_validate({**asked.body, "transaction": "page"})
    except ValidationError as cause:
        raise AskedError("malformed", asked.id) from cause
    if name is CommandName.START and check_before_start and (asked.check is None or not asked.check.allows_start):
        raise AskedError("check_missing" if asked.check is None else "check_failed", asked.id)
    return asked
