"""Label maps and the table of tissues."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from clinica_gado.errors import InputImageError
from clinica_gado.simulation.labels import LABELS_OF_TISSUE, Tissue, load_label_map, tissue_map
from clinica_gado.simulation.tissue import TISSUES

LABEL_MAPS = Path(__file__).parents[4] / "shared" / "labelmaps"


def test_every_tissue_has_properties() -> None:
    assert set(TISSUES) == set(Tissue)


def test_no_label_has_two_tissues() -> None:
    labels = [label for group in LABELS_OF_TISSUE.values() for label in group]
    assert len(labels) == len(set(labels))


@pytest.mark.parametrize("tissue", list(Tissue))
def test_properties_are_physical(tissue: Tissue) -> None:
    properties = TISSUES[tissue]
    for field_t in (1.5, 3.0):
        t1, t2, t2_star = properties.at(field_t)
        assert t1 > t2 >= t2_star > 0
    assert 0 <= properties.proton_density <= 1
    assert 0 <= properties.uptake < 1
    assert 0 <= properties.adc <= 3.4
    assert properties.source


def test_lookup_of_tissue_by_label() -> None:
    labels = np.array([[[0, 3, 41, 24, 514, 509]]], dtype=np.int16)
    expected = [Tissue.AIR, Tissue.GREY, Tissue.WHITE, Tissue.CSF, Tissue.BLOOD, Tissue.MUCOSA]
    assert tissue_map(labels).ravel().tolist() == expected


def test_loading_turns_a_map_to_ras_and_keeps_world_positions(tmp_path: Path) -> None:
    labels = np.zeros((5, 6, 7), dtype=np.int16)
    labels[1, 2, 3] = 41
    affine = np.array([[-1.0, 0, 0, 9], [0, 0, 1.0, -4], [0, -1.0, 0, 5], [0, 0, 0, 1]])
    nib.save(nib.Nifti1Image(labels, affine), tmp_path / "map.nii.gz")
    loaded = load_label_map(tmp_path / "map.nii.gz")
    index = np.argwhere(loaded.labels == 41)[0]
    assert nib.aff2axcodes(loaded.affine) == ("R", "A", "S")
    np.testing.assert_allclose(
        nib.affines.apply_affine(loaded.affine, index), nib.affines.apply_affine(affine, [1, 2, 3])
    )


def test_unknown_labels_are_named(tmp_path: Path) -> None:
    image = nib.Nifti1Image(np.full((3, 3, 3), 499, dtype=np.int16), np.eye(4))
    nib.save(image, tmp_path / "map.nii.gz")
    with pytest.raises(InputImageError, match="499"):
        load_label_map(tmp_path / "map.nii.gz")


@pytest.mark.parametrize(("size_mm", "is_taken"), [(1.005, True), (2.0, False), (0.98, False)])
def test_a_label_map_of_other_voxels_than_1_mm_is_refused(tmp_path, size_mm, is_taken) -> None:
    affine = np.diag([1.0, size_mm, 1.0, 1.0])
    nib.save(nib.Nifti1Image(np.zeros((3, 3, 3), dtype=np.int16), affine), tmp_path / "map.nii.gz")
    with nullcontext() if is_taken else pytest.raises(InputImageError, match="resample it"):
        load_label_map(tmp_path / "map.nii.gz")


def test_unreadable_map_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "map.nii.gz").write_bytes(b"not gzip")
    with pytest.raises(InputImageError, match=r"map\.nii\.gz"):
        load_label_map(tmp_path / "map.nii.gz")


def test_every_label_of_the_shared_maps_is_known() -> None:
    if not LABEL_MAPS.is_dir():
        pytest.skip("needs ../shared/labelmaps")
    labels = np.load(LABEL_MAPS / "generation_labels.npy")
    known = {label for group in LABELS_OF_TISSUE.values() for label in group}
    assert set(labels.tolist()) <= known
