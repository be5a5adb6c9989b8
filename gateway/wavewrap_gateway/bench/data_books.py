"""The subscriber's books for ``bench data``: what came, what came twice, what was said to be missing, and what the simulator's log says."""

import json
import time
from array import array
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from wavewrap_gateway.core.account import quantiles
from wavewrap_protocol.payloads import BridgeEvent, Quantiles, SampleAccount, Telemetry, WrapEvent

__all__ = ["Books"]

TRUTH_PERIOD_MS = 100
"""How often the simulator logs the true pressures."""

OFF_TRUTH_MMHG = 5.0
"""Further than this from the true pressure of its instant a sample is another one's. Choice: over the sensor's error, under set-points."""

AHEAD = 250
"""Samples that the simulator may have taken and the account does not know of yet: some seconds on the way."""


@dataclass(slots=True)
class _Wrap:
    columns: dict[int, tuple[float, ...]] = field(default_factory=dict)  # by sample number: a pressure of each chamber
    account: SampleAccount | None = None
    boot_ids: set[int] = field(default_factory=set)
    taken: int = 0


class Books:
    """:meth:`receive` is called from the subscriber's thread, the rest from the bench's."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._wraps: dict[str, _Wrap] = {}
        self._event_seqs: defaultdict[tuple[str, int], set[int]] = defaultdict(set)
        self._over_batch_ms = array("d")
        self._quiet = True
        self.batch_ms = 0
        self.repeated = 0
        self.contradictions = 0
        self.historical = 0
        self.off_truth = 0

    def receive(self, topic: str, body: bytes, retained: bool) -> None:
        """A message as it comes."""
        arrived_unix_s = time.clock_gettime(time.CLOCK_REALTIME)
        with self._lock:
            match topic.rsplit("/", 1)[-1]:
                case "telemetry":
                    self._add_telemetry(Telemetry.model_validate_json(body), arrived_unix_s)
                case "samples" if not retained:
                    account = SampleAccount.model_validate_json(body)
                    self._wraps.setdefault(account.wrap, _Wrap()).account = account
                case "event" if topic.endswith("bridge/event"):
                    event = BridgeEvent.model_validate_json(body)
                    self._event_seqs["bridge", event.gateway_boot].add(event.seq)
                case "event":
                    wrap_event = WrapEvent.model_validate_json(body)
                    self._event_seqs[wrap_event.wrap, wrap_event.gateway_boot].add(wrap_event.seq)

    def _add_telemetry(self, batch: Telemetry, arrived_unix_s: float) -> None:
        wrap = self._wraps.setdefault(batch.wrap, _Wrap())
        wrap.boot_ids.add(batch.boot_id)
        self.historical += batch.historical
        rows = list(zip(*batch.pressure_mmhg, strict=True))
        for number, row in enumerate(rows, batch.seq):
            before = wrap.columns.setdefault(number, row)
            if before is not row:
                self.repeated += 1
                self.contradictions += before != row
        if self._quiet and batch.unix_s is not None and not batch.replay:
            self.batch_ms = max(self.batch_ms, len(rows) * batch.period_ms)
            # The last sample of a batch is a period old when the batch is full; the first has waited for all of it.
            self._over_batch_ms.append((arrived_unix_s - batch.unix_s) * 1000.0 - len(rows) * batch.period_ms)

    def end_quiet(self) -> None:
        """What comes from now on says nothing about latency."""
        with self._lock:
            self._quiet = False

    def over_batch_ms(self) -> Quantiles:
        """From the first sample of a batch to the subscriber, less the length of the batch."""
        return quantiles(list(self._over_batch_ms))

    def delivered_of(self, name: str) -> Mapping[int, tuple[float, ...]]:
        """Samples of the wrap called ``name`` that came, by number; a pressure of each chamber in mmHg."""
        return self._wraps[name].columns if name in self._wraps else {}

    def wraps_heard(self) -> int:
        """Wraps whose telemetry has come."""
        with self._lock:
            return sum(bool(wrap.columns) for wrap in self._wraps.values())

    def forget_accounts(self) -> None:
        """Only an account that comes from now on counts."""
        with self._lock:
            for wrap in self._wraps.values():
                wrap.account = None

    def is_whole(self) -> bool:
        """Whether nothing is missing, and everything that is accounted for has come."""
        with self._lock:
            if not self._wraps:
                return False
            return all(wrap.account is not None and wrap.account.missing == 0 and not _absent(wrap) for wrap in self._wraps.values())

    @property
    def missing(self) -> int:
        """Samples that the gateway reports as missing or dropped."""
        return sum(wrap.account.missing + wrap.account.dropped for wrap in self._wraps.values() if wrap.account is not None)

    @property
    def delivered(self) -> int:
        """Different samples that came."""
        return sum(len(wrap.columns) for wrap in self._wraps.values())

    @property
    def taken(self) -> int:
        """Samples that the simulator took since the account began."""
        return sum(wrap.taken for wrap in self._wraps.values())

    @property
    def events(self) -> int:
        """Different events that came."""
        return sum(map(len, self._event_seqs.values()))

    def events_lost(self) -> int:
        """Numbers left out in a run of the gateway before the last that came."""
        return sum(max(seqs) - len(seqs) for seqs in self._event_seqs.values())

    def unaccounted(self) -> int:
        """Samples that neither came nor were reported, samples that came and were reported missing, and wraps without an account."""
        wrong = 0
        for wrap in self._wraps.values():
            if wrap.account is None or len(wrap.boot_ids) != 1:
                return len(wrap.columns)
            wrong += abs(len(_absent(wrap)) - wrap.account.missing - wrap.account.dropped)
            behind = wrap.taken - (wrap.account.next - wrap.account.first)
            wrong += 0 if 0 <= behind <= AHEAD else abs(behind)
        return wrong

    def read_truth(self, log: Path) -> None:
        """Compare with the simulator's own log of true pressures."""
        truth: defaultdict[str, list[tuple[float, list[float]]]] = defaultdict(list)
        for line in log.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            if entry["kind"] == "pressure":
                truth[entry["wrap"].lower()].append((entry["host_s"], entry["pressure_mmhg"]))
        for name, entries in truth.items():
            wrap = self._wraps.get(name)
            if wrap is None or wrap.account is None:
                continue
            begin_s = entries[0][0]
            last_number = 0
            for host_s, pressures in entries:
                last_number = round((host_s - begin_s) * 1000.0 / TRUTH_PERIOD_MS) * TRUTH_PERIOD_MS // 20
                row = wrap.columns.get(last_number)
                if row is not None and max(abs(got - true) for got, true in zip(row, pressures, strict=True)) > OFF_TRUTH_MMHG:
                    self.off_truth += 1
            wrap.taken = last_number + 1 - wrap.account.first

    def describe(self) -> dict[str, Any]:
        """The account of each wrap, as it was published last."""
        return {name: None if wrap.account is None else wrap.account.model_dump() for name, wrap in self._wraps.items()}


def _absent(wrap: _Wrap) -> list[int]:
    """Numbers within the account that have not come."""
    assert wrap.account is not None  # the callers have looked
    return [number for number in range(wrap.account.first, wrap.account.next) if number not in wrap.columns]
