"""A recorded session as a table for other programs: CSV, or Parquet where pyarrow is installed. One row a sample of one wrap.

Every column says its unit in its name. ``device_tick_100us`` is the wrap's own clock, in ticks of 0.1 ms from its boot, never wrapped;
``unix_s`` is what the gateway took it for. A target is what the wrap was asked for then, as far as it carried it out.
"""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wavewrap_gateway.core.recorded_session import RecordedSession, RecordedSide
from wavewrap_protocol.errors import UsageError

__all__ = ["FORMATS", "export_session", "table_columns"]

FORMATS = ("csv", "parquet")

_UNITS = {"device_tick_100us": "0.1 ms", "session_s": "s", "unix_s": "s", "pressure": "mmHg", "target": "mmHg"}

Columns = dict[str, NDArray[Any]]


def table_columns(session: RecordedSession) -> Columns:
    """The table, column by column, the wraps one after the other. A chamber that a wrap has not is NaN."""
    chambers = max((side.wrap.chambers for side in session.sides), default=0)
    tables = [_side_columns(side, chambers) for side in session.sides]
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]} if tables else {}


def _side_columns(side: RecordedSide, chambers: int) -> Columns:
    curves, count = side.curves, len(side.curves)
    columns: Columns = {
        "wrap": np.full(count, side.wrap.name),
        "side": np.full(count, side.wrap.side.value),
        "epoch": curves.epoch,
        "seq": curves.seq,
        "device_tick_100us": curves.tick,
        "session_s": np.round(curves.session_s(side.account), 4),
        "unix_s": np.round(curves.unix_s, 4),
        "replayed": curves.replayed,
    }
    absent = np.full(count, np.nan)
    there = range(side.wrap.chambers)
    for chamber in range(chambers):
        columns[f"pressure_{chamber + 1}_mmhg"] = curves.pressure_mmhg[:, chamber] if chamber in there else absent
    for chamber in range(chambers):
        targets = np.round(side.account.set_points_mmhg(curves.line_tick, chamber), 3) if chamber in there else absent
        columns[f"target_{chamber + 1}_mmhg"] = targets
    return columns


def export_session(session: RecordedSession, path: Path, kind: str) -> int:
    """Write ``session`` to ``path`` as one of :data:`FORMATS`; returns the rows. Raises :class:`UsageError`."""
    columns = table_columns(session)
    rows = len(next(iter(columns.values()), ()))
    if not rows:
        raise UsageError(f"session {session.head.session_id} has no samples: there is nothing to export")
    try:
        if kind == "csv":
            _write_csv(columns, path)
        else:
            _write_parquet(columns, _describe(session), path)
    except OSError as cause:
        raise UsageError(f"{path}: cannot be written ({cause.strerror}); give a path in a folder that exists, with room") from cause
    return rows


def _write_csv(columns: Columns, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(_rows(list(columns.values())))


def _rows(columns: Sequence[NDArray[Any]]) -> Iterator[list[object]]:
    """An empty cell stands for a value that is not known."""
    lists = [["" if value != value else value for value in column.tolist()] for column in columns]
    for row in zip(*lists, strict=True):
        yield list(row)


def _describe(session: RecordedSession) -> dict[str, str]:
    head = session.head
    return {
        "session": head.session_id,
        "gateway": head.gateway,
        "program": head.program_json(),
        "state": session.state.value,
        "started_unix_s": str(head.started_unix_s),
        "wavewrap": head.version,
    }


def _write_parquet(columns: Columns, about: dict[str, str], path: Path) -> None:
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError as cause:
        raise UsageError("Parquet needs pyarrow: pip install 'wavewrap[parquet]', or export to CSV") from cause
    fields = []
    for name, column in columns.items():
        unit = _UNITS.get(name, _UNITS.get(name.partition("_")[0], ""))
        kept = (
            pyarrow.float32()
            if name.endswith("_mmhg")
            else pyarrow.from_numpy_dtype(column.dtype)
            if column.dtype.kind != "U"
            else pyarrow.string()
        )
        fields.append(pyarrow.field(name, kept, metadata={"unit": unit} if unit else None))
    schema = pyarrow.schema(fields, metadata={f"wavewrap.{key}": value for key, value in about.items()})
    # NaN is how numpy says that a value is not known, null how Parquet does.
    arrays = [pyarrow.array(column, field.type, from_pandas=True) for column, field in zip(columns.values(), fields, strict=True)]
    parquet.write_table(pyarrow.Table.from_arrays(arrays, schema=schema), path, compression="zstd")
