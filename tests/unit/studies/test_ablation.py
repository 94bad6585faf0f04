"""Backward elimination: what is tried, in which order, and what it is compared with."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest

from clinica_gado.studies import ablation
from clinica_gado.studies.ablation import compare, eliminate, run_ablation, without_one
from clinica_gado.studies.scoring import SCORES
from clinica_gado.training.config import with_changes
from clinica_gado.training.presets import BONE_2021, CHEN_2022

ALL = ("T1w", "FLAIR", "ADC", "T1w-lowdose")
L2 = {
    **{ALL: 31.6, ("T1w", "FLAIR", "ADC"): 65.3, ("T1w-lowdose", "FLAIR", "ADC"): 34.0},
    **{("T1w", "T1w-lowdose", "FLAIR"): 32.2, ("T1w", "T1w-lowdose", "ADC"): 32.0},
    **{("T1w", "ADC"): 66.9, ("T1w-lowdose", "ADC"): 33.9, ("T1w", "T1w-lowdose"): 31.3},
    **{("T1w",): 65.7, ("T1w-lowdose",): 36.9},
}
"""Means of Bône 2021, Table 1."""


def test_the_order_of_the_paper_follows_from_its_numbers():
    tried = eliminate(ALL, L2.__getitem__, lambda inputs: without_one(BONE_2021, inputs))
    assert [candidate.inputs for candidate in tried if candidate.is_kept] == [
        ALL,
        ("T1w", "T1w-lowdose", "ADC"),
        ("T1w", "T1w-lowdose"),
        ("T1w-lowdose",),
    ]
    assert {candidate.inputs for candidate in tried} == set(L2)
    assert [candidate.step for candidate in tried] == [0, 1, 1, 1, 1, 2, 2, 2, 3, 3]
    assert all(c.left_out not in c.inputs and c.left_out in c.parent for c in tried[1:])


def test_a_set_without_a_number_is_never_gone_on_from():
    values = {**L2, ("T1w", "T1w-lowdose", "ADC"): math.inf}
    tried = eliminate(
        ALL, lambda inputs: values.get(inputs, 40.0), lambda inputs: without_one(BONE_2021, inputs)
    )
    assert ("T1w", "T1w-lowdose", "FLAIR") in {c.inputs for c in tried if c.is_kept}


@pytest.mark.parametrize("config", [CHEN_2022, with_changes(BONE_2021, {"local": 1.0})])
def test_losses_that_compare_with_the_t1w_and_results_of_its_sequence_keep_it(config):
    options = without_one(config, config.input_names)
    assert options
    assert all("T1w" in inputs for _, inputs in options)


def cases_of(values, criterion="l2_e5"):
    names = [f"sub-{s}_ses-{v}" for s in range(4) for v in range(2)]
    return pd.DataFrame({"case": names, criterion: values})


def test_sets_are_compared_over_subjects_not_visits_and_corrected_for_all_steps():
    larger = np.arange(8.0)
    scored = {ALL: cases_of(larger)}
    tried = eliminate(ALL, L2.__getitem__, lambda inputs: without_one(BONE_2021, inputs))
    shift = np.repeat([1.0, 2.0, 3.0, 4.0], 2)
    for number, candidate in enumerate(tried[1:], 1):
        scored[candidate.inputs] = cases_of(larger + number * shift)
    compared = compare(tried, scored, "l2_e5")
    assert set(compared["n"]) == {4}
    assert set(compared["m"]) == {9}
    assert compared["mean_difference"][0] == pytest.approx(2.5)
    assert compared["p"][0] == pytest.approx(0.0305, abs=1e-4)
    assert compared["p_bonferroni"][0] == pytest.approx(9 * compared["p"][0])
    assert compared["wilcoxon_p"][0] == pytest.approx(0.125)


def test_a_whole_ablation_leaves_a_table_like_the_papers(request_of, cases, monkeypatch):
    pytest.importorskip("lightning_fabric")
    request = request_of()
    run_ablation(request, "psnr_db")
    folder = request.training.output
    shown = (folder / "ablation.md").read_text(encoding="utf-8")
    first = next(line for line in shown.splitlines() if line.startswith("| T1w"))
    assert first.startswith(
        "| T1w | FLAIR | T1w-lowdose | L2 (×10⁻⁵) | t-L2 (×10⁻⁴) | Enhancing L2"
    )
    assert "Settings: tiny; 2 real visits of 2 subjects to learn from in each of 2 folds" in shown
    assert "4 cases of 4 others to score on" in shown
    content = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    rows = content["Tables"]["ablation"]["Rows"]
    assert [row["step"] for row in rows[:4]] == [0, 1, 1, 1]
    assert {row["step"] for row in rows[4:-1]} == {2}
    assert rows[-1]["network"] == "unchanged"
    assert rows[0]["psnr_db_mean"] == pytest.approx(
        np.mean([c["psnr_db"] for c in content["Cases"][:4]])
    )
    kept = [row for row in rows[1:4] if row["is_kept"]]
    assert kept[0]["psnr_db_mean"] == max(row["psnr_db_mean"] for row in rows[1:4])
    assert set(content["Definitions"]) == set(SCORES)
    assert len(pd.read_csv(folder / "comparisons.tsv", sep="\t")) == len(rows) - 2
    monkeypatch.setattr(ablation, "score_network", score_network_refusing(ablation.score_network))
    run_ablation(request, "psnr_db")
    assert (folder / "ablation.md").read_text(encoding="utf-8") == shown


def score_network_refusing(score):
    """Return scoring that counts on files: the second time nothing may be trained."""

    def again(study, network):
        before = sorted(p.stat().st_mtime_ns for p in study.request.training.output.rglob("*.pt"))
        table = score(study, network)
        after = sorted(p.stat().st_mtime_ns for p in study.request.training.output.rglob("*.pt"))
        assert before == after
        return table

    return again
