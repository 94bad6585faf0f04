"""What readers found, from tables to scores: counted by hand."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from clinica_gado.bids.visits import Visit
from clinica_gado.errors import SelectionError
from clinica_gado.evaluation.lesion_axes import Lesion, Marks
from clinica_gado.evaluation.reading import (
    read_grades,
    read_reference,
    study_detection,
    study_grades,
)

FIRST, SECOND, THIRD = (Visit(f"sub-{n}", "ses-1") for n in "123")


def lesion(x=0.0, long=8.0) -> Lesion:
    half, centre = np.array([long / 2, 0, 0]), np.array([x, 0, 0])
    across = np.array([0, 2, 0])
    return Lesion(np.stack((centre - half, centre + half)),
                  np.stack((centre - across, centre + across)))  # fmt: skip


def marks(image, reader, **found) -> list[Marks]:
    """Return the lesions of a reading; `one`, `two`, `three` name the visits."""
    visits = {"one": FIRST, "two": SECOND, "three": THIRD}
    return [Marks(visits[k], image, reader, tuple(where)) for k, where in found.items()]


REFERENCE = {FIRST: [lesion(0), lesion(50, long=12)], SECOND: [lesion(0)]}
ROUTINE = [
    *marks("routine", "a", one=[lesion(0)], two=[lesion(90)]),
    *marks("routine", "b", one=[lesion(50)], two=[]),
]
AMPLIFIED = [
    *marks("amplified", "a", one=[lesion(0), lesion(50)], two=[lesion(0)]),
    *marks("amplified", "b", one=[lesion(50)], two=[lesion(0)]),
]


def test_every_reader_is_scored_and_their_average() -> None:
    found = study_detection(REFERENCE, [*ROUTINE, *AMPLIFIED], strata=(0.0, 10.0))
    scores = found.scores.set_index(["image", "reader", "min_long_axis_mm"])
    assert list(dict.fromkeys(found.scores["reader"])) == ["a", "b", "average"]
    assert scores.loc[("routine", "a", 0.0), "se"] == pytest.approx(1 / 3)
    assert scores.loc[("routine", "a", 0.0), "fdr"] == pytest.approx(1 / 2)
    assert scores.loc[("routine", "average", 0.0), "false_detections"] == pytest.approx(0.5)
    assert scores.loc[("amplified", "average", 0.0), "se"] == pytest.approx(5 / 6)
    assert scores.loc[("routine", "b", 10.0), ["n_lesions", "se"]].tolist() == [1, 1]
    assert len(found.lesions) == 4 * 3
    assert found.left_out.empty


def test_kinds_of_image_are_compared_over_readers_of_both() -> None:
    alone = marks("amplified", "c", one=[], two=[])
    row = study_detection(REFERENCE, [*ROUTINE, *AMPLIFIED, *alone], strata=(0.0,)).comparisons
    assert row[["first", "second"]].to_numpy().tolist() == [["routine", "amplified"]]
    assert row[["only_first", "only_second"]].to_numpy().tolist() == [[0, 1.5]]
    # 2 F(0; n, 1/2) - f(0; n, 1/2) is 2^-n, of whole numbers of lesions and of means over readers.
    assert row["se_mid_p"].item() == pytest.approx(2**-1.5)
    other = marks("enhanced", "c", one=[], two=[])
    assert study_detection(REFERENCE, [*ROUTINE, *other]).comparisons.empty


def test_visits_that_not_all_have_read_count_nowhere() -> None:
    reference = {**REFERENCE, THIRD: [lesion(20.0 * n) for n in range(3)]}
    other = marks("amplified", "a", one=[lesion(0)], three=[])
    extra = [Marks(Visit("sub-9", "ses-1"), "routine", "a", ())]
    found = study_detection(reference, [*ROUTINE, *other, *extra], max_lesions=2)
    assert set(found.scores["n_cases"]) == {1}
    assert dict(zip(found.left_out["participant_id"], found.left_out["reason"], strict=True)) == {
        "sub-2": "not read by a on amplified",
        "sub-3": "3 lesions, more than 2",
        "sub-9": "no reference lesions known",
    }
    with pytest.raises(SelectionError, match="1 not read by a on amplified"):
        study_detection({SECOND: [lesion()]}, other)


def test_a_reference_is_a_table_or_a_folder_of_label_maps(tmp_path) -> None:
    anat = tmp_path / "labels/sub-1/ses-1/anat"
    anat.mkdir(parents=True)
    labels = np.zeros((20, 20, 3), np.uint8)
    labels[2:6, 2:6, 1], labels[10:18, 10:14, 1], labels[0, 19, 1] = 4, 3, 3
    labels[2:6, 12:18, 1] = 2
    nib.save(nib.Nifti1Image(labels, np.eye(4)), anat / "sub-1_dseg.nii.gz")
    found = read_reference(tmp_path / "labels")
    assert list(found) == [FIRST]
    assert len(found[FIRST]) == 3
    assert len(read_reference(tmp_path / "labels", min_voxels=2)[FIRST]) == 2
    assert len(read_reference(tmp_path / "labels", enhancing=(2,))[FIRST]) == 1
    with pytest.raises(SelectionError, match="no label map"):
        read_reference(anat)


def test_grades_are_compared_by_image_and_by_reader(tmp_path) -> None:
    rows = [
        (f"sub-{case}", "ses-1", image, reader, case + bonus + (reader == "b") * case / 10)
        for case in range(1, 6)
        for reader in "ab"
        for image, bonus in (("routine", 0), ("amplified", 1 + case / 100))
    ]
    names = ["participant_id", "session_id", "image", "reader", "grade"]
    table = tmp_path / "grades.tsv"
    pd.DataFrame(rows, columns=names).to_csv(table, sep="\t", index=False)
    found = study_grades(read_grades(table, "grade"), "grade")
    by_reader = found.images.set_index("reader")
    assert list(by_reader.index) == ["a", "b", "average"]
    assert by_reader.loc["average", "mean_difference"] == pytest.approx(-1.03)
    assert by_reader.loc["a", "p"] < 1e-6
    assert found.readers["mean_difference"].tolist() == pytest.approx([-0.3, -0.3])


def test_grades_that_are_no_numbers_are_listed(tmp_path) -> None:
    table = tmp_path / "grades.tsv"
    head = "participant_id\tsession_id\timage\treader\tgrade\n"
    table.write_text(f"{head}sub-1\tses-1\troutine\ta\tgood\nsub-2\tses-1\troutine\ta\tn/a\n")
    with pytest.raises(SelectionError, match=r"(?s)2 problems.*row 1.*'good'"):
        read_grades(table, "grade")
    table.write_text(f"{head}sub-1\tses-1\troutine\ta\t3\n")
    with pytest.raises(SelectionError, match="nothing to compare"):
        study_grades(read_grades(table, "grade"), "grade")
