"""Images side by side on pairs, and their numbers in a card."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clinica_gado.evaluation.card import COLUMNS, write_metrics
from clinica_gado.evaluation.metrics import METRICS, TISSUE_METRICS
from clinica_gado.evaluation.paired import (
    IDENTITY,
    candidate_of,
    evaluate_pairs,
    identity,
    tissue_differences,
)
from clinica_gado.evaluation.results import Results
from clinica_gado.evaluation.tissue_cache import TissueCache
from clinica_gado.models.bundle import load_card, save_bundle
from clinica_gado.models.card import GRIDS, Card, CardInput, Grid
from clinica_gado.models.registry import build_network


def perfect(case):
    return case.target


@pytest.fixture(scope="module")
def cases(make_case):
    return [make_case(f"sub-{number:02d}", number) for number in (1, 2, 3)]


def test_rows_are_cases_by_images_and_a_perfect_model_beats_the_image_as_it_is(cases):
    table = evaluate_pairs(cases, {IDENTITY: identity, "perfect": perfect}).cases
    assert list(table["image"]) == [IDENTITY, "perfect"] * 3
    assert list(table["participant_id"]) == ["sub-01"] * 2 + ["sub-02"] * 2 + ["sub-03"] * 2
    by_image = table.groupby("image")["psnr_db_matched"].mean()
    assert by_image["perfect"] > by_image[IDENTITY] + 3
    assert (table["note"] == "").all()


def test_a_model_that_fails_costs_its_own_row_only(cases, make_predictor, caplog):
    candidates = {
        "broken": candidate_of(make_predictor(broken=True)),
        "empty": lambda case: case.source * 0,
        IDENTITY: identity,
    }
    table = evaluate_pairs(cases[:1], candidates).cases.set_index("image")
    assert table.loc["broken", "note"] == "out of memory"
    assert table.loc["empty", "note"] == "there is no signal in the brain"
    assert table.loc[["broken", "empty"], list(METRICS)].isna().all(axis=None)
    assert table.loc[IDENTITY, "enhancement_left"] == pytest.approx(1)
    assert "sub-01 ses-M000: broken failed: out of memory" in caplog.text.replace("_", " ")


def test_images_are_counted(cases, caplog):
    with caplog.at_level("INFO", logger="clinica_gado"):
        evaluate_pairs(cases[:1], {IDENTITY: identity})
        evaluate_pairs(cases[:1], {IDENTITY: identity, "perfect": perfect})
    assert [m.split(": ")[1] for m in caplog.messages] == [
        "measuring 1 image",
        "measuring 2 images",
    ]


def test_volumes_of_all_images_are_compared_with_the_real_one(cases, tmp_path, segmenter):
    cache = TissueCache(tmp_path, segmenter)
    found = evaluate_pairs(cases, {IDENTITY: identity, "perfect": perfect}, cache)
    assert sorted(found.volumes["image"].unique()) == [IDENTITY, "nce", "perfect"]
    volumes = found.volumes.set_index(["participant_id", "image"]).sort_index()
    tiv = volumes["tiv_cm3"].xs("nce", level="image")
    assert set(TISSUE_METRICS) <= set(found.cases.columns)
    for row in found.cases.to_dict("records"):
        image, nce = (volumes.loc[row["participant_id"], name] for name in (row["image"], "nce"))
        for tissue in ("gm", "wm", "csf"):
            share = [v[f"{tissue}_cm3"] / v["tiv_cm3"] for v in (image, nce)]
            signed = (share[0] - share[1]) * tiv.mean()
            assert row[f"{tissue}_bias_cm3"] == pytest.approx(signed)
            assert row[f"{tissue}_difference_cm3"] == pytest.approx(abs(signed))


def test_the_tests_of_all_images_are_one_family(cases, tmp_path, segmenter):
    makers = {IDENTITY: identity, "perfect": perfect, "another": perfect}
    found = evaluate_pairs(cases, makers, TissueCache(tmp_path, segmenter))
    tests = Results(found.cases, pd.DataFrame(), found.volumes, METRICS, {}, {}).tests
    assert set(tests["image"]) == {"perfect", "another"}
    assert set(tests["m"]) == {2 * 3}


def test_the_identity_is_compared_as_itself(cases, tmp_path, segmenter):
    found = evaluate_pairs(cases, {IDENTITY: identity}, TissueCache(tmp_path, segmenter))
    differences = tissue_differences(found.volumes, IDENTITY)
    assert (differences["ce_cm3"] == differences["synthetic_cm3"]).all()


def test_what_failed_has_no_volumes_and_the_others_have(cases, make_predictor, tmp_path, segmenter):
    broken = candidate_of(make_predictor(broken=True))
    cache = TissueCache(tmp_path, segmenter)
    table = evaluate_pairs(cases, {IDENTITY: identity, "broken": broken}, cache).cases
    missing = table.set_index("image")["gm_difference_cm3"].isna()
    assert missing["broken"].all()
    assert not missing[IDENTITY].any()


def test_numbers_go_into_the_card_beside_doing_nothing(cases, tmp_path):
    architecture = {"name": "attention_unet", "width": 2, "levels": 2, "output": "change"}
    earlier = {"name": "change_percent", "value": 0.2, "definition": "x", "data": "y"}
    card = Card(
        id="tiny",
        task="t1-gado-removal",
        architecture=architecture,
        inputs=(CardInput("T1w-ce"),),
        grid=Grid("mni-1mm", GRIDS["mni-1mm"]),
        normalisation={"rule": "percentile"},
        training_data="none",
        metrics=(earlier, {**earlier, "name": "ssim_as_is"}),
        intended_use="tests",
        limits=(),
        licence="none",
    )
    save_bundle(tmp_path / "tiny", card, [build_network(architecture).state_dict()])
    table = evaluate_pairs(cases, {IDENTITY: identity, "tiny": perfect}).cases
    write_metrics(tmp_path / "tiny", table, "tiny", "three made-up cases")
    metrics = {metric["name"]: metric for metric in load_card(tmp_path / "tiny").metrics}
    assert list(metrics) == [c for c in COLUMNS if c not in TISSUE_METRICS] + ["change_percent"]
    assert metrics["change_percent"]["value"] == 0.2
    assert metrics["enhancement_left"]["doing_nothing"] == pytest.approx(1)
    assert metrics["enhancement_left"]["value"] == pytest.approx(0, abs=1e-4)
    assert set(metrics["ssim_as_is"]["cases"]) == {f"sub-0{n}_ses-M000" for n in (1, 2, 3)}
    assert metrics["ssim_as_is"]["definition"] == METRICS["ssim_as_is"].definition
    assert np.isfinite(metrics["psnr_db_matched"]["value"])
    failed = (table["image"] == "tiny") & (table["participant_id"] == "sub-02")
    kept = table["participant_id"] != "sub-02"
    write_metrics(
        tmp_path / "tiny", table.assign(ssim_as_is=table["ssim_as_is"].mask(failed)), "tiny", "x"
    )
    likeness = next(m for m in load_card(tmp_path / "tiny").metrics if m["name"] == "ssim_as_is")
    both = table[kept].groupby("image")["ssim_as_is"].mean()
    assert likeness["doing_nothing"] == pytest.approx(both[IDENTITY], abs=1e-4)
    assert likeness["value"] == pytest.approx(both["tiny"], abs=1e-4)
    tissue = dict.fromkeys(TISSUE_METRICS, 5.0)
    write_metrics(tmp_path / "tiny", table.assign(**tissue), "tiny", "the same", "spm12")
    volume = next(m for m in load_card(tmp_path / "tiny").metrics if m["name"] == "gm_bias_cm3")
    assert volume["definition"].endswith("segmented by spm12")
    assert volume["value"] == 5
