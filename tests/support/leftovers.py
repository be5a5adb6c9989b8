"""What an earlier daemon, or the command line beside it, has left behind for one that starts."""

import json
import time
from pathlib import Path

from tests.support.asking import Asker
from tests.support.brokers import Mosquitto
from wavewrap_gateway.adapters.store_journal import add_entry
from wavewrap_gateway.core.journal import JournalEntry
from wavewrap_protocol.journal_notes import RunNote

__all__ = ["JOURNAL_CONFIG", "leave_journal", "leave_names_and_run"]

JOURNAL_CONFIG = "homeassistant/device/wavewrap_attic_journal/config"


def leave_journal(_home: Path, broker: Mosquitto) -> None:
    """As if an earlier daemon had published the journal, which is switched off now."""
    with Asker(broker.port) as asker:
        for topic in ("wavewrap/bridge/journal", JOURNAL_CONFIG):
            asker._client.publish(topic, b'"old"', 1, retain=True).wait_for_publish(5.0)


def leave_names_and_run(home: Path, broker: Mosquitto) -> None:
    """As if, since a daemon ran, the left wrap had been renamed and another one forgotten; and a run of yesterday had been noted."""
    day_ago_s = time.clock_gettime(time.CLOCK_REALTIME) - 25 * 3600.0
    note = RunNote(ended_unix_s=day_ago_s, duration_s=1800.0)
    add_entry(str(home / "wavewrap" / "history.sqlite"), "attic", JournalEntry("run", day_ago_s, note))
    announced = {"SIM001-01": "old-leg", "GONE-1": "old-one"}
    home.joinpath("wavewrap", "announced.json").write_text(json.dumps(announced), encoding="utf-8")
    with Asker(broker.port) as asker:
        for topic in (
            "wavewrap/old-leg",
            "wavewrap/old-leg/session",
            "wavewrap/old-one/availability",
            "homeassistant/device/wavewrap_wrap_gone_1/config",
        ):
            asker._client.publish(topic, b'"old"', 1, retain=True).wait_for_publish(5.0)
