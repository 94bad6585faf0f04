"""Images without contrast: which are taken, and what a model changes in them."""

from __future__ import annotations

import numpy as np
import pytest

from clinica_gado.errors import SelectionError
from clinica_gado.evaluation import plain
from clinica_gado.evaluation.metrics import PLAIN_METRICS
from clinica_gado.evaluation.plain import evaluate_plain, measure_change, select_plain
from clinica_gado.evaluation.tissue_cache import TissueCache


@pytest.fixture
def files(tmp_path, make_arrays, monkeypatch):
    _, _, image, brain = make_arrays()
    monkeypatch.setattr(plain, "template_brain", lambda: brain)
    path = tmp_path / "sub-01_ses-M000.npz"
    np.savez_compressed(path, source=image)
    return [path]


@pytest.fixture
def bids(tmp_path):
    names = {
        "sub-1": ["T1w"], "sub-2": ["ce-gadolinium_T1w"], "sub-3": ["T1w", "ce-gadolinium_T1w"],
    }  # fmt: skip
    for participant, suffixes in names.items():
        for suffix in suffixes:
            path = tmp_path / "bids" / participant / "ses-1/anat"
            path.mkdir(parents=True, exist_ok=True)
            (path / f"{participant}_ses-1_{suffix}.nii.gz").touch()
    return tmp_path / "bids"


def visits_tsv(folder, *participants):
    path = folder / "visits.tsv"
    lines = ["participant_id\tsession_id", *(f"{name}\tses-1" for name in participants)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_change_is_in_percent_of_the_median():
    before = np.full((4, 4, 4), 50, np.float32)
    after = before.copy()
    after[0] += 2
    after[1] -= 1
    found = measure_change(before, after, before > 0)
    assert found["change_percent"] == pytest.approx(100 * (2 + 1) / 4 / 50)
    assert found["mean_change_percent"] == pytest.approx(100 * (2 - 1) / 4 / 50)
    assert found["largest_change_percent"] == pytest.approx(4)


def test_a_model_that_does_nothing_changes_nothing(files, make_predictor, tmp_path, segmenter):
    models = {"none": make_predictor(), "broken": make_predictor(broken=True)}
    found = evaluate_plain(files, models, TissueCache(tmp_path, segmenter))
    rows = found.cases.set_index("image")
    changes = [name for name in PLAIN_METRICS if name != "sharpness_kept"]
    assert (rows.loc["none", changes] == 0).all()
    assert rows.loc["none", "sharpness_kept"] == 1
    assert rows.loc["broken", list(PLAIN_METRICS)].isna().all()
    assert rows.loc["broken", "note"] == "out of memory"


def test_volumes_change_in_percent_of_those_before(files, make_predictor, tmp_path, segmenter):
    cache = TissueCache(tmp_path, segmenter)
    found = evaluate_plain(files, {"brighter": make_predictor(1.1)}, cache)
    volumes = found.volumes.set_index("image")
    for tissue in ("gm", "wm", "csf", "tiv"):
        before, after = (volumes.loc[name, f"{tissue}_cm3"] for name in ("identity", "brighter"))
        change = found.cases[f"{tissue}_change_percent"].item()
        assert change == pytest.approx(100 * (after / before - 1))
    assert found.cases["change_percent"].item() == pytest.approx(10, rel=0.1)


def test_the_visits_that_the_user_names_are_taken_and_no_enhanced_image(bids, tmp_path, caplog):
    table = visits_tsv(tmp_path, "sub-1", "sub-2", "sub-3")
    found = select_plain(bids, table, None)
    assert [image.path.name for image in found] == [
        "sub-1_ses-1_T1w.nii.gz", "sub-3_ses-1_T1w.nii.gz",
    ]  # fmt: skip
    assert "no T1w without contrast" in caplog.text


def test_nothing_to_evaluate_is_said(bids, tmp_path):
    with pytest.raises(SelectionError, match="No visit of"):
        select_plain(bids, visits_tsv(tmp_path, "sub-2"), None)
