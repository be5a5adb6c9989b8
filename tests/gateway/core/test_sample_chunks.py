"""Compressed samples: whatever goes in comes out, and chunks begin where frames do not follow each other."""

import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tests.support.histories import make_frames, make_head

from wavewrap_gateway.core.history import RecordedFrame
from wavewrap_gateway.core.sample_chunks import gather_chunks, pack_samples, unpack_samples
from wavewrap_protocol.errors import StoreError

SAMPLES = st.tuples(st.integers(1, 60), st.integers(1, 8)).flatmap(lambda shape: arrays.arrays(np.int16, shape))


@given(SAMPLES)
def test_every_sample_comes_back(samples: np.ndarray[tuple[int, int], np.dtype[np.int16]]) -> None:
    back = unpack_samples(pack_samples(samples), *samples.shape)
    assert back.dtype == np.int16
    assert back.tolist() == samples.tolist()


def test_pressures_take_half_of_their_bytes() -> None:
    (chunk,) = gather_chunks(make_frames(make_head(), 60.0, wraps=1))
    assert chunk.count == 3_000
    assert len(chunk.data) < 3_000 * 4 * 2 / 2


@given(st.lists(st.integers(1, 20), min_size=1, max_size=8), st.sets(st.integers(1, 7)))
def test_chunks_break_where_samples_are_missing(sizes: list[int], breaks: set[int]) -> None:
    seq, frames = 5, list[RecordedFrame]()
    for at, size in enumerate(sizes):
        seq += 3 if at in breaks else 0
        frames.append(RecordedFrame("s", 0, 1, seq, seq * 200, 20, 0b11, False, None, tuple((seq + row, -row) for row in range(size))))
        seq += size
    chunks = list(gather_chunks(frames))
    assert len(chunks) == 1 + len([at for at in breaks if at < len(sizes)])
    rows = [row for frame in frames for row in frame.samples_cmmhg]
    assert [tuple(row) for chunk in chunks for row in chunk.samples_cmmhg().tolist()] == rows
    assert [chunk.first_seq + at for chunk in chunks for at in range(chunk.count)] == [
        frame.seq + at for frame in frames for at in range(len(frame.samples_cmmhg))
    ]


@pytest.mark.parametrize(
    "change", [{"epoch": 2}, {"replay": True}, {"period_ms": 10}, {"tick": 2_001}, {"seq": 11}, {"wrap": 1}, {"session_id": "t"}]
)
def test_only_what_follows_is_joined(change: dict[str, object]) -> None:
    frame = RecordedFrame("s", 0, 1, 0, 0, 20, 0b1, False, None, ((1,),) * 10)
    after = replace(frame, seq=10, tick=2_000)
    assert len(list(gather_chunks([frame, after]))) == 1
    assert len(list(gather_chunks([frame, replace(after, **change)]))) == 2  # type: ignore[arg-type]  # the fields fit their types


@pytest.mark.parametrize("data", [b"", b"no zlib", zlib.compress(b"12"), zlib.compress(b"1" * 100), zlib.compress(b"1" * 8)[:-5]])
def test_damaged_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(StoreError, match="something else has written to the history"):
        unpack_samples(data, 2, 2)


def test_a_bomb_is_not_unpacked() -> None:
    bomb = zlib.compress(bytes(50_000_000))
    with pytest.raises(StoreError, match="a chunk holds not 2 samples of 2 channels"):
        unpack_samples(bomb, 2, 2)
