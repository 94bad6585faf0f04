"""`clinica-gado evaluate` on images of a few voxels: files, exit codes, what is left out."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy import ndimage

from clinica_gado.commands.main import cli
from clinica_gado.evaluation import cases, histogram, plain, run
from clinica_gado.inference import Prediction
from clinica_gado.segmentation.segmenter import TissueMaps
from clinica_gado.training.origin import origin_of

SHAPE = (20, 22, 24)


class Model:
    """Takes a tenth off its input, or breaks."""

    def __init__(self, name, broken=False):
        self.bundle = SimpleNamespace(card=SimpleNamespace(id=name), sha256="0" * 64)
        self.broken = broken

    def predict(self, images, region=None):
        if self.broken:
            raise RuntimeError("no memory")
        return Prediction(images[0] * np.float32(0.9), None, "cpu", "fp32", 1)


class Thirds:
    """Calls the image grey matter, and a part of it white matter and CSF."""

    name = "thirds"

    def describe(self):
        return {"Version": 1}

    def segment(self, images, save):
        for number, image in enumerate(images):
            maps = [np.zeros(SHAPE, np.float32) for _ in range(3)]
            for tissue, values in enumerate(maps):
                values[: 5 + tissue + number] = 1
            save(image, TissueMaps(*maps))
        return {}


def images(seed):
    rng = np.random.default_rng(seed)
    reference = 100 + 100 * ndimage.gaussian_filter(rng.normal(size=SHAPE), 1)
    source = reference + rng.normal(0, 2, SHAPE)
    source[8:12, 8:12, 8:12] += 120
    return np.clip(source, 5, None).astype(np.float32), reference.clip(5).astype(np.float32)


@pytest.fixture
def bids(tmp_path, monkeypatch):
    """A dataset of three pairs, prepared already, on a tiny template."""
    for module in (cases, histogram, plain):
        monkeypatch.setattr(module, "template_brain", lambda: np.ones(SHAPE, dtype=bool))
    for number in (1, 2, 3):
        visit = f"sub-{number}_ses-1"
        anat = tmp_path / "bids" / f"sub-{number}" / "ses-1" / "anat"
        anat.mkdir(parents=True)
        for suffix in ("T1w", "ce-gadolinium_T1w"):
            (anat / f"{visit}_{suffix}.nii.gz").touch()
        source, reference = images(number)
        before, after = (anat / f"{visit}_{name}.nii.gz" for name in ("ce-gadolinium_T1w", "T1w"))
        pair = {"reference": reference, "origin": origin_of([before, after])}
        for folder, arrays in (("", pair), ("plain", {"origin": origin_of([after])})):
            path = tmp_path / "pairs" / folder / f"{visit}.npz"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(path, source=source, **arrays)
    return tmp_path / "bids"


@pytest.fixture
def evaluate(bids, tmp_path, monkeypatch):
    """Return a function that runs the command with models by name."""

    def call(*options, models=("good",)):
        found = {name: Model(name, broken=name == "bad") for name in models}
        monkeypatch.setattr(run, "load_predictors", lambda _: found)
        command = ["evaluate", bids, tmp_path / "out", "--cache", tmp_path / "pairs", *options]
        return CliRunner().invoke(cli, [str(word) for word in command])

    return call


def read(tmp_path, name):
    return pd.read_csv(tmp_path / "out" / name, sep="\t", na_values="n/a", keep_default_na=False)


def test_tables_and_json_say_the_same(evaluate, tmp_path):
    result = evaluate()
    assert result.exit_code == 0, result.output
    table = read(tmp_path, "cases.tsv")
    assert list(table["image"]) == ["identity", "histogram-matching", "good"] * 3
    content = json.loads((tmp_path / "out/evaluation.json").read_text())
    assert [row["psnr_db_as_is"] for row in content["Cases"]] == pytest.approx(
        list(table["psnr_db_as_is"])
    )
    measured = set(content["Cases"][0]) - {"participant_id", "session_id", "image", "note"}
    assert set(content["Definitions"]) == measured
    assert set(content["Summary"][0]) == set(content["SummaryDefinitions"])
    assert content["Models"] == {"good": {"Id": "good", "Sha256": "0" * 64}}
    assert content["Cases"][0]["p2_tumour_l2_e4"] is None
    assert "good" in result.output


def test_a_failing_model_ends_with_one_and_its_reason(evaluate, tmp_path):
    result = evaluate(models=("bad", "good"))
    assert result.exit_code == 1
    content = json.loads((tmp_path / "out/evaluation.json").read_text())
    assert [row["note"] for row in content["Failures"]] == ["no memory"] * 3
    summary = read(tmp_path, "summary.tsv")
    assert set(summary["image"]) == {"identity", "histogram-matching", "good"}


def test_rejected_visits_are_left_out(evaluate, tmp_path, caplog):
    reviews = tmp_path / "reviews.tsv"
    reviews.write_text("participant_id\tsession_id\tdecision\nsub-2\tses-1\treject\n")
    with caplog.at_level("INFO", logger="clinica_gado"):
        assert evaluate("--exclude", reviews, "--no-histogram-matching").exit_code == 0
    assert f"Left out: 1 visit rejected in {reviews}." in caplog.messages
    table = read(tmp_path, "cases.tsv")
    assert list(table["participant_id"]) == ["sub-1", "sub-1", "sub-3", "sub-3"]
    assert set(table["image"]) == {"identity", "good"}


def test_the_target_takes_part_when_asked_for(evaluate, tmp_path):
    assert evaluate("--target", "--no-histogram-matching", models=()).exit_code == 0
    table = read(tmp_path, "cases.tsv").set_index("image")
    assert set(table.index) == {"identity", "target"}
    assert (table.loc["target", "enhancement_left"] == 0).all()
    assert (table.loc["target", "side_change"] == 0).all()


def test_tissue_is_tested_against_the_identity(evaluate, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "choose_segmenter", lambda *_: Thirds())
    assert evaluate("--segmentation", "builtin").exit_code == 0
    assert "gm_difference_cm3" in read(tmp_path, "cases.tsv").columns
    assert set(read(tmp_path, "volumes.tsv")["image"]) == {
        *("nce", "identity", "histogram-matching", "good"),
    }  # fmt: skip
    tests = read(tmp_path, "tests.tsv")
    assert set(tests["image"]) == {"histogram-matching", "good"}
    assert set(tests["n"]) == {3}


def test_plain_images_are_evaluated_by_their_change(evaluate, tmp_path):
    visits = tmp_path / "visits.tsv"
    visits.write_text("participant_id\tsession_id\nsub-1\tses-1\nsub-3\tses-1\n")
    result = evaluate("--plain", "-tsv", visits)
    assert result.exit_code == 0, result.output
    table = read(tmp_path, "cases.tsv")
    assert list(table["participant_id"]) == ["sub-1", "sub-3"]
    assert table["mean_change_percent"].between(-12, -8).all()


def test_what_cannot_start_ends_with_two_and_one_line(bids, tmp_path):
    for options, words in (
        (["--plain"], "--plain needs -tsv"),
        (["--model", tmp_path / "nowhere", "--model", tmp_path / "elsewhere"], "elsewhere"),
    ):
        command = ["evaluate", bids, tmp_path / "out", *options]
        result = CliRunner().invoke(cli, [str(word) for word in command])
        assert result.exit_code == 2
        assert words in result.output
    command = ["evaluate", str(bids), str(tmp_path / "out"), "--write-card", "data"]
    assert CliRunner().invoke(cli, command).exit_code == 2
    assert not (tmp_path / "out").exists()
