"""Other sequences follow their T1w to the template."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from clinica_gado.bids import InputFile
from clinica_gado.caps import AlignedPaths, PreparedPaths, read_sidecar
from clinica_gado.errors import InputImageError, RegistrationError
from clinica_gado.files import write_json
from clinica_gado.preprocessing import multimodal, t1_linear
from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.preprocessing.images import Volume
from clinica_gado.preprocessing.linear import resample, resample_to_grid
from clinica_gado.preprocessing.multimodal import (
    bring_by_t1w,
    bring_sequence,
    flags_of,
    prepare_sequence,
    sequence_flags,
)
from clinica_gado.preprocessing.rigid import Alignment
from clinica_gado.preprocessing.t1_linear import LinearOptions

SHAPE, SPACING = (44, 56, 40), 4.0


@pytest.fixture(scope="module")
def head():
    """Return an ellipsoid with structure, on a coarse grid around the template's middle."""
    grid = np.stack(np.meshgrid(*(np.arange(n) - n / 2 for n in SHAPE), indexing="ij")) * SPACING
    inside = (grid[0] / 60) ** 2 + (grid[1] / 75) ** 2 + (grid[2] / 55) ** 2 < 1
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=SHAPE), 2.0)
    affine = np.diag([SPACING, SPACING, SPACING, 1.0])
    affine[:3, 3] = -SPACING / 2 * np.array(SHAPE) + (0, -15, 10)
    data = np.where(inside, np.maximum(100 + 25 * noise / noise.std(), 1), 0)
    return Volume(data.astype(np.float32), affine)


def test_a_moved_sequence_lies_on_its_t1w_in_the_template(head):
    movement = np.eye(4)
    movement[:3, :3] = Rotation.from_euler("xyz", (5, -4, 6), degrees=True).as_matrix()
    movement[:3, 3] = (5.0, -6.0, 4.0)
    other = Volume(np.where(head.data > 0, 250 - head.data, 0), head.affine)
    moved_away = resample(other, SHAPE, head.affine, np.linalg.inv(movement))
    mni_to_t1w = np.eye(4)
    mni_to_t1w[0, 3] = 3.0
    moved, alignment, matrix = bring_by_t1w(moved_away, head, mni_to_t1w)
    assert moved.data.shape == CROP_GRID.shape
    assert alignment.origin == "registration"
    np.testing.assert_allclose(matrix, alignment.fixed_to_moving @ mni_to_t1w)
    expected = resample_to_grid(other, CROP_GRID, mni_to_t1w).data
    inside = ndimage.binary_erosion(expected > 0, iterations=6)
    assert np.corrcoef(moved.data[inside], expected[inside])[0, 1] > 0.95


@pytest.mark.parametrize(("name", "is_corrected"), [("ADC", False), ("FLAIR", True)])
def test_an_adc_map_is_not_corrected_for_the_coil(head, monkeypatch, name, is_corrected):
    seen = []
    corrected = Volume(head.data + 1, head.affine)
    monkeypatch.setattr(t1_linear, "correct_bias_fast", lambda image: corrected)

    def keep(image, t1w, fast):
        seen.append((image, fast))
        return Alignment(np.eye(4), "headers", 1.0)

    monkeypatch.setattr(multimodal, "align_rigidly", keep)
    bring_sequence(name, head, head, np.eye(4), LinearOptions("fast"))
    assert seen == [(corrected if is_corrected else head, True)]


def test_an_image_that_shows_a_part_of_the_brain_is_flagged():
    brain = np.ones((8, 8, 8), dtype=bool)
    image = np.ones((8, 8, 8), dtype=np.float32)
    assert flags_of(Volume(image, np.eye(4)), brain) == ()
    image[4:] = 0
    assert flags_of(Volume(image, np.eye(4)), brain) == ("shows 50 % of the brain",)


@pytest.mark.parametrize(("share_of_other", "is_flagged"), [(0.3, False), (1.0, True)])
def test_two_t1w_that_look_unlike_are_flagged(share_of_other, is_flagged):
    t1w, other = np.random.default_rng(0).uniform(1, 2, (2, 12, 12, 12)).astype(np.float32)
    second = (1 - share_of_other) * t1w + share_of_other * other
    flags = sequence_flags(t1w, second, np.ones(t1w.shape, dtype=bool))
    assert bool(flags) == is_flagged
    assert all("of another sequence?" in flag for flag in flags)


def test_nothing_is_said_of_two_t1w_without_a_common_brain():
    image = np.ones((12, 12, 12), dtype=np.float32)
    assert sequence_flags(image, 0 * image, image > 0) == ()


@pytest.fixture
def visit(tmp_path, monkeypatch):
    """Return the files of a visit, and the names of what is aligned to its T1w."""
    aligned = []

    def align(name, image, lead, matrix, options):
        aligned.append((name, image))
        return image, Alignment(np.eye(4), "headers", 0.5)

    monkeypatch.setattr(multimodal, "bring_sequence", align)
    monkeypatch.setattr(multimodal, "read_itk_affine", lambda path: np.eye(4))
    random = np.random.default_rng(0)
    for name in ("T1w", "FLAIR"):
        values = random.uniform(1, 2, (9, 9, 9)).astype(np.float32)
        multimodal.save_volume(Volume(values, np.eye(4)), tmp_path / f"{name}.nii.gz")
    prepared = PreparedPaths(*(tmp_path / name for name in ("l.nii.gz", "l.json", "a.mat")))
    write_json(prepared.linear_sidecar, {"SourceSha256": "a", "Options": {"Route": "standard"}})
    return tmp_path, prepared, aligned


def prepare(visit, name="FLAIR", b_values=None):
    folder, prepared, _ = visit
    destination = AlignedPaths(folder / "out.nii.gz", folder / "out.json")
    file = InputFile(folder / f"{name}.nii.gz", b_values)
    prepare_sequence(name, file, folder / "T1w.nii.gz", prepared, destination, LinearOptions())
    return read_sidecar(destination.sidecar)


def test_an_image_is_aligned_once_and_again_when_its_t1w_is_another(visit):
    sidecar = prepare(visit)
    assert (sidecar["Alignment"], sidecar["MutualInformation"]) == ("headers", 0.5)
    assert len(sidecar["ImageSha256"]) == 64
    prepare(visit)
    assert len(visit[2]) == 1
    write_json(visit[1].linear_sidecar, {"SourceSha256": "b", "Options": {"Route": "standard"}})
    prepare(visit)
    assert len(visit[2]) == 2


def test_a_map_is_computed_of_a_diffusion_series(visit):
    import nibabel as nib

    folder, _, aligned = visit
    series = np.full((9, 9, 9, 2), 100, np.float32)
    series[..., 1] = 100 * np.exp(-1000 * 0.8e-3)
    series[0, 0, 0] = 50
    nib.save(nib.Nifti1Image(series, np.eye(4)), folder / "ADC.nii.gz")
    (folder / "ADC.bval").write_text("0 1000")
    sidecar = prepare(visit, "ADC", folder / "ADC.bval")
    ((name, image),) = aligned
    assert name == "ADC"
    np.testing.assert_allclose(image.data[4:], 0.8e-3, rtol=1e-4)
    assert len(sidecar["BValuesSha256"]) == 64


def test_an_image_that_cannot_be_read_is_named(visit):
    (visit[0] / "FLAIR.nii.gz").write_bytes(b"no image")
    with pytest.raises(InputImageError, match="FLAIR"):
        prepare(visit)
    (visit[0] / "FLAIR.nii.gz").unlink()
    with pytest.raises(InputImageError, match="cannot be opened"):
        prepare(visit)


def test_an_image_that_cannot_be_aligned_is_named_and_leaves_nothing(visit, monkeypatch):
    prepare(visit)
    write_json(visit[1].linear_sidecar, {"SourceSha256": "b", "Options": {}})

    def refuse(*arguments):
        raise RegistrationError("ANTs could not register the image.")

    monkeypatch.setattr(multimodal, "bring_sequence", refuse)
    with pytest.raises(RegistrationError, match=r"FLAIR\.nii\.gz: ANTs"):
        prepare(visit)
    assert not (visit[0] / "out.nii.gz").exists()
