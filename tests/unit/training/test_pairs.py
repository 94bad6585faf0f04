"""Pairs that are prepared once for the same images, and a pair on the scale of a network."""

from __future__ import annotations

import logging
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from clinica_gado.bids import Job, Visit
from clinica_gado.bids.contrast import Contrast, Evidence, Source
from clinica_gado.caps import reference_paths, removal_paths
from clinica_gado.inference.normalisation import normalisation_from
from clinica_gado.training import pairs
from clinica_gado.training.pairs import Pair, load_pair, prepare_pairs, scale_pair

RULE = normalisation_from({"rule": "minmax"})
SOURCE, REFERENCE, TARGET = (
    np.linspace(0, top, 27, dtype=np.float32).reshape(3, 3, 3) for top in (200, 50, 100)
)
PAIR = Pair("sub-01_ses-M000", SOURCE, REFERENCE, TARGET, np.ones((3, 3, 3), dtype=bool))


@pytest.mark.parametrize(
    ("target", "given", "wanted"),
    [
        ("remapped", SOURCE / 200, TARGET / 200),
        ("real", SOURCE / 200, REFERENCE / 50),
        ("unenhanced", REFERENCE / 50, REFERENCE / 50),
    ],
)
def test_each_target_has_the_scale_of_its_image(target, given, wanted) -> None:
    pair = scale_pair(PAIR, RULE, target=target)
    np.testing.assert_allclose(pair.source, given, atol=1e-6)
    np.testing.assert_allclose(pair.target, wanted, atol=1e-6)


@pytest.fixture
def job(tmp_path):
    source, reference = (tmp_path / f"sub-1_ses-M000_{n}_T1w.nii.gz" for n in ("ce-gad", "run-1"))
    for path in (source, reference):
        path.write_text(path.name, encoding="utf-8")
    evidence = Evidence(Contrast.ENHANCED, Source.ENTITY, "ce-gad")
    return Job(Visit("sub-1", "ses-M000"), source, evidence, reference=reference)


@pytest.fixture
def registered(monkeypatch):
    """Put two small images in place of what is registered; return what was asked for."""
    asked = []
    monkeypatch.setattr(
        pairs, "_register", lambda *paths: asked.append(paths) or (SOURCE, REFERENCE)
    )
    return asked


def test_a_pair_is_registered_once_and_anew_when_its_images_are_others(
    job, registered, tmp_path, caplog
) -> None:
    caplog.set_level(logging.INFO)
    (file,) = prepare_pairs([job], tmp_path / "cache")
    assert prepare_pairs([job], tmp_path / "cache") == [file]
    assert len(registered) == 1
    np.testing.assert_array_equal(load_pair(file).source, SOURCE)
    job.source.write_text("another image", encoding="utf-8")
    prepare_pairs([job], tmp_path / "cache")
    other = replace(job, reference=tmp_path / "sub-1_ses-M006_T1w.nii.gz")
    prepare_pairs([other], tmp_path / "cache")
    assert [reference for _, reference in registered] == [job.reference] * 2 + [other.reference]
    assert caplog.text.count("is of other images or another preprocessing") == 2


def test_pairs_that_do_not_say_what_they_are_of_are_made_anew_with_one_word(
    job, registered, tmp_path, caplog
) -> None:
    jobs = [job, replace(job, visit=Visit("sub-2", "ses-M000"))]
    np.savez(tmp_path / "sub-1_ses-M000.npz", source=TARGET, reference=TARGET)
    (tmp_path / "sub-2_ses-M000.npz").write_bytes(b"not whole")
    for file in prepare_pairs(jobs, tmp_path):
        np.testing.assert_array_equal(load_pair(file).source, SOURCE)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "2 prepared files made anew, such as" in caplog.text
    prepare_pairs(jobs, tmp_path)
    assert len(registered) == 2


def test_a_pair_is_taken_from_caps_once_it_is_there(job, registered, tmp_path) -> None:
    caps, prepared = tmp_path / "caps", np.arange(512, dtype=np.float32).reshape(8, 8, 8)
    prepare_pairs([job], tmp_path / "cache", caps)
    for path in (
        removal_paths(caps, job.source, job.visit).linear,
        reference_paths(caps, job).image,
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(prepared, np.eye(4)), path)
    for _ in range(2):
        (file,) = prepare_pairs([job], tmp_path / "cache", caps)
        with np.load(file) as arrays:
            np.testing.assert_array_equal(arrays["source"], prepared)
    assert len(registered) == 1
