"""A run of t1-gado-removal but for the treatment of visits, on files of a few bytes."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from clinica_gado.bids import NO_EVIDENCE, Job, Visit
from clinica_gado.caps import qc_folder
from clinica_gado.errors import OutputError, ResourceError, SelectionError
from clinica_gado.files import write_json
from clinica_gado.gado_removal import PIPELINE, RemovalSettings
from clinica_gado.outcomes import DONE, FAILED, Outcome
from clinica_gado.pipelines.t1_gado_removal import pipeline as pipeline_module
from clinica_gado.pipelines.t1_gado_removal import run as run_module
from clinica_gado.preprocessing.t1_linear import LinearOptions
from clinica_gado.runs.end import ALL_DONE, SOME_FAILED
from clinica_gado.runs.options import RemovalRunOptions

MODEL = "a" * 64
OPTIONS = RemovalRunOptions(segmentation="none")


@pytest.fixture
def job(tmp_path):
    source = tmp_path / "bids/sub-01/ses-M000/anat/sub-01_ses-M000_ce-gadolinium_T1w.nii.gz"
    source.parent.mkdir(parents=True)
    source.write_bytes(b"image")
    description = {"Name": "x", "BIDSVersion": "1.7.0", "DatasetType": "raw"}
    write_json(tmp_path / "bids" / "dataset_description.json", description)
    return Job(Visit("sub-01", "ses-M000"), source, NO_EVIDENCE)


@pytest.fixture
def settings(tmp_path):
    return RemovalSettings(bids=tmp_path / "bids", caps=tmp_path / "caps")


@pytest.fixture
def given_settings(monkeypatch):
    """Stand in for the pipeline and the model; return the settings that the visits would get."""
    given = []

    class Pipeline:
        def __init__(self, settings, jobs, **options):
            given.append(settings)

        def run_all(self, n_procs):
            return []

    bundle = SimpleNamespace(folder=Path("my-model"), sha256=MODEL, card=SimpleNamespace(id="mine"))
    monkeypatch.setattr(pipeline_module, "T1GadoRemoval", Pipeline)
    monkeypatch.setattr(run_module, "share_threads", lambda n_procs: None)
    monkeypatch.setattr(run_module, "predictor_of", lambda settings: SimpleNamespace(bundle=bundle))
    return given


def test_a_model_in_a_relative_folder_is_found_from_any_folder(
    job, settings, given_settings, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert run_module.run(settings, OPTIONS) == ALL_DONE
    assert given_settings[0].model == str(tmp_path.resolve() / "my-model")


def test_the_provenance_names_the_template_by_its_checksum(job, settings, given_settings):
    run_module.run(settings, OPTIONS)
    path = qc_folder(settings.caps, PIPELINE) / "provenance.json"
    preprocessing = json.loads(path.read_text())["Settings"]["Preprocessing"]
    assert preprocessing["Route"] == "standard"
    assert preprocessing["Template"]


def test_a_template_that_cannot_be_used_stops_before_anything_is_written(
    job, settings, given_settings, tmp_path
):
    linear = LinearOptions(template=tmp_path / "absent.nii.gz")
    wrong = RemovalSettings(settings.bids, settings.caps, linear=linear)
    with pytest.raises(ResourceError, match="--template"):
        run_module.run(wrong, OPTIONS)
    assert not settings.caps.exists()


def test_a_working_directory_that_cannot_be_made_stops_in_one_line(
    job, settings, given_settings, tmp_path
):
    (tmp_path / "file").touch()
    options = RemovalRunOptions(working_directory=tmp_path / "file" / "work")
    with pytest.raises(OutputError, match="working directory"):
        run_module.run(settings, options)


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("participant_id\nsub-01\n", "quality"),
        ("participant_id\tquality\nsub-01\tgood\nsub-01\tlow\n", "several"),
    ],
    ids=["without the column", "two qualities of one visit"],
)
def test_a_wrong_table_of_qualities_stops_before_anything_is_written(
    job, settings, given_settings, tmp_path, table, problem
):
    (tmp_path / "q.tsv").write_text(table)
    with pytest.raises(SelectionError, match=problem):
        run_module.run(
            settings, RemovalRunOptions(segmentation="none", quality_tsv=tmp_path / "q.tsv")
        )
    assert not settings.caps.exists()


def test_a_validation_that_breaks_loses_no_visit(job, monkeypatch, caplog):
    monkeypatch.setattr(run_module, "_validate_all", broken)
    outcomes = [
        Outcome(job.visit, job.source.name, DONE, flags=("doubt",)),
        Outcome(Visit("sub-02", "ses-M000"), "b.nii.gz", FAILED, "no head"),
    ]
    kept = run_module._validate([job], outcomes, None, OPTIONS)
    assert kept[0].flags == ("doubt", "not validated: no memory")
    assert kept[0].status == DONE
    assert kept[1] == outcomes[1]
    assert "Validation ended early" in caplog.text


def test_a_report_that_breaks_keeps_the_tables_of_the_run(
    job, settings, given_settings, monkeypatch, caplog
):
    monkeypatch.setattr("clinica_gado.report.build.write_report", broken)
    assert run_module.run(settings, OPTIONS) == SOME_FAILED
    folder = qc_folder(settings.caps, PIPELINE)
    assert (folder / "images.tsv").is_file()
    assert (folder / "provenance.json").is_file()
    assert "clinica-gado report" in caplog.text


def broken(*arguments, **options):
    raise RuntimeError("no memory")


def test_a_dataset_that_clinica_refuses_stops_in_one_line(job, settings, given_settings):
    (settings.bids / "dataset_description.json").unlink()
    with pytest.raises(SelectionError, match=r"dataset_description\.json") as raised:
        run_module.run(settings, OPTIONS)
    assert "\n" not in str(raised.value)
