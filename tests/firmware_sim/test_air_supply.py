"""Who gets the inlet, and when it opens and closes."""

from wavewrap_sim.air_supply import AirSupply, Demand, SupplyParameters

PERIOD = 100
NOBODY = Demand(False, True, 0.0, 0.0, 0.0, 0.0, 0.0)


def demand(deficit_mmhg: float, pressure_mmhg: float = 30.0, rate_mmhg_s: float = 0.0, ramp_mmhg_s: float = 0.0) -> Demand:
    return Demand(deficit_mmhg > 0.0, False, pressure_mmhg, deficit_mmhg, rate_mmhg_s, rate_mmhg_s, ramp_mmhg_s)


class Supply:
    def __init__(self, chambers: int) -> None:
        self.supply = AirSupply(SupplyParameters(), chambers)
        self.count = 0

    def update(self, *demands: Demand, periods: int = 1) -> int | None:
        for _ in range(periods):
            self.supply.update(self.count, demands)
            self.count += PERIOD
        return self.supply.open_inlet


def test_an_empty_chamber_is_opened_at_once_a_full_one_after_the_manifold_is_charged() -> None:
    assert Supply(1).update(demand(60.0, pressure_mmhg=0.0)) == 0
    full = Supply(1)
    assert full.update(demand(5.0, pressure_mmhg=60.0)) is None
    assert full.supply.pump_duty > 0.0
    assert full.update(demand(5.0, pressure_mmhg=60.0), periods=10) == 0


def test_a_touch_goes_before_a_fill_and_gives_the_inlet_back() -> None:
    supply = Supply(2)
    big = demand(40.0, pressure_mmhg=0.0)
    assert supply.update(big, NOBODY) == 0
    assert supply.update(big, demand(1.6)) == 1
    assert supply.update(big, demand(0.0)) == 0


def test_the_first_mmhg_of_a_ramp_are_no_touch() -> None:
    supply = Supply(2)
    assert supply.update(demand(40.0, pressure_mmhg=0.0), NOBODY) == 0
    assert supply.update(demand(40.0), demand(1.6, pressure_mmhg=0.0, ramp_mmhg_s=20.0)) == 0


def test_the_older_fill_goes_first() -> None:
    supply = Supply(3)
    assert supply.update(NOBODY, demand(20.0, pressure_mmhg=0.0), NOBODY) == 1
    assert supply.update(demand(50.0), demand(20.0), NOBODY) == 1
    assert supply.update(demand(50.0), demand(20.0), demand(60.0)) == 1
    assert supply.update(demand(50.0), demand(0.0), demand(60.0)) == 0


def test_the_last_inlet_stays_open_until_the_pump_has_spun_down() -> None:
    supply = Supply(1)
    supply.update(demand(20.0, pressure_mmhg=0.0), periods=20)
    assert supply.update(demand(4.0, rate_mmhg_s=60.0)) == 0
    assert supply.supply.pump_duty == 0.0
    assert supply.update(demand(-0.1), periods=18) == 0
    assert supply.update(demand(-0.1), periods=3) is None


def test_a_chamber_that_is_barred_while_filling_still_takes_the_coasting_air() -> None:
    supply = Supply(1)
    supply.update(demand(20.0, pressure_mmhg=0.0), periods=20)
    assert supply.update(NOBODY) == 0
    assert supply.supply.pump_duty == 0.0
    assert supply.update(NOBODY, periods=22) is None


def test_the_duty_falls_with_the_largest_deficit() -> None:
    supply = Supply(2)
    supply.update(demand(40.0, pressure_mmhg=0.0), NOBODY)
    assert supply.supply.pump_duty == 1.0
    supply.update(demand(8.0), NOBODY)
    assert supply.supply.pump_duty == 0.5
    supply.update(demand(8.0), demand(12.0))
    assert supply.supply.pump_duty == 0.75
    supply.update(demand(0.5), NOBODY)
    assert supply.supply.pump_duty == SupplyParameters().least_duty


def test_shut_is_at_once() -> None:
    supply = Supply(1)
    supply.update(demand(40.0, pressure_mmhg=0.0), periods=5)
    supply.supply.shut()
    assert supply.supply.open_inlet is None
    supply.update(NOBODY)
    assert supply.supply.pump_duty == 0.0
