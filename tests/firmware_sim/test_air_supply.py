"""Who gets the inlet, when it opens and closes, and what manifold and pump do meanwhile."""

from wavewrap_board.files import REFERENCE_BOARD, load_board
from wavewrap_protocol.units import TICKS_PER_S
from wavewrap_sim.air_supply import AirSupply, Demand, SupplyMode
from wavewrap_sim.firmware_from_board import control_parameters

PERIOD = 100
PARAMETERS = control_parameters(load_board(REFERENCE_BOARD)).supply
NOBODY = Demand(False, True, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, False)
CHARGED_MMHG = 100.0


def demand(deficit_mmhg: float, pressure_mmhg: float = 30.0, rate_mmhg_s: float = 0.0, ramp_mmhg_s: float = 0.0) -> Demand:
    duty = min(1.0, max(0.0, deficit_mmhg / 20.0))
    return Demand(deficit_mmhg > 0.0, False, pressure_mmhg, deficit_mmhg, rate_mmhg_s, ramp_mmhg_s, duty, 1.0, False)


def holding(pressure_mmhg: float = 40.0) -> Demand:
    return NOBODY._replace(barred=False, pressure_mmhg=pressure_mmhg, holds=True)


class Supply:
    """Its manifold is charged unless a test says otherwise."""

    def __init__(self, chambers: int) -> None:
        self.supply = AirSupply(PARAMETERS, chambers)
        self.count = 0

    def update(self, *demands: Demand, periods: int = 1, manifold_mmhg: float = CHARGED_MMHG) -> int | None:
        for _ in range(periods):
            self.supply.update(self.count, demands, manifold_mmhg)
            self.count += PERIOD
        return self.supply.open_inlet

    def start(self, *demands: Demand) -> int | None:
        """From rest: one period to begin to charge, one to find the manifold charged."""
        return self.update(*demands, periods=2)


def test_an_inlet_opens_when_the_manifold_stands_over_its_chamber() -> None:
    supply = Supply(1)
    want = demand(5.0, pressure_mmhg=60.0)
    assert supply.update(want, periods=10, manifold_mmhg=60.0 + PARAMETERS.charge_margin_mmhg - 0.1) is None
    assert supply.supply.pump_duty > 0.0
    assert supply.supply.pump_enabled
    assert not supply.supply.dump_open
    assert supply.update(want, manifold_mmhg=60.0 + PARAMETERS.charge_margin_mmhg) == 0


def test_a_touch_goes_before_a_fill_and_gives_the_inlet_back() -> None:
    supply = Supply(2)
    big = demand(40.0, pressure_mmhg=0.0)
    assert supply.start(big, NOBODY) == 0
    assert supply.update(big, demand(1.6)) == 1
    assert supply.update(big, demand(0.0)) == 0


def test_the_first_mmhg_of_a_ramp_are_no_touch() -> None:
    supply = Supply(2)
    assert supply.start(demand(40.0, pressure_mmhg=0.0), NOBODY) == 0
    assert supply.update(demand(40.0), demand(1.6, pressure_mmhg=0.0, ramp_mmhg_s=20.0)) == 0


def test_the_older_fill_goes_first() -> None:
    supply = Supply(3)
    assert supply.start(NOBODY, demand(20.0, pressure_mmhg=0.0), NOBODY) == 1
    assert supply.update(demand(50.0), demand(20.0), NOBODY) == 1
    assert supply.update(demand(50.0), demand(20.0), demand(60.0)) == 1
    assert supply.update(demand(50.0), demand(0.0), demand(60.0)) == 0


def test_a_fill_ends_by_a_cut_ahead_of_its_target_and_the_pump_runs_down_into_the_room() -> None:
    supply = Supply(1)
    supply.start(demand(20.0, pressure_mmhg=0.0))
    rate_mmhg_s = 100.0
    ahead_mmhg = rate_mmhg_s * PARAMETERS.close_gain_s
    assert supply.update(demand(ahead_mmhg + 0.1, rate_mmhg_s=rate_mmhg_s)) == 0
    assert supply.supply.served is None
    assert supply.update(demand(ahead_mmhg - 0.1, rate_mmhg_s=rate_mmhg_s)) is None
    assert supply.supply.served == 0
    assert (supply.supply.pump_duty, supply.supply.pump_enabled, supply.supply.dump_open) == (0.0, True, True)
    supply.update(NOBODY, periods=round(PARAMETERS.run_down_s * TICKS_PER_S / PERIOD))
    assert (supply.supply.pump_enabled, supply.supply.dump_open) == (False, True)
    assert supply.supply.mode is SupplyMode.RESTING


def test_a_rising_set_point_takes_up_what_still_flows_in() -> None:
    supply = Supply(1)
    supply.start(demand(20.0, pressure_mmhg=0.0))
    assert supply.update(demand(0.5, rate_mmhg_s=30.0, ramp_mmhg_s=30.0)) == 0


def test_a_chamber_that_is_barred_while_filling_is_cut_off() -> None:
    supply = Supply(1)
    supply.start(demand(20.0, pressure_mmhg=0.0))
    assert supply.update(NOBODY) is None
    assert supply.supply.pump_duty == 0.0


def test_the_duty_is_the_most_that_anybody_asks_for_within_what_the_filled_one_stands() -> None:
    supply = Supply(2)
    supply.start(demand(40.0, pressure_mmhg=0.0), NOBODY)
    assert supply.supply.pump_duty == 1.0
    supply.update(demand(8.0), NOBODY)
    assert supply.supply.pump_duty == 0.4
    supply.update(demand(8.0), demand(12.0))
    assert supply.supply.pump_duty == 0.6
    supply.update(demand(8.0)._replace(duty_max=0.35), demand(12.0))
    assert supply.supply.pump_duty == 0.35


def test_the_manifold_is_relieved_over_its_bound_while_all_goes_on() -> None:
    supply = Supply(1)
    want = demand(20.0)
    supply.start(want)
    assert supply.update(want, manifold_mmhg=PARAMETERS.relieve_mmhg + 0.1) == 0
    assert supply.supply.dump_open
    supply.update(want, manifold_mmhg=PARAMETERS.relieve_mmhg - 0.1)
    assert not supply.supply.dump_open


def test_a_chamber_that_holds_is_probed_with_the_dump_shut_first_and_opened_last() -> None:
    supply = Supply(2)
    seen = []
    for _ in range(round(2.5 * PARAMETERS.probe_every_s * TICKS_PER_S / PERIOD)):
        inlet = supply.update(holding(), NOBODY, manifold_mmhg=0.0)
        seen.append((inlet, supply.supply.dump_open))
        assert supply.supply.pump_duty == 0.0
        assert not supply.supply.pump_enabled
    assert {inlet for inlet, _ in seen} == {None, 0}, "the released one is left alone"
    starts = [at for at in range(1, len(seen)) if seen[at][0] == 0 and seen[at - 1][0] is None]
    assert len(starts) == 3
    for at in starts:
        assert not seen[at - 1][1]
    assert not any(inlet == 0 and dump for inlet, dump in seen)
    ends = [at for at in range(1, len(seen)) if seen[at - 1][0] == 0 and seen[at][0] is None]
    assert not any(seen[at][1] for at in ends), "the inlet has shut before the dump opens"


def test_shut_is_at_once() -> None:
    supply = Supply(1)
    supply.start(demand(40.0, pressure_mmhg=0.0))
    supply.supply.shut()
    assert (supply.supply.open_inlet, supply.supply.pump_enabled, supply.supply.dump_open) == (None, False, True)
    supply.update(NOBODY)
    assert supply.supply.pump_duty == 0.0


def test_a_chamber_that_always_asks_is_probed_in_the_end_but_not_before_a_fill() -> None:
    supply = Supply(1)
    asking = demand(1.6, pressure_mmhg=40.0)._replace(holds=True)
    probed: list[int] = []
    for at in range(round(1.5 * PARAMETERS.probe_most_s * TICKS_PER_S / PERIOD)):
        # Filled at once, and asking again: it never rests.
        full = supply.supply.mode is SupplyMode.FILLING
        supply.update(asking._replace(wants=False, deficit_mmhg=-1.0) if full else asking)
        if supply.supply.mode is SupplyMode.PROBING:
            probed.append(at)
    assert probed
    assert probed[0] >= PARAMETERS.probe_most_s * TICKS_PER_S / PERIOD
    busy = Supply(2)
    for _ in range(round(2.0 * PARAMETERS.probe_most_s * TICKS_PER_S / PERIOD)):
        busy.update(demand(30.0, pressure_mmhg=10.0), holding(), manifold_mmhg=0.0)
        assert busy.supply.mode is SupplyMode.CHARGING


def test_a_released_chamber_in_doubt_is_probed_before_any_touch() -> None:
    supply = Supply(2)
    supply.update(NOBODY, NOBODY, periods=round(PARAMETERS.settle_s * TICKS_PER_S / PERIOD) + 1)
    doubtful = NOBODY._replace(doubtful=True)
    supply.update(doubtful, demand(1.6))
    assert (supply.supply.mode, supply.supply.chamber) == (SupplyMode.PROBING, 0)
    assert 0 in {supply.update(doubtful, demand(1.6)) for _ in range(10)}
