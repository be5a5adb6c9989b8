"""The queues' rules in passed-in time: who goes next, what an answer means, and that every message is counted once."""

import logging
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.sample_payloads import BATCH, event, telemetry

from wavewrap_gateway.runtime import lanes, message_queues
from wavewrap_gateway.runtime.message_queues import HISTORICAL_S, MessageQueues, Outgoing, QueueRules, Verdict
from wavewrap_gateway.runtime.publishing import DataClass, Message, encode_message
from wavewrap_gateway.runtime.storage import Bounds, MemoryStorage
from wavewrap_protocol.payloads import Availability, BridgeEvent, Telemetry

ROOMY = Bounds(100_000, 100_000_000, 86_400.0)


class Bench:
    """Queues over memory at a time that the test sets."""

    def __init__(self, bounds: Bounds = ROOMY, rules: QueueRules | None = None) -> None:
        self.now_s = 1000.0
        self.queues = MessageQueues(MemoryStorage(bounds, lambda: self.now_s), lambda: self.now_s, rules or QueueRules())
        self.flying: list[Outgoing] = []

    def event(self, number: int) -> None:
        self.queues.put(encode_message("w", "bridge_event", event(number)))

    def telemetry(self, number: int, wrap: str = "left") -> None:
        self.queues.put(encode_message("w", "wrap_telemetry", telemetry(number, wrap), wrap))

    def state(self, word: str) -> None:
        self.queues.put(encode_message("w", "wrap_availability", Availability.model_validate({"state": word}), "left"))

    def take_all(self) -> list[str]:
        """Everything that may go now, as words; it flies from then on."""
        words = []
        while (outgoing := self.queues.take()) is not None:
            self.flying.append(outgoing)
            words.append(word_of(outgoing.message))
        return words

    def acknowledge_all(self) -> None:
        for outgoing in self.flying:
            self.queues.acknowledge(outgoing)
        self.flying.clear()

    def refuse_all(self, verdict: Verdict, reason: str = "no") -> None:
        for outgoing in self.flying:
            self.queues.refuse(outgoing, verdict, reason)
        self.flying.clear()

    def lose_broker(self) -> None:
        self.queues.disconnect(self.flying)
        self.flying.clear()

    def check(self) -> None:
        counts = self.queues.counts()
        assert counts.published == counts.acknowledged + counts.dropped + counts.replaced + counts.unheard + counts.waiting
        assert counts.waiting >= len(self.flying)


def word_of(message: Message) -> str:
    """``e3``, ``t3`` or a state's word, with ``!`` where it says that it is late."""
    match message.data_class:
        case DataClass.EVENT:
            body = BridgeEvent.model_validate_json(message.body)
            return f"e{body.seq}{'!' if body.historical else ''}"
        case DataClass.TELEMETRY:
            batch = Telemetry.model_validate_json(message.body)
            return f"t{batch.seq // BATCH}{'!' if batch.historical else ''}"
        case DataClass.LATEST:
            return Availability.model_validate_json(message.body).state


def test_states_first_then_events_then_new_telemetry_and_of_a_state_the_last() -> None:
    bench = Bench()
    bench.queues.connect()
    bench.telemetry(0)
    bench.event(0)
    bench.state("online")
    bench.state("offline")
    bench.event(1)
    assert bench.take_all() == ["offline", "e0", "e1", "t0"]
    bench.acknowledge_all()
    assert bench.queues.is_settled
    counts = bench.queues.counts()
    assert (counts.published, counts.acknowledged, counts.replaced, counts.waiting) == (5, 4, 1, 0)


def test_without_a_broker_nothing_goes_and_nothing_is_lost() -> None:
    bench = Bench()
    for number in range(300):
        bench.telemetry(number)
        bench.event(number)
    assert bench.take_all() == []
    bench.queues.connect()
    bench.queues.hurry(True)
    assert bench.take_all() == [f"e{number}" for number in range(300)] + [f"t{number}" for number in range(300)]


def test_new_telemetry_overtakes_the_old_which_comes_at_its_rate_and_is_marked() -> None:
    bench = Bench(rules=QueueRules(backfill_per_s=100.0))
    for number in range(50):
        bench.telemetry(number)
    bench.now_s += HISTORICAL_S + 1.0
    bench.queues.connect()
    bench.telemetry(50)
    assert bench.take_all() == ["t50", *[f"t{number}!" for number in range(10)]]  # a tenth of a second's worth at once
    assert bench.queues.wait_s() == 0.05
    bench.now_s += 0.0501
    assert bench.take_all() == [f"t{number}!" for number in range(10, 15)]
    bench.now_s += 60.0
    assert bench.take_all() == [f"t{number}!" for number in range(15, 25)]  # what was not used is not saved up


def test_what_was_in_flight_goes_first_again_and_events_stay_in_order() -> None:
    bench = Bench()
    bench.queues.connect()
    for number in range(6):
        bench.event(number)
    assert len(bench.take_all()) == 6
    bench.queues.acknowledge(bench.flying.pop(2))
    bench.lose_broker()
    bench.event(6)
    bench.queues.connect()
    bench.event(7)
    assert bench.take_all() == ["e0", "e1", "e3", "e4", "e5", "e6", "e7"]


def test_a_state_that_came_back_does_not_replace_a_newer_one() -> None:
    bench = Bench()
    bench.queues.connect()
    bench.state("online")
    assert bench.take_all() == ["online"]
    bench.state("offline")
    bench.lose_broker()
    bench.queues.connect()
    assert bench.take_all() == ["offline"]
    assert bench.queues.counts().replaced == 1


def test_unheard_telemetry_waits_until_somebody_hears_a_new_one() -> None:
    bench = Bench()
    bench.queues.connect()
    bench.telemetry(0)
    bench.telemetry(1)
    bench.telemetry(2, "right")
    assert bench.take_all() == ["t0", "t1", "t2"]
    left, right = bench.flying[:2], bench.flying[2]
    bench.queues.acknowledge(right)
    bench.flying = left
    bench.refuse_all(Verdict.UNHEARD)
    assert bench.take_all() == []
    assert bench.queues.is_settled  # nothing that the broker would take
    bench.telemetry(3)
    assert bench.take_all() == ["t3"]
    bench.acknowledge_all()
    assert bench.take_all() == ["t0", "t1"]


def test_unheard_events_are_tried_one_at_a_time() -> None:
    bench = Bench()
    bench.queues.connect()
    for number in range(3):
        bench.event(number)
    bench.take_all()
    bench.refuse_all(Verdict.UNHEARD)
    wait_s = bench.queues.wait_s()
    assert wait_s is not None
    bench.now_s += wait_s + 0.01
    assert bench.take_all() == ["e0!"]
    bench.refuse_all(Verdict.UNHEARD)
    assert bench.take_all() == []
    bench.now_s += wait_s + 0.01
    assert bench.take_all() == ["e0!"]
    bench.acknowledge_all()
    assert bench.take_all() == ["e1!", "e2!"]


def test_telemetry_that_nobody_ever_hears_is_given_up_after_its_time_and_counted_apart() -> None:
    bench = Bench(rules=QueueRules(unheard_s=30.0))
    bench.queues.connect()
    for number in range(40):
        bench.telemetry(number)
        bench.event(number)
        bench.take_all()
        bench.refuse_all(Verdict.UNHEARD)
        bench.now_s += 2.0
    counts = bench.queues.counts()
    assert 22 <= counts.unheard <= 26
    assert counts.dropped == 0
    assert counts.waiting == 80 - counts.unheard
    bench.check()


def test_a_broker_that_is_full_is_left_alone_for_ever_longer() -> None:
    bench = Bench()
    bench.queues.connect()
    bench.event(0)
    bench.event(1)
    waits_s = []
    for _ in range(4):
        assert bench.take_all() == ["e0", "e1"] or bench.now_s > 1000.0 + HISTORICAL_S
        bench.refuse_all(Verdict.BUSY, "Quota exceeded")
        assert bench.take_all() == []
        wait_s = bench.queues.wait_s()
        assert wait_s is not None
        waits_s.append(wait_s)
        bench.now_s += message_queues.BUSY_PAUSES_S[len(waits_s) - 1]
    assert bench.queues.counts().waiting == 2


def test_where_the_rights_are_missing_events_wait_and_telemetry_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.queues.connect()
    bench.event(0)
    bench.telemetry(0)
    bench.take_all()
    with caplog.at_level(logging.ERROR):
        bench.refuse_all(Verdict.DENIED, "refused by the broker: Not authorized")
    assert bench.queues.drops() == {"refused by the broker: Not authorized": 1}
    assert bench.queues.dropped_samples("left") == BATCH
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("w/bridge/event: refused by the broker: Not authorized; events are kept and tried again")
    bench.lose_broker()
    bench.queues.connect()  # perhaps with other rights
    assert bench.take_all() == ["e0"]


def test_an_impossible_message_is_dropped_and_stops_nobody() -> None:
    bench = Bench()
    bench.queues.connect()
    bench.event(0)
    bench.take_all()
    bench.refuse_all(Verdict.IMPOSSIBLE, "larger than the broker's limit of 256 bytes")
    bench.event(1)
    assert bench.take_all() == ["e1"]
    assert bench.queues.drops() == {"larger than the broker's limit of 256 bytes": 1}


def test_at_a_bound_the_oldest_telemetry_goes_first_then_the_oldest_event(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(Bounds(rows=10, size_bytes=1_000_000, age_s=1e6))
    with caplog.at_level(logging.ERROR):
        for number in range(8):
            bench.telemetry(number)
        for number in range(12):
            bench.event(number)
    assert bench.queues.drops() == {"outbox full": 10}
    assert bench.queues.dropped_samples("left") == 8 * BATCH
    assert len(caplog.records) == 1  # one line an outage; the count says how many
    bench.queues.connect()
    assert bench.take_all() == [f"e{number}" for number in range(2, 12)]


def test_bounds_by_size_and_age() -> None:
    size = len(encode_message("w", "bridge_event", event(0)).body)
    bench = Bench(Bounds(rows=1000, size_bytes=5 * size, age_s=1e6))
    for number in range(7):
        bench.event(number)
    assert bench.queues.health().rows == 5
    old = Bench(Bounds(rows=1000, size_bytes=1_000_000, age_s=60.0))
    old.event(0)
    old.now_s += 50.0
    old.event(1)
    old.now_s += 20.0
    old.event(2)
    assert old.queues.drops() == {"outbox full": 1}
    assert old.queues.health().oldest_s == 20.0


def test_a_bound_does_not_count_what_is_under_way() -> None:
    bench = Bench(Bounds(rows=2, size_bytes=1_000_000, age_s=1e6))
    bench.queues.connect()
    assert bench.take_all() == []  # nothing old: what is new stays at hand
    for number in range(5):
        bench.event(number)
    assert bench.take_all() == [f"e{number}" for number in range(5)]
    assert bench.queues.drops() == {}
    bench.acknowledge_all()
    assert bench.queues.counts().acknowledged == 5
    for number in range(5, 10):
        bench.event(number)
    bench.take_all()
    bench.lose_broker()
    assert bench.queues.drops() == {"outbox full": 3}
    bench.check()


def test_what_a_file_does_not_keep_is_dropped_at_the_end() -> None:
    bench = Bench()
    bench.event(0)
    bench.state("online")
    bench.queues.give_up("gateway closed")
    assert bench.queues.drops() == {"gateway closed": 2}
    bench.check()


@given(
    st.lists(
        st.sampled_from(
            ["event", "telemetry", "state", "take", "lose", "connect", "acknowledge", "unheard", "busy", "denied", "impossible", "wait"]
        ),
        max_size=150,
    )
)
def test_every_message_is_counted_exactly_once_and_delivered_unless_it_was_dropped(actions: list[str]) -> None:
    bench = Bench(Bounds(rows=8, size_bytes=1_000_000, age_s=1e6), QueueRules(unheard_s=10.0))
    delivered: Counter[str] = Counter()
    put = 0
    for action in actions:
        match action:
            case "event":
                bench.event(put)
                put += 1
            case "telemetry":
                bench.telemetry(put)
                put += 1
            case "state":
                bench.state("online")
                put += 1
            case "take":
                outgoing = bench.queues.take()
                bench.flying += [] if outgoing is None else [outgoing]
            case "lose":
                bench.lose_broker()
            case "connect" if not bench.flying:
                bench.queues.connect()
            case "acknowledge" if bench.flying:
                delivered[word_of(bench.flying[0].message).rstrip("!")] += 1
                bench.queues.acknowledge(bench.flying.pop(0))
            case "unheard" | "busy" | "denied" | "impossible" if bench.flying:
                bench.queues.refuse(bench.flying.pop(0), Verdict[action.upper()], "no")
            case "wait":
                bench.now_s += 7.0
        bench.check()
        assert bench.queues.counts().published == put
    bench.lose_broker()
    bench.queues.connect()
    bench.queues.hurry(True)
    for word in bench.take_all():
        delivered[word.rstrip("!")] += 1
    bench.acknowledge_all()
    counts = bench.queues.counts()
    assert counts.waiting == 0
    assert counts.published == counts.acknowledged + counts.dropped + counts.replaced + counts.unheard
    assert all(count == 1 for word, count in delivered.items() if word[0] in "et")


def test_a_long_outage_is_paged_through_without_a_hole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "PAGE_ROWS", 7)
    bench = Bench()
    for number in range(100):
        bench.event(number)
        bench.telemetry(number)
    bench.queues.connect()
    bench.queues.hurry(True)
    words = []
    while (outgoing := bench.queues.take()) is not None:
        words.append(word_of(outgoing.message))
        bench.queues.acknowledge(outgoing)
        if outgoing.message.data_class is DataClass.EVENT and len(words) % 9 == 0:
            bench.event(1000 + len(words))
    events = [int(word[1:]) for word in words if word[0] == "e"]
    assert events == sorted(events)
    assert events[:100] == list(range(100))
    assert [word for word in words if word[0] == "t"] == [f"t{number}" for number in range(100)]
