"""A board's figures in the words of the simulator's physics. What the firmware is told of its board is not made here."""

from wavewrap_board.board import Board
from wavewrap_board.electric_parts import Sensor
from wavewrap_board.pneumatic_parts import Valve
from wavewrap_sim.battery import BatteryParameters
from wavewrap_sim.plant_parameters import ChamberParameters, ManifoldParameters, PlantParameters, PumpParameters, ValveParameters
from wavewrap_sim.sensors import SensorParameters

__all__ = ["battery_of", "manifold_sensor_of", "plant_of", "sensors_of"]


def plant_of(board: Board) -> PlantParameters:
    """The pneumatics as drawn, without spread (:meth:`PlantParameters.scattered`)."""
    inlet, vent = _valve_of(board.valves.inlet), _valve_of(board.valves.vent)
    chambers = tuple(
        ChamberParameters(
            dead_volume_ml=chamber.dead_volume_ml,
            soft_volume_ml=chamber.soft_volume_ml,
            soft_mmhg=chamber.soft_mmhg,
            compliance_ml_mmhg=chamber.compliance_ml_mmhg,
            creep_fraction=chamber.creep_fraction,
            creep_s=chamber.creep_s,
            leak_ml_s_mmhg=chamber.leak_ml_s_mmhg,
            tube_mmhg_s_ml=board.tube.resistance_mmhg_s_ml,
            vent_tube_mmhg_s_ml=board.vent_stub.resistance_mmhg_s_ml,
            inlet=inlet,
            vent=vent,
        )
        for chamber in board.chambers
    )
    pump = PumpParameters(board.pump.free_flow_ml_s, board.pump.stall_mmhg, board.pump.lag_s)
    manifold = ManifoldParameters(board.manifold.volume_ml, board.manifold.relief_mmhg, board.manifold.relief_ml_s_mmhg)
    return PlantParameters(chambers, pump, manifold, _valve_of(board.valves.dump))


def sensors_of(board: Board) -> SensorParameters:
    """The chambers' sensors."""
    return _sensor_of(board.sensors)


def manifold_sensor_of(board: Board) -> SensorParameters:
    """The manifold's sensor."""
    return _sensor_of(board.manifold_sensor)


def battery_of(board: Board) -> BatteryParameters:
    """The battery and everything that draws from it."""
    valves = board.valves
    return BatteryParameters(
        capacity_j=board.battery.capacity_j,
        electronics_w=board.battery.electronics_w,
        pump_w=board.pump.power_w,
        inlet_w=valves.inlet.coil_w,
        vent_w=valves.vent.coil_w,
        dump_w=valves.dump.coil_w,
    )


def _valve_of(valve: Valve) -> ValveParameters:
    return ValveParameters(valve.conductance_ml_s_mmhg, valve.critical_ratio, valve.lag_s, valve.dead_s)


def _sensor_of(sensor: Sensor) -> SensorParameters:
    return SensorParameters(sensor.lag_s, sensor.noise_mmhg, sensor.offset_mmhg, sensor.range_mmhg, sensor.resolution_mmhg)
