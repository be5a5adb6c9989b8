"""The newest answers by ``cmd_id``, so that a command repeated after a reconnect is answered and not carried out twice."""

from collections import OrderedDict

__all__ = ["AnswerMemory"]


class AnswerMemory:
    """Remembers the answers to the newest ``depth`` commands."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._answers: OrderedDict[int, tuple[str, bytes, bytes, bool]] = OrderedDict()

    def recall(self, cmd_id: int, characteristic: str, data: bytes) -> bytes | None:
        """The answer given to the same bytes under the same ``cmd_id``."""
        known = self._answers.get(cmd_id)
        return known[2] if known is not None and known[:2] == (characteristic, data) else None

    def remember(self, cmd_id: int, characteristic: str, data: bytes, answer: bytes, of_link: bool) -> None:
        """Keep ``answer``. ``of_link``: the command worked on this connection alone and means nothing on the next."""
        self._answers.pop(cmd_id, None)
        self._answers[cmd_id] = (characteristic, data, answer, of_link)
        if len(self._answers) > self._depth:
            self._answers.popitem(last=False)

    def forget_link(self) -> None:
        """The connection is gone: a stream must be asked for anew, and asking must not be mistaken for a repeat."""
        for cmd_id in [cmd_id for cmd_id, (_, _, _, of_link) in self._answers.items() if of_link]:
            del self._answers[cmd_id]
