"""A session as a file, in the folder that the server gave: it sends the file on and removes it."""

import secrets

from wavewrap_gateway.adapters.export import export_session
from wavewrap_gateway.history_service.shelf import Shelf
from wavewrap_protocol.history_asks import ExportAsk, FileAnswer

__all__ = ["answer_export"]


def answer_export(shelf: Shelf, ask: ExportAsk) -> FileAnswer:
    """The same files as those of ``wavewrap sessions export`` and ``plot``."""
    session = shelf.session(ask.session)
    path = shelf.folder / f"{secrets.token_hex(16)}.{ask.format}"
    if ask.format == "png":
        from wavewrap_gateway.adapters.plot_session import draw_session  # here, because matplotlib takes its time and memory to load

        draw_session(session, f"{session.head.program.title}, {session.head.session_id}, {session.state.value}", path)
    else:
        export_session(session, path, ask.format)
    return FileAnswer(key=path.name, name=f"{session.head.session_id}.{ask.format}", size_bytes=path.stat().st_size)
