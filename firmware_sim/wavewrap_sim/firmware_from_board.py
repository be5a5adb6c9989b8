"""A board's figures as the firmware takes them. The one place where control and detection learn what they are built into."""

from wavewrap_board.board import Board
from wavewrap_board.pneumatic_parts import Valve
from wavewrap_protocol.units import mmhg_to_cmmhg
from wavewrap_sim.air_supply import SupplyParameters
from wavewrap_sim.detection_figures import DetectionFigures
from wavewrap_sim.firmware_config import CONTROL_PERIOD_S, BatteryLevels, FirmwareConfig, SensorFigures
from wavewrap_sim.pneumatic_figures import ChamberFigures, PathFigures, PneumaticFigures
from wavewrap_sim.pressure_control import ControlParameters
from wavewrap_sim.regulators import RegulatorParameters

__all__ = ["control_parameters", "firmware_config", "pneumatic_figures"]

_TAPER_S = 0.08
"""Deficit over rate from which the pump slows down. Choice: as long as its lag; longer is slower to the target, shorter overshoots."""

_PAUSE_LAGS = 2.0
"""Of the pump: it is then at an eighth of its speed, below its least duty."""

_SEAL_DELAYS = 2.0
"""Of a valve: after twice its delay it is as good as shut, also when it is 30 % slow."""

_RUN_DOWN_LAGS = 4.0
"""A first-order pump is then at 2 % of its speed."""


def pneumatic_figures(board: Board) -> PneumaticFigures:
    """What the firmware believes of the air."""
    valves = (board.valves.inlet, board.valves.vent, board.valves.dump)
    return PneumaticFigures(
        chambers=tuple(
            ChamberFigures(
                dead_ml=chamber.dead_volume_ml,
                soft_ml=chamber.soft_volume_ml,
                soft_mmhg=chamber.soft_mmhg,
                compliance_ml_mmhg=chamber.compliance_ml_mmhg,
                creep_fraction=chamber.creep_fraction,
                creep_s=chamber.creep_s,
            )
            for chamber in board.chambers
        ),
        pump_ml_s=board.pump.free_flow_ml_s,
        pump_stall_mmhg=board.pump.stall_mmhg,
        pump_lag_s=board.pump.lag_s,
        manifold_ml=board.manifold.volume_ml,
        relief_mmhg=board.manifold.relief_mmhg,
        inlet=_path(board.valves.inlet, board.tube.resistance_mmhg_s_ml),
        vent=_path(board.valves.vent, board.vent_stub.resistance_mmhg_s_ml),
        dump=_path(board.valves.dump, 0.0),
        valve_delay_s=max(valve.dead_s + valve.lag_s for valve in valves),
        sensor_lag_s=board.sensors.lag_s,
    )


def control_parameters(board: Board) -> ControlParameters:
    """How it holds pressures: delays and rates of the board, method and bands from its ``[control]``."""
    figures = pneumatic_figures(board)
    # A command takes the valve's delay; the reading it came from is old by the sensor's lag and half a period, and its rate by a whole one.
    delay_s = figures.valve_delay_s + figures.sensor_lag_s + CONTROL_PERIOD_S / 2.0
    return ControlParameters(
        regulator=RegulatorParameters(
            method=board.control.method,
            band_mmhg=board.control.band_mmhg,
            centre_mmhg=board.control.centre_mmhg,
            full_duty_mmhg=_TAPER_S * figures.steepest_mmhg_s,
            vent_close_s=delay_s,
        ),
        supply=SupplyParameters(
            close_gain_s=delay_s,
            run_down_s=_RUN_DOWN_LAGS * board.pump.lag_s,
            pause_s=_PAUSE_LAGS * board.pump.lag_s,
            seal_s=_SEAL_DELAYS * figures.valve_delay_s,
            relieve_mmhg=board.manifold.relief_mmhg,
        ),
    )


def firmware_config(board: Board) -> FirmwareConfig:
    """All of it."""
    limits = board.limits
    return FirmwareConfig(
        pneumatics=pneumatic_figures(board),
        sensors=SensorFigures(
            offset_mmhg=max(board.sensors.offset_mmhg, board.manifold_sensor.offset_mmhg),
            range_mmhg=min(board.sensors.range_mmhg, board.manifold_sensor.range_mmhg),
        ),
        battery=BatteryLevels(board.battery.arm_pct, board.battery.reserve_pct, board.battery.fault_pct),
        control=control_parameters(board),
        detection=DetectionFigures(),
        ceiling_cmmhg=mmhg_to_cmmhg(limits.ceiling_mmhg),
        ceiling_max_cmmhg=mmhg_to_cmmhg(limits.ceiling_max_mmhg),
        hold_max_s=limits.hold_max_s,
        vent_min_s=limits.vent_min_s,
        session_max_s=limits.session_max_s,
        watchdog_s=board.watchdog.timeout_s,
    )


def _path(valve: Valve, tube_mmhg_s_ml: float) -> PathFigures:
    return PathFigures(valve.conductance_ml_s_mmhg, valve.critical_ratio, tube_mmhg_s_ml)
