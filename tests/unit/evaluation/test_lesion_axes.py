"""Lesions by their axes: read, measured, and turned into voxels."""

from __future__ import annotations

import math

import nibabel as nib
import numpy as np
import pytest

from clinica_gado.errors import SelectionError
from clinica_gado.evaluation.lesion_axes import (
    COORDINATES,
    Lesion,
    lesions_of_mask,
    read_marks,
    roi_of,
)

MILLIMETRES = np.eye(4)


def lesion(centre=(0, 0, 0), long=10.0, short=6.0) -> Lesion:
    """Return a lesion whose axes are x and y."""
    x, y = np.array([long / 2, 0, 0]), np.array([0, short / 2, 0])
    centre = np.array(centre, dtype=float)
    return Lesion(np.stack((centre - x, centre + x)), np.stack((centre - y, centre + y)))


def test_axes_give_size_and_centre() -> None:
    found = lesion((1, 2, 3), long=10, short=6)
    assert (found.long_mm, found.short_mm) == (10, 6)
    np.testing.assert_allclose(found.centre, (1, 2, 3))


def ellipse(shape=(40, 40, 5), half=(12, 6), angle=0.0) -> np.ndarray:
    x, y, z = np.indices(shape) - np.array(shape).reshape(3, 1, 1, 1) // 2
    u = np.cos(angle) * x + np.sin(angle) * y
    v = -np.sin(angle) * x + np.cos(angle) * y
    return ((u / half[0]) ** 2 + (v / half[1]) ** 2 <= 1) & (np.abs(z) <= 1)


@pytest.mark.parametrize("angle", [0.0, 0.6])
def test_a_mask_is_measured_along_and_across(angle) -> None:
    affine = np.diag([0.5, 0.5, 3.0, 1.0])
    affine[:3, 3] = (100.0, -20.0, 7.0)
    (found,) = lesions_of_mask(ellipse(angle=angle), affine)
    assert found.long_mm == pytest.approx(12, abs=0.6)
    assert found.short_mm == pytest.approx(6, abs=0.6)
    np.testing.assert_allclose(found.centre[:2], (110, -10), atol=0.5)
    direction = (found.long[1] - found.long[0]) / found.long_mm
    assert abs(direction @ (np.cos(angle), np.sin(angle), 0)) > 0.98
    assert abs(direction @ (found.short[1] - found.short[0])) < 1e-6


def test_the_short_axis_is_a_chord_and_not_the_extent_across_a_slanting_long_axis() -> None:
    mask = np.zeros((16, 10, 1), dtype=bool)
    mask[3:13, 3:7] = True
    (found,) = lesions_of_mask(mask, MILLIMETRES)
    # From corner to corner, which the outline of voxels cuts by half a voxel: (9 or 10, 4 or 3).
    assert found.long_mm == pytest.approx(math.hypot(10, 3))
    slope = math.atan(3 / 10)
    assert found.short_mm == pytest.approx(4 / math.cos(slope))
    assert abs((found.long[1] - found.long[0]) @ (found.short[1] - found.short[0])) < 1e-9
    np.testing.assert_allclose(found.centre, (7.5, 4.5, 0), atol=0.5)


def test_the_short_axis_is_the_longest_one_across_wherever_it_is() -> None:
    mask = np.zeros((40, 20, 1), dtype=bool)
    mask[4:36, 10] = mask[10, 6:15] = True
    (found,) = lesions_of_mask(mask, MILLIMETRES)
    assert (found.long_mm, found.short_mm) == pytest.approx((32, 9))
    np.testing.assert_allclose(sorted(found.short[:, 1]), (5.5, 14.5))
    np.testing.assert_allclose(found.short[:, 0], 10)


def test_a_ring_is_as_wide_as_its_outside() -> None:
    radius = np.hypot(*(np.indices((30, 30)) - 15))[..., None]
    (full,) = lesions_of_mask(radius <= 10, MILLIMETRES)
    (ring,) = lesions_of_mask((radius <= 10) & (radius > 6), MILLIMETRES)
    assert ring.short_mm == pytest.approx(full.short_mm) == pytest.approx(21, abs=0.5)


def test_the_slice_where_it_is_longest_counts() -> None:
    mask = np.zeros((20, 20, 4), dtype=bool)
    mask[5:9, 5:9, 0:3] = True
    mask[3:17, 5:9, 2] = True
    (found,) = lesions_of_mask(mask, MILLIMETRES)
    assert found.centre[2] == 2
    assert found.long_mm > 13


@pytest.mark.parametrize("codes", ["RAS", "LPS", "ASR", "PIR", "LSP"])
def test_slices_are_axial_however_the_image_is_stored(codes) -> None:
    """An ellipsoid of 9 x 9 x 21 mm, longest from head to foot, is 9 mm wide in any axial slice."""
    grid = np.indices((31, 31, 31)) - 15
    half = np.array([4.5, 4.5, 10.5]).reshape(3, 1, 1, 1)
    inside = (((grid / half) ** 2).sum(axis=0) <= 1).astype(np.uint8)
    image = nib.Nifti1Image(inside, np.eye(4))
    turn = nib.orientations.ornt_transform(
        nib.io_orientation(np.eye(4)), nib.orientations.axcodes2ornt(codes)
    )
    stored = image.as_reoriented(turn)
    (found,) = lesions_of_mask(np.asarray(stored.dataobj) > 0, stored.affine)
    assert found.long_mm == pytest.approx(9, abs=1)
    assert np.ptp(found.long[:, 2]) == 0


def test_parts_that_do_not_touch_are_lesions_of_their_own_and_small_ones_can_be_left_out() -> None:
    mask = np.zeros((20, 20, 4), dtype=bool)
    mask[2:6, 2:6, 1] = mask[10:15, 10:15, 1] = mask[18, 2, 1] = True
    found = lesions_of_mask(mask, MILLIMETRES)
    assert len(found) == 3
    assert found[2].long_mm == found[2].short_mm == 1  # one voxel
    assert len(lesions_of_mask(mask, MILLIMETRES, min_voxels=2)) == 2


def test_the_parallelogram_has_the_axes_as_diagonals_and_one_slice() -> None:
    affine = np.diag([0.5, 0.5, 2.0, 1.0])
    roi = roi_of([lesion((10, 10, 4), long=10, short=6)], (40, 40, 5), affine)
    assert set(np.argwhere(roi)[:, 2]) == {2}
    area_mm2 = roi.sum() * 0.25
    assert area_mm2 == pytest.approx(10 * 6 / 2, rel=0.1)
    assert roi[20, 20, 2]
    assert roi[11, 20, 2]
    assert not roi[11, 24, 2]


def test_several_lesions_are_one_region_and_a_line_is_its_middle() -> None:
    both = roi_of(
        [lesion((5, 5, 1), long=4, short=4), lesion((15, 15, 1), long=4, short=0)],
        (20, 20, 3),
        MILLIMETRES,
    )
    assert both[5, 5, 1]
    assert np.argwhere(both[10:]).tolist() == [[5, 15, 1]]


def write(path, *rows):
    header = ("participant_id", "session_id", "image", "reader", *COORDINATES)
    lines = ["\t".join(map(str, row)) for row in (header, *rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


AXES = (0, 0, 0, 10, 0, 0, 5, -2, 0, 5, 2, 0)


def test_a_table_of_readers_is_read_case_by_case(tmp_path) -> None:
    path = write(
        tmp_path / "marks.tsv",
        ("sub-1", "ses-1", "T1c", "R1", *AXES),
        ("sub-1", "ses-1", "T1c", "R1", *AXES),
        ("sub-1", "ses-1", "T1c", "R2", *AXES),
        ("sub-2", "ses-1", "T1c", "R1", *12 * ["n/a"]),
    )
    first, second, none = read_marks(path)
    assert (first.visit, first.image, first.reader) == (("sub-1", "ses-1"), "T1c", "R1")
    assert [len(marks.lesions) for marks in (first, second, none)] == [2, 1, 0]
    assert (first.lesions[0].long_mm, first.lesions[0].short_mm) == (10, 4)
    np.testing.assert_allclose(first.lesions[0].centre, (5, 0, 0))


def test_coordinates_that_are_no_numbers_are_listed_together(tmp_path) -> None:
    wrong = ("sub-1", "ses-1", "T1c", "R1", "x", *AXES[1:])
    path = write(tmp_path / "marks.tsv", wrong, wrong)
    with pytest.raises(SelectionError, match="2 problems"):
        read_marks(path)
