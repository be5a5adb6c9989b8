"""Limbs that move and air that warms: seeded, smooth, bounded."""

import numpy as np

from wavewrap_sim.disturbances import LimbMovement, LimbParameters, WarmingAir

COMPLIANCE = np.array([[0.6, 0.7], [0.5, 0.9]])


def generators(*seeds: int) -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in seeds]


def test_a_limb_moves_smoothly_within_its_peak_and_comes_to_rest() -> None:
    parameters = LimbParameters()
    limb = LimbMovement(generators(1, 2), COMPLIANCE, parameters)
    swells = np.array([limb.advance(0.01) for _ in range(20_000)])
    assert (np.abs(swells) <= parameters.peak_mmhg * COMPLIANCE).all()
    assert (np.abs(swells).max(axis=0) > 0.3 * parameters.peak_mmhg * COMPLIANCE).all()
    assert swells.min() < 0.0 < swells.max()
    # A sin^2 pulse is steepest in its middle: pi A / T.
    steepest = np.pi * parameters.peak_mmhg * COMPLIANCE / parameters.duration_s[0] * 0.01
    assert (np.abs(np.diff(swells, axis=0)) <= steepest * 1.001).all()
    resting = (swells[:, :, 0] == 0.0).mean(axis=0)
    mean_s = sum(parameters.duration_s) / 2
    np.testing.assert_allclose(resting, parameters.mean_pause_s / (parameters.mean_pause_s + mean_s), atol=0.2)


def test_a_wrap_moves_alone_as_it_does_among_others() -> None:
    together = LimbMovement(generators(1, 2), COMPLIANCE)
    alone = LimbMovement(generators(2), COMPLIANCE[1:])
    for _ in range(3_000):
        np.testing.assert_array_equal(together.advance(0.01)[1:], alone.advance(0.01))


def test_air_warms_from_the_rooms_temperature_towards_the_skins() -> None:
    air = WarmingAir(generators(3, 4), 4)
    warmth_k = np.array([air.at(time_s) for time_s in (0.0, 60.0, 600.0, 36_000.0)])
    assert (warmth_k[0] == 0.0).all()
    assert (np.diff(warmth_k, axis=0) > 0.0).all()
    assert (warmth_k[-1] <= 10.0).all()
