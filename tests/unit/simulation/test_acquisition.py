"""Voxels, orientation, sensitivity and noise of a scan."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from clinica_gado.simulation.acquisition import (
    acquire,
    average_into_voxels,
    bias_field,
    plan_grid,
    rician,
    to_image,
)
from clinica_gado.simulation.parameters import AcquisitionParameters, Geometry, sample_acquisition

BALL_CENTRE = np.array([4.0, -3.0, 6.0])


def _ball() -> tuple[np.ndarray, np.ndarray]:
    affine = np.eye(4)
    affine[:3, 3] = -20.0
    world = np.indices((41, 41, 41)) - 20.0
    distance = np.linalg.norm(world - BALL_CENTRE[:, None, None, None], axis=0)
    return np.clip(10.5 - distance, 0, 1).astype(np.float32), affine


def _parameters(geometry: Geometry) -> AcquisitionParameters:
    drawn = sample_acquisition(np.random.default_rng(0), geometry)
    return AcquisitionParameters(**{**vars(drawn), "bias": (0.0,) * 9, "gain": 1000.0})


@pytest.mark.parametrize(
    ("codes", "rotation"),
    [("RAS", (0, 0, 0)), ("LAS", (0, 0, 0)), ("PSR", (10, -3, 4)), ("LPS", (-8, 0, 0))],
)
def test_anatomy_keeps_its_world_position(codes: str, rotation: tuple[float, ...]) -> None:
    signal, affine = _ball()
    geometry = Geometry((1.5, 2.0, 3.0), codes, rotation)
    image = acquire(signal, affine, _parameters(geometry), 0.0, np.random.default_rng(0))
    values = image.get_fdata()
    centre = (np.argwhere(values > 0) * values[values > 0][:, None]).sum(0) / values.sum()
    world = nib.affines.apply_affine(image.affine, centre)
    np.testing.assert_allclose(world, BALL_CENTRE, atol=0.1)
    assert "".join(nib.aff2axcodes(image.affine)) == codes
    np.testing.assert_allclose(nib.affines.voxel_sizes(image.affine), (1.5, 2.0, 3.0))


def test_volume_averaging_keeps_the_total_signal() -> None:
    signal, affine = _ball()
    grid = plan_grid(signal > 0, affine, _parameters(Geometry((2.0, 2.0, 5.0))))
    averaged = average_into_voxels(signal, affine, grid)
    assert averaged.sum() * 20.0 == pytest.approx(signal.sum(), rel=0.01)


def test_coverage_cuts_the_field_from_below() -> None:
    signal, affine = _ball()
    whole = plan_grid(signal > 0, affine, _parameters(Geometry((1.0, 1.0, 1.0))))
    cut = plan_grid(signal > 0, affine, _parameters(Geometry((1.0, 1.0, 1.0), coverage_mm=10.0)))
    top = [g.affine[2, 3] + g.shape[2] for g in (whole, cut)]
    assert cut.shape[2] == 10
    assert top[0] == pytest.approx(top[1], abs=1.0)


def test_zero_bias_is_identity() -> None:
    np.testing.assert_array_equal(bias_field((4, 5, 6), (0.0,) * 9), np.ones((4, 5, 6)))


def test_noise_without_signal_has_the_rayleigh_mean() -> None:
    air = rician(np.zeros((20, 20, 20), np.float32), 2.0, np.random.default_rng(1))
    assert air.mean() == pytest.approx(2.0 * np.sqrt(np.pi / 2), rel=0.02)


def test_no_noise_leaves_the_signal() -> None:
    signal, _ = _ball()
    np.testing.assert_allclose(rician(signal, 0.0, np.random.default_rng(1)), signal)


def test_header_has_qform_and_sform_of_the_scanner() -> None:
    signal, affine = _ball()
    geometry = Geometry((2.0, 2.0, 2.0), "PSR", (10.0, -3.0, 4.0))
    image = to_image(signal, plan_grid(signal > 0, affine, _parameters(geometry)).affine)
    (qform, qcode), (sform, scode) = image.get_qform(coded=True), image.get_sform(coded=True)
    assert (qcode, scode) == (1, 1)
    np.testing.assert_allclose(qform, sform, atol=1e-4)
