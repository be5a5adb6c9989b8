"""What the journal says over MQTT, in virtual time: its questions as they fall due, once, and never an answer."""

import asyncio
import json

from tests.support.home_assistant import read_device
from tests.support.journals import book_of, make_occasion, rate, unix_s
from tests.support.virtual_sessions import RecordingPublisher

from wavewrap_gateway.core.home_assistant import Topics, describe_gateway, describe_journal
from wavewrap_gateway.core.journal_book import JournalBook
from wavewrap_gateway.runtime.journal_watch import PERIOD_S, JournalWatch
from wavewrap_protocol.errors import StoreError
from wavewrap_protocol.journal_notes import RunNote, SorenessNote
from wavewrap_protocol.payloads import JournalDue
from wavewrap_sim.virtual_time import run_virtual

HOUR_S = 3600.0


class Rig:
    """A watch on a journal of one session, from its end on; the loop's second 0 is that end."""

    def __init__(self) -> None:
        clock = asyncio.get_running_loop().time
        self.notes: list[RunNote | SorenessNote] = []
        self.broken = False
        self.events: list[tuple[str, str]] = []
        self.told: list[str] = []
        self.publisher = RecordingPublisher(clock)
        began_s = clock()
        self.watch = JournalWatch(
            "attic",
            7,
            self._load,
            self.publisher,
            lambda: unix_s(0.5) + clock() - began_s,
            lambda kind, text: self.events.append((kind, text)),
            self.told.append,
        )

    async def _load(self) -> JournalBook:
        if self.broken:
            raise StoreError("history: the disk is full: make room")
        return book_of([make_occasion(0.0, 0.5)], self.notes)

    @property
    def states(self) -> list[JournalDue]:
        return self.publisher.of(JournalDue)


def test_each_question_is_said_when_it_falls_due_and_taken_back_when_it_is_answered() -> None:
    async def work() -> Rig:
        rig = Rig()
        running = asyncio.create_task(rig.watch.run())
        await asyncio.sleep(HOUR_S)
        rig.notes.append(rate(1.4, 9))
        await asyncio.sleep(50 * HOUR_S)
        rig.publisher.lose_broker()
        rig.publisher.find_broker()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        rig.publisher.find_broker()  # nobody listens any more
        return rig

    rig = run_virtual(work(), 60 * HOUR_S)
    shown = [[question.moment for question in state.due] for state in rig.states]
    assert shown == [["after"], [], ["24_h"], [], ["48_h"], ["48_h"]]  # the last one for a broker that may have forgotten
    assert [state.seq for state in rig.states] == [1, 2, 3, 4, 5, 6]
    assert [text for _, text in rig.events] == [
        "how sore are your calves, 0 to 10, after the session?",
        "how sore are your calves, 0 to 10, 24 h after the session?",
        "how sore are your calves, 0 to 10, 48 h after the session?",
    ]
    assert {kind for kind, _ in rig.events} == {"journal_due"}
    times = [message.at_s for message in rig.publisher.messages]
    assert 24 * HOUR_S <= times[2] - times[0] <= 24 * HOUR_S + PERIOD_S
    assert all(message.path == "wavewrap/bridge/journal" for message in rig.publisher.messages)


def test_trouble_with_the_store_is_told_once_and_passes() -> None:
    async def work() -> Rig:
        rig = Rig()
        rig.broken = True
        running = asyncio.create_task(rig.watch.run())
        await asyncio.sleep(10 * PERIOD_S)
        rig.broken = False
        await asyncio.sleep(2 * PERIOD_S)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return rig

    rig = run_virtual(work())
    assert rig.told == ["journal: history: the disk is full: make room"]
    assert len(rig.states) == 1


def test_home_assistant_shows_whether_something_is_asked_and_what() -> None:
    async def work() -> list[bytes]:
        rig = Rig()
        await rig.watch.look()
        rig.notes.append(rate(0.6, 9))
        await rig.watch.look()
        return [state.model_dump_json().encode() for state in rig.states]

    asked, answered = run_virtual(work())
    entities = read_device(_json(describe_journal("attic", "1.0", Topics("wavewrap"))))
    assert entities["due"].state_of(asked) == "ON"
    assert entities["due"].state_of(answered) == "OFF"
    assert entities["question"].state_of(asked) == "after"
    assert entities["question"].attributes_of(asked) == {"text": "how sore are your calves, 0 to 10, after the session?"}
    assert entities["question"].state_of(answered) == "none"
    assert entities["question"].attributes_of(answered) == {"text": ""}
    gateway = read_device(_json(describe_gateway("attic", "1.0", Topics("wavewrap"), ["calf-wave"], ())))
    assert not {one.config["unique_id"] for one in gateway.values()} & {one.config["unique_id"] for one in entities.values()}


def _json(config: object) -> bytes:
    return json.dumps(config).encode()
