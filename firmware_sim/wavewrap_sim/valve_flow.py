"""What flows through valves and their tubes, and how that changes with the pressures.

Valve and tube in series: the subsonic branch of ISO 6358 with Poiseuille's law, ``q = K/2 (sqrt(R^2 + 4|dp|/K) - R) sign(dp)``,
``K = C^2 2/(1-b) (P_1 - |dp| / (2(1-b)))``, ``P_1`` the absolute pressure upstream. It cannot choke: 400 mmHg against the room is a
pressure ratio of 0.66, over b. A valve that stands open in part has that part of C.

Arrays have the shape (valves, wraps); the first ``inner`` valves lie between manifold and chambers, the others lead to the room.
"""

import numpy as np
from numpy.typing import NDArray

from wavewrap_sim.plant_parameters import ATMOSPHERE_MMHG

__all__ = ["ValveFlow"]

Array = NDArray[np.float64]

_TINY_MMHG2_S2_ML2 = 1e-12
"""Keeps the slope finite at no drop without a tube: it rounds the root over some 1e-12 mmHg."""


class ValveFlow:
    """Valves of sonic conductance ``conductance_ml_s_mmhg`` and critical ratio ``critical_ratio``."""

    def __init__(self, conductance_ml_s_mmhg: Array, critical_ratio: Array, inner: int) -> None:
        self._gain = conductance_ml_s_mmhg**2 * 2.0 / (1.0 - critical_ratio)
        self._beta = 0.5 / (1.0 - critical_ratio)
        self._half_beta = 0.5 - self._beta
        self._inner = inner

    def evaluate(
        self, drop: Array, chamber: Array, opening: Array, tube: Array, at: slice | NDArray[np.intp]
    ) -> tuple[Array, Array, Array]:
        """Flow in ml/s, its slope by the upstream side's pressure, and the first ``inner`` ones' by the other side's (ml/s per mmHg).

        ``drop`` is the pressure over each valve and tube, ``chamber`` the pressure on the far side of the first ``inner`` ones (mmHg),
        ``opening`` 0 to 1, ``tube`` in mmHg s/ml; all of them of the wraps ``at``.
        """
        inner = self._inner
        half_beta = self._half_beta[:, at]
        size = np.abs(drop)
        half = 0.5 * drop
        mean = half_beta * size
        mean += half
        mean += ATMOSPHERE_MMHG
        mean[:inner] += chamber
        root_k = self._gain[:, at] * mean
        np.sqrt(root_k, root_k)
        root_k *= opening
        along = tube * root_k
        root = along * along
        size *= 4.0
        root += size
        root += _TINY_MMHG2_S2_ML2
        np.sqrt(root, root)
        slope = root_k / root
        fall = root - along
        root += along
        flow = drop * root_k
        flow /= root
        flow += flow
        # K itself moves with the pressures; without this term the scheme would lose its second order.
        fall *= fall
        fall *= slope
        fall /= mean
        fall *= 0.25
        side = np.copysign(0.5, drop)
        by_up = side + half_beta
        by_up *= fall
        by_up += slope
        by_down: Array = half_beta[:inner] - side[:inner]
        by_down *= fall[:inner]
        by_down += slope[:inner]
        return flow, by_up, by_down
