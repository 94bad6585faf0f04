"""Shrinking: what is averaged stays where it is."""

from __future__ import annotations

import numpy as np
import pytest

from clinica_gado.preprocessing.images import Volume, shrink


@pytest.mark.parametrize(
    ("spacing", "shape"),
    [((1, 1, 1), (4, 4, 4)), ((1, 1, 5.5), (4, 4, 12)), ((2, 2, 2), (12,) * 3)],
)
def test_voxels_are_averaged_to_three_millimetres(
    spacing: tuple[float, ...], shape: tuple[int, ...]
) -> None:
    volume = Volume(np.ones((12, 12, 12), dtype=np.float32), np.diag([*spacing, 1.0]))
    assert shrink(volume, 3.0).data.shape == shape


def test_the_centre_of_mass_stays_in_place() -> None:
    data = np.zeros((12, 12, 12), dtype=np.float32)
    data[3:6, 6:9, 0:3] = 1.0
    affine = np.array([[0, 1.0, 0, 5], [1.0, 0, 0, -7], [0, 0, 1.0, 2], [0, 0, 0, 1]])
    volume = Volume(data, affine)
    assert _centre(shrink(volume, 3.0)) == pytest.approx(_centre(volume))


def _centre(volume: Volume) -> np.ndarray:
    voxels = np.argwhere(volume.data > 0)
    weights = volume.data[tuple(voxels.T)]
    mean = (voxels * weights[:, None]).sum(0) / weights.sum()
    return np.asarray(volume.affine[:3, :3] @ mean + volume.affine[:3, 3])
