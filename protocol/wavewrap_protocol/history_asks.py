"""What the page's server asks the history's service: models for both ends of one pipe. The answers are in ``history_answers``.

The service is a child process of the server (``wavewrap_gateway.history_service``): the server itself loads neither database nor numpy.
On its standard input comes one line :class:`ServiceStart`, then a line :class:`ServiceAsk` for each ask; to each it writes two lines, a
:class:`ServiceHead` and the answer's JSON, which the server hands on unread. A new ask is a row of :data:`ASKS` here and a handler there.
"""

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, StringConstraints

from wavewrap_protocol.journal_asks import JournalAsk, JournalDeleteAllAsk, JournalDeleteAsk, JournalDueAsk, JournalExportAsk
from wavewrap_protocol.journal_notes import RunNote, SorenessNote
from wavewrap_protocol.payload_base import Payload

__all__ = [
    "ASKS",
    "BODY_MAX_BYTES",
    "AskRow",
    "CompareAsk",
    "ExportAsk",
    "FileAnswer",
    "RecordStateName",
    "ServiceAsk",
    "ServiceError",
    "ServiceHead",
    "ServiceStart",
    "SessionAsk",
    "SessionFilter",
    "SessionId",
    "SessionsAsk",
    "TracesAsk",
    "TrendsAsk",
]

BODY_MAX_BYTES = 16_000_000
"""Longest answer. Choice: ten times the traces of two wraps of eight chambers at the most points that can be asked for."""

SessionId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,80}$")]
RecordStateName = Literal["running", "completed", "stopped", "faulted", "interrupted"]


class ServiceStart(Payload):
    """First line of the service's input. ``store`` names the history and may hold a password; ``folder`` is where it puts files.

    ``gateway`` is whose recovery journal it is.
    """

    store: str
    gateway: str
    folder: str


class ServiceAsk(Payload):
    """``ask`` is a key of :data:`ASKS`, ``body`` a model of its row."""

    id: int
    ask: str
    body: dict[str, Any]


class ServiceError(Payload):
    """``usage``: what was asked for cannot be had; ``store``: the history fails. ``text`` is one line, with the remedy."""

    kind: Literal["usage", "store"]
    text: str


class ServiceHead(Payload):
    """Line before each answer's body, which is ``null`` where there is an error."""

    id: int
    error: ServiceError | None = None


class FileAnswer(Payload):
    """``key`` is its name in the service's folder, ``name`` how it is to be called."""

    key: Annotated[str, StringConstraints(pattern=r"^[a-f0-9]{32}\.[a-z]{1,8}$")]
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]
    size_bytes: int


class SessionFilter(Payload):
    """Which sessions; ``null`` does not filter. Wall times in Unix seconds, the end not included."""

    program: str | None = None
    wrap: str | None = None
    state: RecordStateName | None = None
    from_unix_s: float | None = None
    until_unix_s: float | None = None


class SessionsAsk(SessionFilter):
    """The newest first."""

    limit: int = Field(default=50, ge=1, le=1000)
    offset: int = Field(default=0, ge=0)


class SessionAsk(Payload):
    """``last`` is the newest."""

    session: SessionId


class TracesAsk(Payload):
    """The curves between two seconds of a session, in at most ``points`` steps of time."""

    session: SessionId
    from_s: float | None = None
    to_s: float | None = None
    points: int = Field(default=800, ge=20, le=4000)


class CompareAsk(Payload):
    """Two sessions."""

    one: SessionId
    other: SessionId


class TrendsAsk(SessionFilter):
    """Figures of so many sessions, the newest first; few at a time, for every one is measured anew from its samples."""

    limit: int = Field(default=5, ge=1, le=20)
    offset: int = Field(default=0, ge=0)


class ExportAsk(Payload):
    """As a file."""

    session: SessionId
    format: Literal["csv", "parquet", "png"]


class AskRow(NamedTuple):
    """``wait_s``: longest wait for an answer, a choice, far over what was measured. ``gives_file``: the answer is a :class:`FileAnswer`."""

    request: type[Payload]
    wait_s: float
    gives_file: bool = False


ASKS: dict[str, AskRow] = {
    "sessions": AskRow(SessionsAsk, 20.0),
    "session": AskRow(SessionAsk, 60.0),
    "traces": AskRow(TracesAsk, 60.0),
    "compare": AskRow(CompareAsk, 90.0),
    "trends": AskRow(TrendsAsk, 120.0),
    "delete": AskRow(SessionAsk, 60.0),
    "export": AskRow(ExportAsk, 300.0, gives_file=True),
    "journal": AskRow(JournalAsk, 20.0),
    "journal_due": AskRow(JournalDueAsk, 20.0),
    "journal_add_run": AskRow(RunNote, 20.0),
    "journal_add_soreness": AskRow(SorenessNote, 20.0),
    "journal_delete": AskRow(JournalDeleteAsk, 20.0),
    "journal_delete_all": AskRow(JournalDeleteAllAsk, 60.0),
    "journal_export": AskRow(JournalExportAsk, 20.0, gives_file=True),
}
