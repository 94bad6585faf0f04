"""Voxels, orientation, sensitivity and noise of a scan."""

from __future__ import annotations

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
import torch

from clinica_gado.simulation.acquisition import (
    acquire,
    average_into_voxels,
    displacement,
    plan_grid,
    to_image,
)
from clinica_gado.simulation.parameters import AcquisitionParameters, Geometry, Motion
from clinica_gado.simulation.sampling import sample_acquisition

BALL_CENTRE = np.array([4.0, -3.0, 6.0])


def _ball() -> tuple[torch.Tensor, np.ndarray]:
    affine = np.eye(4)
    affine[:3, 3] = -20.0
    world = np.indices((41, 41, 41)) - 20.0
    distance = np.linalg.norm(world - BALL_CENTRE[:, None, None, None], axis=0)
    return torch.from_numpy(np.clip(10.5 - distance, 0, 1).astype(np.float32)), affine


def _parameters(geometry: Geometry) -> AcquisitionParameters:
    drawn = sample_acquisition(np.random.default_rng(0), geometry)
    return replace(drawn, bias=(0.0,) * 9, gain=1000.0, blur_mm=0.0)


def _scan(geometry: Geometry, **changes: object) -> nib.Nifti1Image:
    signal, affine = _ball()
    parameters = replace(_parameters(geometry), **changes)
    grid = plan_grid(signal > 0, affine, parameters)
    values = acquire(signal, affine, grid, parameters, 0.0, torch.Generator())
    return to_image(values, grid.affine)


def _centre(image: nib.Nifti1Image) -> np.ndarray:
    values = image.get_fdata()
    voxel = (np.argwhere(values > 0) * values[values > 0][:, None]).sum(0) / values.sum()
    return nib.affines.apply_affine(image.affine, voxel)


@pytest.mark.parametrize(
    ("codes", "rotation"),
    [("RAS", (0, 0, 0)), ("LAS", (0, 0, 0)), ("PSR", (10, -3, 4)), ("LPS", (-8, 0, 0))],
)
def test_anatomy_keeps_its_world_position(codes: str, rotation: tuple[float, ...]) -> None:
    image = _scan(Geometry((1.5, 2.0, 3.0), codes, rotation))
    np.testing.assert_allclose(_centre(image), BALL_CENTRE, atol=0.1)
    assert "".join(nib.aff2axcodes(image.affine)) == codes
    np.testing.assert_allclose(nib.affines.voxel_sizes(image.affine), (1.5, 2.0, 3.0))


def test_volume_averaging_keeps_the_total_signal() -> None:
    signal, affine = _ball()
    grid = plan_grid(signal > 0, affine, _parameters(Geometry((2.0, 2.0, 5.0))))
    averaged = average_into_voxels(signal, affine, grid)
    assert float(averaged.sum()) * 20.0 == pytest.approx(float(signal.sum()), rel=0.01)


def test_coverage_cuts_the_field_from_below() -> None:
    signal, affine = _ball()
    whole = plan_grid(signal > 0, affine, _parameters(Geometry((1.0, 1.0, 1.0))))
    cut = plan_grid(signal > 0, affine, _parameters(Geometry((1.0, 1.0, 1.0), coverage_mm=10.0)))
    top = [g.affine[2, 3] + g.shape[2] for g in (whole, cut)]
    assert cut.shape[2] == 10
    assert top[0] == pytest.approx(top[1], abs=1.0)


def test_a_shift_of_the_head_is_seen_in_world_coordinates() -> None:
    shift_mm = (1.0, 0.5, -0.5)
    image = _scan(Geometry((1.0, 1.0, 1.0)), shift_mm=shift_mm)
    np.testing.assert_allclose(_centre(image), BALL_CENTRE + np.array(shift_mm), atol=0.1)


def test_a_turn_is_about_the_centre_of_the_volume() -> None:
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    turned = displacement((0.0, 0.0, 0.0), (10.0, 5.0, -3.0), affine, torch.Size((5, 7, 9)))
    np.testing.assert_allclose(turned @ [2, 3, 4, 1], [2, 3, 4, 1], atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(turned), 1.0)


def test_motion_changes_the_image_but_not_its_mean() -> None:
    move = Motion(1, 0.7, 0.9, (3.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    still, moved = (_scan(Geometry((1.0,) * 3), motion=m).get_fdata() for m in (None, move))
    assert np.abs(still - moved).max() > 0.02 * still.max()
    assert moved.mean() == pytest.approx(still.mean(), rel=0.1)


def test_header_has_qform_and_sform_of_the_scanner() -> None:
    signal, affine = _ball()
    geometry = Geometry((2.0, 2.0, 2.0), "PSR", (10.0, -3.0, 4.0))
    image = to_image(signal, plan_grid(signal > 0, affine, _parameters(geometry)).affine)
    (qform, qcode), (sform, scode) = image.get_qform(coded=True), image.get_sform(coded=True)
    assert (qcode, scode) == (1, 1)
    np.testing.assert_allclose(qform, sform, atol=1e-4)
