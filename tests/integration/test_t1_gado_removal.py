"""`clinica run t1-gado-removal` on data_ci, by stock Clinica, without a network."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from fnmatch import fnmatch
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from clinica_gado.preprocessing.templates import template_brain

pytestmark = pytest.mark.slow

DATA_CI = Path(__file__).parents[2] / "data_ci" / "bids"
CLINICA = Path(sys.executable).with_name("clinica")
QC = Path("gado_qc/t1-gado-removal")
VISITS = {
    ("sub-ci01", "ses-M000"),
    ("sub-ci02", "ses-M000"),
    ("sub-ci03", "ses-M000"),
    ("sub-ci03", "ses-M006"),
}
UNVALIDATED = ["--segmentation", "none"]
"""Segmentation takes a minute an image; the run that all tests share has it."""
CROP_AFFINE = np.array([[1, 0, 0, -84], [0, 1, 0, -119], [0, 0, 1, -78], [0, 0, 0, 1]])


def table(caps, name):
    return pd.read_csv(caps / QC / f"{name}.tsv", sep="\t", keep_default_na=False)


def results(caps):
    return sorted(caps.glob("subjects/*/*/t1_gado_removal/*desc-SynthNCE_res-1x1x1_T1w.nii.gz"))


def snapshot(caps):
    return {path: path.stat().st_mtime_ns for path in caps.glob("subjects/**/*.*")}


def hidden_leftovers(caps):
    return [path for path in caps.rglob(".*") if path.name.startswith(".partial")]


def test_every_visit_with_contrast_is_done_and_the_others_left_alone(first_run):
    _, caps = first_run
    images = table(caps, "images")
    assert set(zip(images.participant_id, images.session_id, strict=True)) == VISITS
    assert set(images.status) == {"done"}
    assert table(caps, "failures").empty
    selection = table(caps, "selection")
    assert len(selection) == len(list(DATA_CI.rglob("*T1w.nii.gz")))
    roles = selection.set_index("filename").role
    assert roles["sub-ci01/ses-M012/anat/sub-ci01_ses-M012_T1w.nii.gz"] == "left-alone"
    assert (selection.reason != "").all()


def test_images_are_float32_on_the_grid_of_clinica_in_the_scale_of_their_input(first_run):
    _, caps = first_run
    assert len(results(caps)) == len(VISITS)
    for path in results(caps):
        image = nib.load(path)
        assert image.shape == (169, 208, 179)
        assert image.get_data_dtype() == np.float32
        np.testing.assert_allclose(image.affine, CROP_AFFINE)
        source = next(path.parent.glob("preprocessing/*desc-N4_res-1x1x1_T1w.nii.gz"))
        before, after = nib.load(source).get_fdata(), image.get_fdata()
        assert np.isfinite(after).all()
        assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.9
        assert 0.8 < np.median(after[before > 0]) / np.median(before[before > 0]) < 1.2


def test_the_sidecar_says_what_the_image_is_and_names_nobody(first_run):
    _, caps = first_run
    assert results(caps)
    for path in results(caps):
        sidecar = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
        assert sidecar["SyntheticImage"] is True
        assert "not for diagnosis" in sidecar["IntendedUse"]
        assert len(sidecar["ModelSha256"]) == len(sidecar["SourceSha256"]) == 64
        assert sidecar["Registration"]["flags"] == []
        assert (DATA_CI / sidecar["Sources"][0].removeprefix("bids:raw:")).is_file()
        assert str(Path.home()) not in json.dumps(sidecar)


def test_native_space_is_the_grid_of_the_source(first_run):
    _, caps = first_run
    found = sorted(caps.glob("subjects/*/*/t1_gado_removal/*space-T1w_desc-SynthNCE_T1w.nii.gz"))
    assert len(found) == len(VISITS)
    for path in found:
        sidecar = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
        source = nib.load(DATA_CI / sidecar["Sources"][0].removeprefix("bids:raw:"))
        image = nib.load(path)
        assert image.shape == source.shape
        np.testing.assert_allclose(image.affine, source.affine, atol=1e-4)
        likeness = np.corrcoef(image.get_fdata().ravel(), source.get_fdata().ravel())[0, 1]
        assert likeness > 0.85


def test_there_is_a_picture_of_every_visit_and_no_leftover(first_run):
    _, caps = first_run
    assert len(list((caps / QC / "figures").glob("*_mosaic.png"))) == len(VISITS)
    assert hidden_leftovers(caps) == []


def test_every_visit_is_validated_and_the_tables_agree(first_run):
    _, caps = first_run
    volumes = table(caps, "volumes")
    images = volumes.groupby(["participant_id", "session_id"]).image.agg(set)
    assert set(images.index) == VISITS
    assert images["sub-ci01", "ses-M000"] == {"ce", "synthetic", "nce"}
    assert set(volumes.engine) == {"builtin"}
    total = volumes[["gm_cm3", "wm_cm3", "csf_cm3"]].sum(axis=1)
    np.testing.assert_allclose(total, volumes.tiv_cm3, atol=0.01)
    template_cm3 = template_brain().sum() / 1000
    assert volumes.tiv_cm3.between(0.85 * template_cm3, 1.15 * template_cm3).all()
    differences, tests = table(caps, "differences"), table(caps, "tests")
    compared = images[images.map(lambda found: "nce" in found)]
    assert len(differences) == 3 * len(compared)
    assert tests.n_visits.eq(len(compared)).all()
    assert tests.n.eq(compared.index.get_level_values("participant_id").nunique()).all()
    assert tests.m.eq(3).all()
    similarity = table(caps, "similarity")
    assert len(similarity) == 2 * len(compared)
    assert set(map(tuple, table(caps, "contrast")[["participant_id", "session_id"]].values)) == (
        VISITS
    )


def test_maps_lie_on_the_grid_of_their_image(first_run):
    _, caps = first_run
    maps = sorted(caps.glob("subjects/*/*/t1_gado_removal/segmentation/*_probability.nii.gz"))
    assert len(maps) == 3 * len(table(caps, "volumes"))
    for path in maps:
        image = nib.load(path)
        assert image.shape == (169, 208, 179)
        values = image.get_fdata()
        assert values.min() >= 0
        assert 0.5 < values.max() < 1 + 1e-6  # the scale is a float32


def test_the_report_is_one_file_that_asks_the_network_for_nothing(first_run):
    result, caps = first_run
    report = caps / QC / "report.html"
    assert str(report) in result.stderr
    text = report.read_text(encoding="utf-8")
    assert not re.search(r"""(?:src|href)=["']?https?:""", text)
    for participant, session in VISITS:
        assert participant in text
        assert session in text


def test_progress_tells_what_remains(first_run):
    result, _ = first_run
    assert "[4/4]" in result.stderr
    assert "left" in result.stderr


def test_clinica_and_clinicadl_patterns_find_nothing_of_ours(first_run):
    _, caps = first_run
    patterns = [
        "*space-MNI152NLin2009cSym_desc-Crop_res-1x1x1_T1w.nii*",
        "*space-MNI152NLin2009cSym_res-1x1x1_T1w.nii*",
        "*_affine.mat",
        "*_T1w_segm-graymatter*",
    ]
    names = [path.name for path in caps.glob("subjects/**/*.*")]
    assert names
    assert not [n for n in names for pattern in patterns if fnmatch(n, pattern)]


def test_clinicas_own_reader_finds_nothing_of_ours(first_run):
    from clinica.utils.input_files import T1W_LINEAR, T1W_LINEAR_CROPPED, T1W_TO_MNI_TRANSFORM
    from clinica.utils.inputs import clinica_file_reader

    _, caps = first_run
    for query in (T1W_LINEAR, T1W_LINEAR_CROPPED, T1W_TO_MNI_TRANSFORM):
        files, _ = clinica_file_reader(["sub-ci01"], ["ses-M000"], caps, query)
        assert files == []


def test_a_second_run_does_nothing(clinica, caps):
    before = snapshot(caps)
    options = ["--native-space", "--segmentation", "builtin", "-np", 1]
    result = clinica("run", "t1-gado-removal", DATA_CI, caps, *options)
    assert result.returncode == 0
    assert "0 visits to treat, 4 done before" in result.stderr
    assert "0 visits to validate, 4 done before" in result.stderr
    assert snapshot(caps) == before


def test_a_visit_made_again_has_the_same_voxels(clinica, caps):
    path = results(caps)[0]
    before = nib.load(path).get_fdata()
    path.unlink()
    result = clinica("run", "t1-gado-removal", DATA_CI, caps, *UNVALIDATED, "-np", 2)
    assert result.returncode == 0, result.stderr
    assert "1 visit to treat, 3 done before" in result.stderr
    np.testing.assert_array_equal(nib.load(path).get_fdata(), before)


def test_other_settings_never_replace_a_result_unless_asked_to(clinica, caps):
    before = snapshot(caps)
    result = clinica("run", "t1-gado-removal", DATA_CI, caps, "--flips", "lr", "-np", 1)
    assert result.returncode == 1
    assert table(caps, "failures").reason.str.contains("--overwrite_outputs").all()
    assert snapshot(caps) == before


def test_a_killed_run_leaves_nothing_half_written_and_goes_on(caps, clinica):
    for path in results(caps):
        path.unlink()
    command = [CLINICA, "run", "t1-gado-removal", DATA_CI, caps, *UNVALIDATED, "-np", "1"]
    with subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL) as running:
        deadline = time.monotonic() + 300
        while not results(caps) and time.monotonic() < deadline:
            time.sleep(0.2)
        os.killpg(running.pid, signal.SIGKILL)
    for path in results(caps):
        assert nib.load(path).get_fdata().shape == (169, 208, 179)
    assert 1 <= len(results(caps)) < len(VISITS)
    result = clinica("run", "t1-gado-removal", DATA_CI, caps, *UNVALIDATED, "-np", 2)
    assert result.returncode == 0, result.stderr
    assert len(results(caps)) == len(VISITS)


def image_of(path):
    image = nib.load(path)
    return np.asarray(image.dataobj), image.affine


def spoil(kind, source, target):
    data, affine = image_of(source)
    if kind == "truncated":
        target.write_bytes(source.read_bytes()[:100_000])
    elif kind == "4d":
        nib.save(nib.Nifti1Image(np.stack([data, data], axis=-1), affine), target)
    elif kind == "nan":
        nib.save(
            nib.Nifti1Image(np.where(data > np.percentile(data, 99), np.nan, data), affine), target
        )
    elif kind == "zeros":
        nib.save(nib.Nifti1Image(np.zeros_like(data), affine), target)
    elif kind == "orientation":
        image = nib.Nifti1Image(data, affine)
        image.set_sform(affine, code=0)
        image.set_qform(affine, code=0)
        nib.save(image, target)
    else:
        target.write_bytes(gzip.compress(b"this is no image"))


BAD = {
    "truncated": "cannot be read",
    "4d": "split it",
    "nan": "NaN",
    "zeros": "one value",
    "orientation": "no orientation",
    "foreign": "cannot be read",
}


def test_bad_images_get_a_line_each_and_the_rest_of_the_batch_is_done(clinica, caps, tmp_path):
    bids = tmp_path / "bids"
    bids.mkdir()
    shutil.copy(DATA_CI / "dataset_description.json", bids)
    shutil.copytree(DATA_CI / "sub-ci01", bids / "sub-ci01")
    good = next((bids / "sub-ci01/ses-M000/anat").glob("*ce-gadolinium_T1w.nii.gz"))
    for kind in BAD:
        folder = bids / f"sub-bad{kind}" / "ses-M000" / "anat"
        folder.mkdir(parents=True)
        spoil(kind, good, folder / f"sub-bad{kind}_ses-M000_ce-gadolinium_T1w.nii.gz")
    results(caps)[0].unlink()
    result = clinica("run", "t1-gado-removal", bids, caps, *UNVALIDATED, "-np", 2)
    assert result.returncode == 1
    failures = table(caps, "failures").set_index("participant_id").reason
    assert set(failures.index) == {f"sub-bad{kind}" for kind in BAD}
    for kind, words in BAD.items():
        assert words in failures[f"sub-bad{kind}"]
        assert "\n" not in failures[f"sub-bad{kind}"]
    assert len(results(caps)) == len(VISITS)
    assert "Traceback" not in result.stderr
    assert hidden_leftovers(caps) == []


def test_a_dataset_without_contrast_is_done_at_once(clinica, tmp_path):
    bids, caps = tmp_path / "bids", tmp_path / "caps"
    folder = bids / "sub-01" / "ses-M000" / "anat"
    folder.mkdir(parents=True)
    shutil.copy(DATA_CI / "dataset_description.json", bids)
    plain = DATA_CI / "sub-ci01/ses-M012/anat/sub-ci01_ses-M012_T1w.nii.gz"
    shutil.copy(plain, folder / "sub-01_ses-M000_T1w.nii.gz")
    result = clinica("run", "t1-gado-removal", bids, caps)
    assert result.returncode == 0
    assert "No contrast-enhanced T1w was found" in result.stderr
    assert table(caps, "selection").role.tolist() == ["left-alone"]


def altered_bundle(folder):
    from clinica_gado.models.bundle import default_bundle

    copy = Path(shutil.copytree(default_bundle("t1-gado-removal"), folder))
    weights = next(copy.glob("*.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    return copy


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda tmp: ["--model", altered_bundle(tmp / "altered")], "sha256"),
        (lambda tmp: ["--model", "no-such-model"], "no model"),
        (lambda tmp: ["--device", "cuda:7"], "cuda"),
        (lambda tmp: ["--input-filter", "nonsense"], "--input-filter"),
        (lambda tmp: ["--preprocessing", "clinica"], "ANTs"),
    ],
    ids=["altered weights", "missing model", "no GPU", "bad filter", "no ANTs"],
)
def test_what_cannot_start_says_why_in_one_line(clinica, tmp_path, make, words):
    if words == "ANTs" and shutil.which("antsRegistrationSyNQuick.sh"):
        pytest.skip("ANTs is installed here, so nothing is missing")
    result = clinica("run", "t1-gado-removal", DATA_CI, tmp_path / "caps", *make(tmp_path))
    assert result.returncode == 2
    errors = [line for line in result.stderr.splitlines() if line.startswith("ERROR")]
    assert len(errors) == 1
    assert words in errors[0]


def test_a_caps_that_cannot_be_written_stops_at_once(clinica):
    result = clinica("run", "t1-gado-removal", DATA_CI, "/proc/caps")
    assert result.returncode == 2
    assert "/proc/caps" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", [["run", "t1-linear"], ["iotools"], ["run"], ["convert"]])
def test_stock_commands_still_behave(clinica, command):
    result = clinica(*command, "--help")
    assert result.returncode == 0
    assert "Usage" in result.stdout
