"""A head of 32 voxels a side, made of nested balls."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from clinica_gado.simulation.labels import LabelMap
from clinica_gado.simulation.parameters import HeadParameters
from clinica_gado.simulation.sampling import sample_head, sample_lesion

SIZE = 32


@pytest.fixture(scope="session")
def phantom() -> LabelMap:
    """Skin, fat, bone, CSF, cortex of two sides, white matter; ventricle, thalamus, vessels."""
    grid = np.indices((SIZE,) * 3) - (SIZE - 1) / 2
    radius = np.sqrt((grid**2).sum(axis=0))
    left = grid[0] < 0
    labels = np.zeros((SIZE,) * 3, dtype=np.int16)
    for limit, label in ((15, 511), (14, 507), (13, 515), (11.5, 24)):
        labels[radius < limit] = label
    labels[(radius < 10) & (np.abs(grid[0]) > 1)] = 42
    labels[(radius < 10) & (grid[0] < -1)] = 3
    labels[(radius < 8) & left] = 2
    labels[(radius < 8) & ~left] = 41
    labels[radius < 3] = 4
    labels[(radius >= 3) & (radius < 4)] = 10
    labels[16, 4:7, 24:28] = 514
    labels[13, 16, 3:6] = labels[18, 16, 3:6] = 502
    affine = np.eye(4)
    affine[:3, 3] = (-16.0, -20.0, -12.0)
    return LabelMap(labels, affine)


@pytest.fixture(scope="session")
def phantom_file(phantom: LabelMap, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the phantom as a file."""
    path = tmp_path_factory.mktemp("labels") / "head_99_dseg.nii.gz"
    nib.save(nib.Nifti1Image(phantom.labels, phantom.affine), path)
    return path


@pytest.fixture(scope="session")
def parameters() -> HeadParameters:
    """Parameters of a person with a lesion, at 1.5 T."""
    rng = np.random.default_rng(3)
    return sample_head(rng, 1.5, (sample_lesion(rng, "ring"),))
