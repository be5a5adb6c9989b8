"""Conversions and tick arithmetic across the wrap."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.wire_strategies import U32

from wavewrap_protocol.checksum import crc16
from wavewrap_protocol.errors import WireRangeError
from wavewrap_protocol.units import (
    TICK_MODULUS,
    TICKS_PER_S,
    TickUnwrapper,
    cmmhg_to_mmhg,
    mmhg_to_cmmhg,
    seconds_to_ticks,
    tick_add,
    tick_difference,
    ticks_to_seconds,
)

HALF = TICK_MODULUS // 2


@given(U32, st.integers(-HALF, HALF - 1))
def test_difference_undoes_addition_across_the_wrap(tick: int, delta: int) -> None:
    later = tick_add(tick, delta)
    assert 0 <= later < TICK_MODULUS
    assert tick_difference(later, tick) == delta


@given(U32, U32)
def test_difference_is_antisymmetric(a: int, b: int) -> None:
    forth, back = tick_difference(a, b), tick_difference(b, a)
    assert forth == -back or forth == back == -HALF


def test_one_tick_over_the_wrap() -> None:
    assert tick_difference(0, TICK_MODULUS - 1) == 1
    assert tick_difference(TICK_MODULUS - 1, 0) == -1


@given(st.integers(0, 3 * TICK_MODULUS), st.lists(st.integers(-HALF // 4, HALF // 4), max_size=30))
def test_unwrapper_follows_ticks_in_any_order(start: int, moves: list[int]) -> None:
    unwrapper, true = TickUnwrapper(), [start]
    for move in moves:
        true.append(max(true) + move)
    # The first tick seen is the origin, so counts agree up to one constant of whole turns.
    counts = [unwrapper.unwrap(count % TICK_MODULUS) for count in true]
    assert {count - original for count, original in zip(counts, true, strict=True)} == {counts[0] - start}
    assert (counts[0] - start) % TICK_MODULUS == 0


@given(st.integers(-32_768, 32_767))
def test_pressure_round_trip(value_cmmhg: int) -> None:
    assert mmhg_to_cmmhg(cmmhg_to_mmhg(value_cmmhg)) == value_cmmhg


@pytest.mark.parametrize("pressure_mmhg", [327.68, -327.69, 1e300, math.nan, math.inf, -math.inf])
def test_pressures_off_the_wire_are_refused(pressure_mmhg: float) -> None:
    with pytest.raises(WireRangeError, match="mmHg"):
        mmhg_to_cmmhg(pressure_mmhg)


@given(st.integers(-HALF, HALF))
def test_seconds_round_trip(ticks: int) -> None:
    assert seconds_to_ticks(ticks_to_seconds(ticks)) == ticks


def test_a_tick_is_a_tenth_of_a_millisecond() -> None:
    assert seconds_to_ticks(0.001) == 10
    assert ticks_to_seconds(TICK_MODULUS) / 3600 == pytest.approx(119.3, abs=0.01)
    assert TICKS_PER_S == 10_000


def test_checksum_check_value() -> None:
    assert crc16(b"123456789") == 0x29B1
    assert crc16(b"") == 0xFFFF


@given(st.binary(min_size=1, max_size=64), st.data())
def test_checksum_sees_every_single_bit(data: bytes, draw: st.DataObject) -> None:
    bit = draw.draw(st.integers(0, len(data) * 8 - 1))
    flipped = bytearray(data)
    flipped[bit // 8] ^= 1 << bit % 8
    assert crc16(bytes(flipped)) != crc16(data)
