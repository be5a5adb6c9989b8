"""Says over MQTT what the recovery journal asks: a retained state, and an event when a question falls due. Only where it is switched on.

Not responsible for what is asked when (:mod:`wavewrap_gateway.core.soreness`); what was answered is never published.
"""

import asyncio
from collections.abc import Awaitable, Callable

from wavewrap_gateway.core.journal_book import JournalBook
from wavewrap_gateway.core.journal_words import say_question
from wavewrap_gateway.core.soreness import Question
from wavewrap_gateway.runtime.publishing import BrokerChange, BrokerUp, Publisher
from wavewrap_protocol.errors import StoreError
from wavewrap_protocol.payloads import JournalDue, JournalQuestion

__all__ = ["JournalWatch"]

PERIOD_S = 20.0
"""Choice: an answer given elsewhere clears a notification soon; one look costs a few ms of a thread."""


class JournalWatch:
    """``load`` reads what may be asked about; ``event`` publishes kind and text; ``tell`` gets a line when the store has trouble."""

    def __init__(
        self,
        gateway: str,
        boot: int,
        load: Callable[[], Awaitable[JournalBook]],
        publisher: Publisher,
        now_unix_s: Callable[[], float],
        event: Callable[[str, str], None],
        tell: Callable[[str], None],
    ) -> None:
        self._gateway = gateway
        self._boot = boot
        self._load = load
        self._publisher = publisher
        self._now_unix_s = now_unix_s
        self._event = event
        self._tell = tell
        self._seq = 0
        self._said: JournalDue | None = None
        self._told: set[Question] = set()
        self._failing = False

    async def run(self) -> None:
        """Until cancelled."""
        forget = self._publisher.add_listener(self._on_broker)
        try:
            while True:
                await self.look()
                await asyncio.sleep(PERIOD_S)
        finally:
            forget()

    async def look(self) -> None:
        """Read once, and publish what is new."""
        try:
            book = await self._load()
        except StoreError as cause:
            if not self._failing:
                self._failing = True
                self._tell(f"journal: {cause}")
            return
        self._failing = False
        now_unix_s = self._now_unix_s()
        due = book.find_due(now_unix_s)
        state = JournalDue(
            gateway=self._gateway,
            gateway_boot=self._boot,
            seq=0,  # numbered when it is published
            due=[_payload(question) for question in due],
            next_due_unix_s=book.next_due_unix_s(now_unix_s),
        )
        if state != self._said:
            self._said = state
            self._publish(state)
        for question in due:
            if question not in self._told:
                self._event("journal_due", say_question(question))
        self._told = set(due)

    def _on_broker(self, change: BrokerChange) -> None:
        """A broker that comes back may have forgotten what it retained."""
        if isinstance(change, BrokerUp) and self._said is not None:
            self._publish(self._said)

    def _publish(self, state: JournalDue) -> None:
        self._seq += 1
        self._publisher.publish("bridge_journal", state.model_copy(update={"seq": self._seq}))


def _payload(question: Question) -> JournalQuestion:
    return JournalQuestion(
        of=question.occasion.kind,
        moment=question.moment,
        due_unix_s=question.due_unix_s,
        until_unix_s=question.until_unix_s,
        text=say_question(question),
    )
