"""A run of t1-virtual-enhance but for the treatment of visits, on files of a few bytes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from clinica_gado.caps import qc_folder
from clinica_gado.evaluation.lesion_axes import COORDINATES
from clinica_gado.files import write_json
from clinica_gado.models.card import CardInput
from clinica_gado.pipelines.t1_virtual_enhance import pipeline as pipeline_module
from clinica_gado.pipelines.t1_virtual_enhance import run as run_module
from clinica_gado.pipelines.t1_virtual_enhance.cli import cli
from clinica_gado.runs.end import ALL_DONE, NOTHING_STARTED, SOME_FAILED
from clinica_gado.virtual_enhancement import PIPELINE

STEM = "sub-01/ses-M000/anat/sub-01_ses-M000"


@pytest.fixture
def bids(tmp_path):
    """Return a dataset with one visit of T1w, FLAIR and the real image with contrast."""
    folder = tmp_path / "bids"
    for name in ("T1w", "FLAIR", "ce-gadolinium_T1w"):
        path = folder / f"{STEM}_{name}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    description = {"Name": "x", "BIDSVersion": "1.7.0", "DatasetType": "raw"}
    write_json(folder / "dataset_description.json", description)
    return folder


@pytest.fixture
def given(monkeypatch):
    """Stand in for the pipeline and the model; return what the pipeline would get."""
    found = []

    class Pipeline:
        def __init__(self, settings, jobs, **options):
            found.append((settings, jobs))

        def run_all(self, n_procs):
            return []

    names = ("T1w", "FLAIR", "T1w-lowdose")
    inputs = tuple(CardInput(name, may_be_missing=name != "T1w") for name in names)
    card = SimpleNamespace(id="mine", task=PIPELINE, inputs=inputs)
    bundle = SimpleNamespace(folder=Path("my-model"), sha256="a" * 64, card=card)
    monkeypatch.setattr(pipeline_module, "T1VirtualEnhance", Pipeline)
    monkeypatch.setattr(run_module, "share_threads", lambda n_procs: None)
    monkeypatch.setattr(run_module, "predictor_of", lambda settings: SimpleNamespace(bundle=bundle))
    return found


def run(bids, *arguments):
    words = [str(bids), str(bids.with_name("caps")), "--segmentation", "none", *map(str, arguments)]
    return run_module.run_from_options(**cli.make_context("run", words).params)


def provenance_of(bids):
    path = qc_folder(bids.with_name("caps"), PIPELINE) / "provenance.json"
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_visit_goes_to_the_pipeline_with_its_images_and_the_real_one(
    bids, given, tmp_path, monkeypatch, caplog
):
    monkeypatch.chdir(tmp_path)
    assert run(bids) == ALL_DONE
    assert "1 visit to treat, 0 done before." in caplog.messages
    ((settings, (job,)),) = given
    assert settings.model == str(tmp_path.resolve() / "my-model")
    assert list(job.files) == ["T1w", "FLAIR"]
    assert job.missing == ("T1w-lowdose",)
    assert job.reference == bids / f"{STEM}_ce-gadolinium_T1w.nii.gz"
    provenance = provenance_of(bids)
    assert provenance["Model"] == {"Id": "mine", "Sha256": "a" * 64}
    assert provenance["Settings"]["Flips"] == "all"


@pytest.mark.parametrize("by_default", [True, False])
def test_the_provenance_names_lesions_and_healthy_brain_by_their_checksums(
    bids, given, tmp_path, by_default
):
    lesions = bids / "derivatives" / "lesions" if by_default else tmp_path / "lesions"
    for folder, suffix in ((lesions, "dseg"), (tmp_path / "healthy", "mask")):
        path = folder / f"{STEM}_{suffix}.nii.gz"
        path.parent.mkdir(parents=True)
        path.write_bytes(suffix.encode())
        path.with_name(f"absent_{suffix}.nii.gz").symlink_to("not-there")
    options = ["--healthy", tmp_path / "healthy", "--enhancing-label", 4]
    assert run(bids, *options, *([] if by_default else ["--lesions", lesions])) == ALL_DONE
    stated = provenance_of(bids)["Settings"]
    assert stated["Lesions"] == {f"{STEM}_dseg.nii.gz": hashlib.sha256(b"dseg").hexdigest()}
    assert stated["Healthy"] == {f"{STEM}_mask.nii.gz": hashlib.sha256(b"mask").hexdigest()}
    assert stated["EnhancingLabels"] == [4]


def test_the_provenance_names_a_table_of_lesions_by_its_checksum(bids, given, tmp_path):
    table = tmp_path / "lesions.tsv"
    table.write_text("\t".join(("participant_id", "session_id", *COORDINATES)) + "\n")
    assert run(bids, "--lesions", table) == ALL_DONE
    stated = provenance_of(bids)["Settings"]
    assert stated["Lesions"] == hashlib.sha256(table.read_bytes()).hexdigest()
    assert (stated["Healthy"], stated["EnhancingLabels"]) == (None, [3, 4])


def test_amplifying_takes_the_routine_image_and_compares_with_none(bids, given):
    assert run(bids, "--amplify") == ALL_DONE
    ((_, (job,)),) = given
    assert job.files["T1w-lowdose"].path == bids / f"{STEM}_ce-gadolinium_T1w.nii.gz"
    assert job.reference is None


def test_a_visit_that_lacks_what_is_needed_is_a_failure_if_it_was_asked_for(
    bids, given, tmp_path, caplog
):
    (bids / f"{STEM}_T1w.nii.gz").unlink()
    assert run(bids) == ALL_DONE
    assert "No visit has the images that mine needs (T1w)" in caplog.text
    assert "1 visit left alone (the visit has no T1w): sub-01 ses-M000." in caplog.text
    folder = qc_folder(bids.with_name("caps"), PIPELINE)
    assert "n/a\tT1w\tleft-alone\tleft alone: the visit has no T1w\t" in (
        folder / "selection.tsv"
    ).read_text(encoding="utf-8")
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert {"value": 1, "label": "left alone"} in report["summary"]
    assert report["notes"] == ["1 visit left alone (the visit has no T1w): sub-01 ses-M000."]
    visits = tmp_path / "visits.tsv"
    visits.write_text("participant_id\tsession_id\nsub-01\tses-M000\n")
    assert run(bids, "-tsv", visits) == SOME_FAILED
    assert "has no T1w" in (folder / "failures.tsv").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--repeat", "2"], "--amplify"),
        (["--input-filter", "acq=3d"], "INPUT:entity=value"),
        (["--template", "FILE"], "template"),
    ],
)
def test_what_cannot_start_is_one_line_and_writes_no_image(bids, given, caplog, arguments, words):
    file = bids / "dataset_description.json"
    assert run(bids, *(str(file) if a == "FILE" else a for a in arguments)) == NOTHING_STARTED
    (error,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert words in error.getMessage()
    assert "\n" not in error.getMessage()
    assert given == []
