"""Which sessions there are, and one less."""

from wavewrap_gateway.adapters.store_reader import delete_sessions
from wavewrap_gateway.adapters.store_search import find_session, search_sessions
from wavewrap_gateway.history_service.shelf import Shelf
from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.history_answers import DeleteAnswer, SessionsAnswer
from wavewrap_protocol.history_asks import SessionAsk, SessionsAsk

__all__ = ["answer_delete", "answer_sessions"]


def answer_sessions(shelf: Shelf, ask: SessionsAsk) -> SessionsAnswer:
    """A page of the list."""
    return search_sessions(shelf.place, ask, ask.limit, ask.offset)


def answer_delete(shelf: Shelf, ask: SessionAsk) -> DeleteAnswer:
    """By its whole name only: nobody deletes 'the last', or what begins alike, by mistake."""
    found = find_session(shelf.place, ask.session)
    if found is None:
        raise UsageError(f"session {ask.session}: it is not there any more: load the list again")
    if found.state == "running":
        raise UsageError(f"session {ask.session}: it is running, or was cut off: end it, or start its gateway once, which closes it")
    delete_sessions(shelf.place, [ask.session])
    shelf.forget(ask.session)
    return DeleteAnswer(deleted=ask.session)
