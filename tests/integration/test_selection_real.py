"""Choice of images in the real dataset beside the project."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinica_gado.bids import Contrast, Role, Visit, select

REAL = Path(__file__).parents[2] / ".." / "shared" / "real"
PATIENTS = [f"sub-train{i:02}" for i in range(1, 13)] + [f"sub-val{i:02}" for i in range(1, 7)]

pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason="../shared/real is not here")


def test_every_pair_of_one_visit_is_found() -> None:
    paired = {job.visit: job for job in select(REAL).jobs if job.reference is not None}
    assert list(paired) == [Visit(patient, "ses-M000") for patient in PATIENTS]
    for visit, job in paired.items():
        stem = f"{visit.participant_id}_{visit.session_id}"
        assert job.source.name == f"{stem}_ce-gadolinium_T1w.nii.gz"
        assert job.reference is not None
        assert job.reference.name == f"{stem}_T1w.nii.gz"


def test_the_pair_of_two_dates_is_found_by_the_table(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text(
        "participant_id\tsession_id\treference_session_id\nsub-val07\tses-M012\tses-M000\n"
    )
    selection = select(REAL, pairs_tsv=pairs)
    assert all(job.reference is not None for job in selection.jobs)
    (job,) = [job for job in selection.jobs if job.visit.participant_id == "sub-val07"]
    assert job.reference_visit == Visit("sub-val07", "ses-M000")


def test_healthy_plain_images_are_unknown_and_left_alone() -> None:
    plain = [d for d in select(REAL).decisions if d.visit.participant_id.startswith("sub-plain")]
    assert len(plain) == 5
    assert {(d.role, d.evidence.contrast) for d in plain} == {(Role.LEFT_ALONE, Contrast.UNKNOWN)}


def test_every_t1w_has_its_row_and_no_lesion_mask_has() -> None:
    table = select(REAL).table
    found = {path.relative_to(REAL).as_posix() for path in REAL.glob("sub-*/ses-*/anat/*_T1w.nii*")}
    assert set(table["filename"]) == found
