"""ADC maps: a case worked out by hand, a tensor fit of dipy, and what is refused."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from clinica_gado.errors import InputImageError
from clinica_gado.preprocessing.diffusion import (
    MAX_ADC_MM2_PER_S,
    compute_adc,
    read_adc,
    read_b_values,
    shells_of,
)

GOLDEN = (1 + 5**0.5) / 2
ICOSAHEDRON = np.array(
    [(0, 1, GOLDEN), (0, 1, -GOLDEN), (1, GOLDEN, 0), (1, -GOLDEN, 0), (GOLDEN, 0, 1),
     (GOLDEN, 0, -1)]
) / np.sqrt(1 + GOLDEN**2)  # fmt: skip
"""Six directions spread evenly: the mean over them of gᵀDg is a third of the trace of D."""


def series(*signals) -> np.ndarray:
    """Return one voxel, (1, 1, 1, n)."""
    return np.array(signals, dtype=np.float32).reshape(1, 1, 1, -1)


def adc(*signals, b) -> float:
    return compute_adc(series(*signals), np.array(b, dtype=float)).item()


def test_two_b_values_give_the_log_ratio() -> None:
    assert adc(1000, 1000 * np.exp(-0.8), b=(0, 1000)) == pytest.approx(0.8e-3, rel=1e-5)


def test_three_b_values_are_fitted_by_least_squares() -> None:
    # ln S = 0, -0.3, -1.0 at b = 0, 500, 1000: the slope of the line is -1.0 / 1000.
    found = adc(1, np.exp(-0.3), np.exp(-1.0), b=(0, 500, 1000))
    assert found == pytest.approx(1.0e-3, rel=1e-5)
    slope = np.polyfit([0, 500, 1500], [0, -0.3, -1.0], 1)[0]
    found = adc(1, np.exp(-0.3), np.exp(-1.0), b=(0, 500, 1500))
    assert found == pytest.approx(-slope, rel=1e-5)


def test_directions_are_averaged_as_logarithms_and_repeats_do_not_count_twice() -> None:
    b = (1000, 0, 1000, 0, 1000)
    found = adc(np.exp(-0.3), 1, np.exp(-0.9), 1, np.exp(-1.2), b=b)
    assert found == pytest.approx(0.8e-3, rel=1e-5)


def test_a_trace_image_agrees_with_the_tensor_fit_of_dipy() -> None:
    gradients = pytest.importorskip("dipy.core.gradients")
    dti = pytest.importorskip("dipy.reconst.dti")
    rng = np.random.default_rng(0)
    roots = rng.normal(0, 0.02, (5, 3, 3))
    tensors = roots @ roots.transpose(0, 2, 1) + 3e-4 * np.eye(3)
    directions = np.vstack(([0, 0, 0], ICOSAHEDRON))
    b = np.array([0.0] + 6 * [1000.0])
    weighting = np.einsum("ni,vij,nj->vn", directions, tensors, directions)
    signals = 500 * np.exp(-b * weighting)
    expected = (
        dti.TensorModel(gradients.gradient_table(b, bvecs=directions), fit_method="OLS")
        .fit(signals)
        .md
    )
    found = compute_adc(signals.reshape(5, 1, 1, 7).astype(np.float32), b)
    np.testing.assert_allclose(found.ravel(), expected, rtol=1e-4)


def test_voxels_without_signal_are_zero_and_the_others_are_clipped() -> None:
    b = (0, 1000)
    assert adc(0, 10, b=b) == 0
    assert adc(100, 0, b=b) == 0
    assert adc(100, -5, b=b) == 0
    assert adc(100, 200, b=b) == 0  # a negative coefficient
    assert adc(1000, 1, b=b) == pytest.approx(MAX_ADC_MM2_PER_S)


def test_shells_are_told_apart_by_their_distance() -> None:
    groups = shells_of(np.array([1005.0, 0, 5, 995, 500, 1000]))
    assert [group.tolist() for group in groups] == [[1, 2], [4], [3, 5, 0]]
    # As of intravoxel incoherent motion: neighbours are near, the whole row is no shell.
    groups = shells_of(np.array([0.0, 10, 20, 40, 80, 100, 150, 200, 800]))
    assert [group.tolist() for group in groups] == [[0, 1, 2, 3], [4, 5], [6, 7], [8]]


def write_series(folder, volumes, b):
    image = nib.Nifti1Image(np.asarray(volumes, dtype=np.float32), np.diag([2.0, 2, 3, 1]))
    image.set_sform(image.affine, code=1)
    nib.save(image, folder / "dwi.nii.gz")
    (folder / "dwi.bval").write_text(b, encoding="utf-8")
    return folder / "dwi.nii.gz", folder / "dwi.bval"


def test_a_file_gives_a_map_on_its_own_grid(tmp_path) -> None:
    rng = np.random.default_rng(1)
    first = rng.uniform(100, 200, (8, 9, 10))
    volumes = np.stack([first, first * np.exp(-0.7)], axis=-1)
    volume = read_adc(*write_series(tmp_path, volumes, "0 1000\n"))
    np.testing.assert_allclose(volume.data, 0.7e-3, rtol=1e-4)
    np.testing.assert_array_equal(volume.affine, np.diag([2.0, 2, 3, 1]))


def test_air_has_no_coefficient(tmp_path) -> None:
    first = np.full((8, 8, 8), 150.0)
    first[:4] = 3.0
    volumes = np.stack([first, 0.5 * first], axis=-1)
    volume = read_adc(*write_series(tmp_path, volumes, "0 1000"))
    assert not volume.data[:4].any()
    np.testing.assert_allclose(volume.data[4:], np.log(2) / 1000, rtol=1e-5)


@pytest.mark.parametrize(
    ("b", "shape", "fault"),
    [
        ("0 1000 1000", (8, 8, 8, 2), "2 volumes and dwi.bval 3 b-values"),
        ("1000 1000", (8, 8, 8, 2), "there are b = 1000 s/mm²"),
        ("500 1000", (8, 8, 8, 2), "needs b = 0"),
        ("0 b", (8, 8, 8, 2), "cannot be read"),
        ("0 -3", (8, 8, 8, 2), "no b-values"),
        ("0", (8, 8, 8), "4D, is needed"),
    ],
)
def test_what_gives_no_adc_is_refused_in_one_line(tmp_path, b, shape, fault) -> None:
    volumes = np.random.default_rng(2).uniform(1, 2, shape)
    with pytest.raises(InputImageError, match=fault) as caught:
        read_adc(*write_series(tmp_path, volumes, b))
    assert "\n" not in str(caught.value)


def test_b_values_that_are_not_there_are_refused(tmp_path) -> None:
    with pytest.raises(InputImageError, match="cannot be read"):
        read_b_values(tmp_path / "none.bval")
