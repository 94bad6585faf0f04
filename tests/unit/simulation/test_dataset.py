"""The writer of simulated BIDS datasets."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from clinica_gado.simulation.dataset import (
    TRUTH,
    TRUTH_LABELS,
    bids_path,
    simulate_subject,
    write_images,
)
from clinica_gado.simulation.parameters import Geometry, LesionKind
from clinica_gado.simulation.planning import (
    ImageSpec,
    PlannedSubject,
    Realism,
    SessionSpec,
    SubjectSpec,
    plan_subject,
)
from clinica_gado.simulation.signal import DiffusionMap


def _subject(
    label_map: Path, seed: int = 5, realism: Realism | None = None, session: str | None = "ses-M000"
) -> PlannedSubject:
    images = (ImageSpec(0.0), ImageSpec(0.0, "run-02"), ImageSpec(0.1, "ce-gadolinium"))
    geometry = Geometry((2.0, 2.0, 2.0))
    sessions = (SessionSpec(session, geometry, images, realism=realism or Realism()),)
    return plan_subject(SubjectSpec("sub-a", label_map, seed, 1.5, ("ring",), sessions))


def _digests(root: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_same_seed_gives_the_same_bytes(phantom_file: Path, tmp_path: Path) -> None:
    for run in ("one", "two"):
        write_images(tmp_path / run, simulate_subject(_subject(phantom_file)))
    assert _digests(tmp_path / "one") == _digests(tmp_path / "two")
    assert len(_digests(tmp_path / "one")) == 6


def test_another_seed_gives_another_image(phantom_file: Path) -> None:
    first, second = (next(simulate_subject(_subject(phantom_file, seed))) for seed in (1, 2))
    assert first.image.shape != second.image.shape or not np.array_equal(
        first.image.dataobj, second.image.dataobj
    )


def test_images_of_a_session_share_grid_and_gain_but_not_noise(phantom_file: Path) -> None:
    plain, again, enhanced = simulate_subject(_subject(phantom_file))
    np.testing.assert_array_equal(plain.image.affine, enhanced.image.affine)
    first, second, third = (i.image.get_fdata() for i in (plain, again, enhanced))
    assert (first != second).any()
    assert abs(first.mean() - second.mean()) < 0.01 * first.mean()
    assert third.mean() > first.mean()


def test_sidecar_holds_dose_seed_and_every_parameter(phantom_file: Path, tmp_path: Path) -> None:
    write_images(tmp_path, simulate_subject(_subject(phantom_file)))
    path = tmp_path / "sub-a/ses-M000/anat/sub-a_ses-M000_ce-gadolinium_T1w.json"
    sidecar = json.loads(path.read_text())
    simulation = sidecar["Simulation"]
    assert sidecar["Simulated"] is True
    assert "SyntheticImage" not in sidecar
    assert (simulation["DoseMmolPerKg"], simulation["Seed"]) == (0.1, 5)
    assert simulation["Head"]["lesions"][0]["rim_mm"] > 0
    assert simulation["Acquisition"]["gain"] > 0


def test_path_of_a_subject_without_sessions(phantom_file: Path) -> None:
    plain = _subject(phantom_file, session=None).images[0]
    assert bids_path("sub-a", plain) == Path("sub-a/anat/sub-a_T1w.nii.gz")


def test_a_diffusion_map_is_in_the_folder_of_diffusion(phantom_file: Path) -> None:
    item = _subject(phantom_file).images[0]
    item = replace(item, scan=replace(item.scan, sequence=DiffusionMap()))
    assert bids_path("sub-a", item) == Path("sub-a/ses-M000/dwi/sub-a_ses-M000_ADC.nii.gz")


def test_artefacts_are_each_image_s_own_and_the_skull_strip_is_shared(phantom_file: Path) -> None:
    first, second, _ = _subject(phantom_file, realism=Realism(True, True)).images
    assert first.scan.acquisition.shift_mm != second.scan.acquisition.shift_mm
    assert first.scan.acquisition.brain_mask == second.scan.acquisition.brain_mask is not None


def test_brain_only_images_are_zero_outside(phantom_file: Path) -> None:
    whole, brain = (
        next(simulate_subject(_subject(phantom_file, realism=Realism(brain_only=only))))
        for only in (False, True)
    )
    filled = [np.asarray(item.image.dataobj) > 0 for item in (whole, brain)]
    assert 0 < filled[1].sum() < 0.7 * filled[0].sum()


@pytest.mark.parametrize("lesions", [("ring",), ()])
def test_true_labels_are_written_below_derivatives(
    phantom_file: Path, tmp_path: Path, lesions: tuple[LesionKind, ...]
) -> None:
    spec = replace(_subject(phantom_file).spec, lesions=lesions)
    planned = plan_subject(spec)
    write_images(tmp_path, simulate_subject(planned, with_truth=True))
    folder = tmp_path / TRUTH / "sub-a/ses-M000/anat"
    truth = nib.load(folder / "sub-a_ses-M000_ce-gadolinium_desc-T1w_dseg.nii.gz")
    image = nib.load(tmp_path / bids_path("sub-a", planned.images[2]))
    np.testing.assert_allclose(truth.affine, image.affine)
    found = set(np.unique(truth.dataobj).tolist())
    assert (TRUTH_LABELS["lesion"] in found) == bool(lesions)
    assert lesions or found == {0, 1, 2, 3}
