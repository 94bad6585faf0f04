"""The writer of simulated BIDS datasets."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from clinica_gado.simulation.dataset import (
    ImageSpec,
    SessionSpec,
    SubjectSpec,
    bids_path,
    simulate_subject,
    write_images,
)
from clinica_gado.simulation.parameters import Geometry


def _subject(label_map: Path, seed: int = 5) -> SubjectSpec:
    images = (ImageSpec(0.0), ImageSpec(0.0, "run-02"), ImageSpec(0.1, "ce-gadolinium"))
    session = SessionSpec("ses-M000", Geometry((2.0, 2.0, 2.0)), images)
    return SubjectSpec("sub-a", label_map, seed, 1.5, True, (session,))


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
    path = tmp_path / bids_path("sub-a", "ses-M000", "ce-gadolinium")
    sidecar = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
    simulation = sidecar["Simulation"]
    assert sidecar["Simulated"] is True
    assert "SyntheticImage" not in sidecar
    assert (simulation["DoseMmolPerKg"], simulation["Seed"]) == (0.1, 5)
    assert simulation["Head"]["lesion"]["rim_mm"] > 0
    assert simulation["Acquisition"]["gain"] > 0


def test_path_of_a_subject_without_sessions() -> None:
    assert bids_path("sub-a", None, "") == Path("sub-a/anat/sub-a_T1w.nii.gz")
