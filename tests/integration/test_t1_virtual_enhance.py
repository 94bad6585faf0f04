"""`clinica run t1-virtual-enhance` by stock Clinica, on visits that were preprocessed before.

Registration and the search for the brain take minutes a visit, and have tests of their own; what
they leave in CAPS is put there, so that the run takes it as an earlier run's.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from clinica_gado.bids import InputFile, InputJob, Visit
from clinica_gado.caps import input_paths, read_sidecar, real_enhanced_paths
from clinica_gado.files import sha256_of, write_json
from clinica_gado.models.bundle import default_bundle, save_bundle
from clinica_gado.models.card import card_from
from clinica_gado.models.registry import build_network
from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.preprocessing.images import Volume, save_volume
from clinica_gado.preprocessing.linear import read_itk_affine
from clinica_gado.preprocessing.t1_linear import LinearOptions, describe_options, save_affine
from clinica_gado.preprocessing.templates import template_brain
from clinica_gado.virtual_enhancement import EnhancementSettings, paths_of

pytestmark = pytest.mark.slow

QC = Path("gado_qc/t1-virtual-enhance")
RUN = ("run", "t1-virtual-enhance")
QUICK = ("--segmentation", "none", "--flips", "lr", "-np", 1)
SUFFIXES = {"T1w-ce": "ce-gadolinium_T1w", "T1w-lowdose": "ce-gadolinium_T1w"}


def make_bundle(folder, *inputs):
    """Save a bundle of zero weights, which makes one grey of any brain."""
    numbers = {"name": "strided_residual_unet", "in_channels": len(inputs)}
    numbers |= {"width": 2, "levels": 2, "output": "image"}
    card = card_from(
        {
            "id": folder.name,
            "task": "t1-virtual-enhance",
            "architecture": numbers,
            "inputs": list(inputs),
            "grid": {"name": "mni-160x192x160"},
            "normalisation": {"rule": "zscore", "low": -3.0, "high": 3.0},
            "training_data": "none: weights at random",
            "metrics": [],
            "intended_use": "tests",
            "limits": ["knows nothing"],
            "licence": "Apache-2.0",
        }
    )
    return save_bundle(folder, card, [build_network(numbers).state_dict()]).folder


def add_visit(bids, caps, participant, *names, with_reference=True, amplify=False):
    """Write the images of a visit, and what preprocessing would make of them."""
    anat = bids / participant / "ses-M000" / "anat"
    anat.mkdir(parents=True)

    def source(name):
        path = anat / f"{participant}_ses-M000_{SUFFIXES.get(name, name)}.nii.gz"
        values = np.random.default_rng(len(participant)).random((9, 9, 9), dtype=np.float32)
        save_volume(Volume(values, np.eye(4)), path)
        return path

    files = {name: InputFile(source(name)) for name in names}
    job = InputJob(
        Visit(participant, "ses-M000"),
        files,
        reference=source("T1w-ce") if with_reference else None,
    )
    settings = EnhancementSettings(bids, caps, amplify=amplify)
    leave_prepared(job, settings)
    return job


def leave_prepared(job, settings):
    paths, brain = paths_of(job, settings), template_brain()
    lead = {"SourceSha256": sha256_of(job.source), "Options": describe_options(LinearOptions())}
    wanted = [
        (file.path, input_paths(settings.caps, job, name)) for name, file in job.files.items()
    ]
    if job.reference is not None:
        wanted.append((job.reference, real_enhanced_paths(settings.caps, job)))
    ramp = np.linspace(80, 160, brain.size, dtype=np.float32).reshape(brain.shape)
    for number, (source, place) in enumerate(wanted):
        save_volume(Volume(ramp * (number + 1) * brain, CROP_GRID.affine), place.image)
        aligned = {"ImageSha256": sha256_of(source), "BValuesSha256": None}
        aligned |= {"LeadSha256": lead["SourceSha256"], "Options": lead["Options"]}
        write_json(place.sidecar, lead if place.image == paths.linear else aligned)
    save_affine(np.eye(4), paths.affine)
    assert np.allclose(read_itk_affine(paths.affine), np.eye(4))
    save_volume(Volume(brain.astype(np.float32), CROP_GRID.affine), paths.brain)
    found = {"ImageSha256": sha256_of(paths.linear), "Method": "builtin"}
    write_json(paths.brain_sidecar, found)


def new_dataset(folder):
    description = {"Name": "x", "BIDSVersion": "1.7.0", "DatasetType": "raw"}
    write_json(folder / "dataset_description.json", description)
    return folder


def table(caps, name):
    return pd.read_csv(caps / QC / f"{name}.tsv", sep="\t", keep_default_na=False)


def snapshot(caps):
    return {path: path.stat().st_mtime_ns for path in caps.glob("subjects/**/*.*")}


@pytest.fixture(scope="module")
def first(clinica, tmp_path_factory):
    """Return a run over a whole visit, one without FLAIR, a broken one and an empty one."""
    folder = tmp_path_factory.mktemp("enhance")
    bids, caps = new_dataset(folder / "bids"), folder / "caps"
    jobs = {
        "sub-01": add_visit(bids, caps, "sub-01", "T1w", "FLAIR"),
        "sub-02": add_visit(bids, caps, "sub-02", "T1w", with_reference=False),
    }
    broken = bids / "sub-03" / "ses-M000" / "anat" / "sub-03_ses-M000_ce-none_T1w.nii.gz"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"no image")
    (bids / "sub-04" / "ses-M000" / "anat").mkdir(parents=True)
    model = make_bundle(folder / "zero-dose", "T1w", {"name": "FLAIR", "may_be_missing": True})
    command = (*RUN, bids, caps, "--model", model, "--assume-plain", *QUICK)
    return clinica(*command), command, jobs


def test_every_visit_that_can_be_done_is_and_the_others_say_why(first):
    result, command, _ = first
    assert result.returncode == 1, result.stderr
    caps = command[3]
    images = table(caps, "images").set_index("participant_id")
    assert dict(images.status) == {"sub-01": "done", "sub-02": "done", "sub-03": "failed"}
    assert "FLAIR is missing: zeros" in images["flags"]["sub-02"]
    (failure,) = table(caps, "failures").itertuples()
    assert failure.participant_id == "sub-03"
    assert "cannot be read" in failure.reason
    assert "Traceback" not in result.stderr


def test_images_and_sidecars_are_where_they_should_be(first):
    _, command, jobs = first
    caps = command[3]
    for job in jobs.values():
        paths = paths_of(job, EnhancementSettings(command[2], caps))
        for path in (paths.image, paths.uncertainty):
            image = nib.load(path)
            assert image.shape == CROP_GRID.shape
            assert image.get_data_dtype() == np.float32
            np.testing.assert_allclose(image.affine, CROP_GRID.affine)
        sidecar = read_sidecar(paths.sidecar)
        assert sidecar["IntendedUse"] == "research, not for diagnosis"
        assert sidecar["Inputs"]["FLAIR"] == ("given" if "FLAIR" in job.files else "zeros")
        assert str(Path.home()) not in json.dumps(sidecar)
    assert not [path for path in caps.rglob(".*") if path.name.startswith(".partial")]


def test_the_tables_and_the_report_are_of_this_pipeline(first):
    caps = first[1][3]
    similarity = table(caps, "similarity")
    assert list(zip(similarity.participant_id, similarity.image, strict=True)) == [
        ("sub-01", "t1w"),
        ("sub-01", "synthetic"),
    ]
    assert len(table(caps, "contrast")) == 2
    roles = table(caps, "selection").set_index("filename").role
    assert roles["sub-01/ses-M000/anat/sub-01_ses-M000_ce-gadolinium_T1w.nii.gz"] == "reference"
    report = (caps / QC / "report.html").read_text(encoding="utf-8")
    assert report.count("data-picture=") == 2 + report.count('[data-picture="')
    assert "real, with contrast" in report
    provenance = json.loads((caps / QC / "provenance.json").read_text())
    assert provenance["Model"]["Id"] == "zero-dose"
    assert provenance["Selection"]["AssumePlain"] is True


def test_a_second_run_does_only_what_is_left(first, clinica):
    _, command, jobs = first
    caps = command[3]
    paths = paths_of(jobs["sub-02"], EnhancementSettings(command[2], caps))
    voxels = nib.load(paths.image).get_fdata()
    paths.image.unlink()
    before = snapshot(caps)
    result = clinica(*command)
    assert result.returncode == 1
    assert "2 visits to treat, 1 done before" in result.stderr
    np.testing.assert_array_equal(nib.load(paths.image).get_fdata(), voxels)
    after = snapshot(caps)
    changed = {path for path in before if before[path] != after[path]}
    assert not [path for path in changed if "sub-01" in path.name]


def test_a_routine_image_is_amplified_with_a_warning(clinica, tmp_path):
    bids, caps = new_dataset(tmp_path / "bids"), tmp_path / "caps"
    names = ("T1w", "T1w-lowdose")
    job = add_visit(bids, caps, "sub-01", *names, with_reference=False, amplify=True)
    model = make_bundle(tmp_path / "low-dose", *names)
    amplify = ("--model", model, "--amplify", "--repeat", 2)
    result = clinica(*RUN, bids, caps, *amplify, *QUICK)
    assert result.returncode == 0, result.stderr
    assert "--repeat 2: nobody has shown" in result.stderr
    settings = replace(EnhancementSettings(bids, caps), amplify=True)
    sidecar = read_sidecar(paths_of(job, settings).sidecar)
    assert sidecar["Parameters"]["Repeat"] == 2
    assert "desc-Amplified" in paths_of(job, settings).image.name
    assert "amplified 2 times" in table(caps, "images")["flags"][0]
    assert table(caps, "similarity").empty


def test_without_a_model_the_shipped_one_is_taken(clinica, tmp_path):
    shipped = default_bundle("t1-virtual-enhance").name
    bids = new_dataset(tmp_path / "bids")
    (bids / "sub-01" / "ses-M000" / "anat").mkdir(parents=True)
    result = clinica(*RUN, bids, tmp_path / "caps", *QUICK)
    assert result.returncode == 0, result.stderr
    assert f"that {shipped} needs (T1w, T1w-lowdose)" in result.stderr
