"""Growing shares of the training set, and what they come to."""

from __future__ import annotations

import json
import math

import pandas as pd
import pytest

from clinica_gado.errors import TrainingError
from clinica_gado.studies import fraction
from clinica_gado.studies.fraction import extrapolate, run_fraction
from clinica_gado.studies.scoring import SCORES

SUBJECTS = (21, 42, 63, 84)


def means(**laws):
    rows = []
    for n in SUBJECTS:
        row = {"width": 16, "subjects": n, **{f"{name}_mean": math.nan for name in SCORES}}
        rows.append({**row, **{f"{name}_mean": law(n) for name, law in laws.items()}})
    return pd.DataFrame(rows)


def test_scores_go_to_their_asymptotes_whichever_way_is_better():
    found = extrapolate(means(l2_e5=lambda n: 30 + 100 / n, psnr_db=lambda n: 36 - 40 / n))
    by_score = found.set_index("score")
    assert by_score.loc["l2_e5", "value"] == pytest.approx(30, rel=1e-3)
    assert by_score.loc["psnr_db", "value"] == pytest.approx(36, rel=1e-3)
    assert by_score.loc["psnr_db", "at_double"] == pytest.approx(36 - 40 / 168, rel=1e-4)
    assert by_score.loc["psnr_db", "measured"] == pytest.approx(36 - 40 / 84)
    assert by_score.loc["psnr_db", "ci_low"] <= by_score.loc["psnr_db", "ci_high"]
    assert "0 sizes of training set" in by_score.loc["mae", "note"]


@pytest.mark.parametrize("fractions", [(), (0.0, 1.0), (0.5, 1.5)])
def test_fractions_are_shares(request_of, fractions):
    with pytest.raises(TrainingError, match="above 0 and at most 1"):
        run_fraction(request_of(), fractions)


def test_a_whole_study_trains_each_share_at_each_width(request_of, cases):
    pytest.importorskip("lightning_fabric")
    request = request_of()
    asymptotes = run_fraction(request, (0.5, 1.0), (2, 3))
    assert set(asymptotes["note"]) == {"2 sizes of training set: a law of 3 numbers needs 3"}
    folder = request.training.output
    content = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    rows = content["Tables"]["fraction"]["Rows"]
    assert [(row["width"], row["fraction"], row["subjects"]) for row in rows[:-1]] == [
        *[(2, 0.5, 1), (2, 1.0, 2)],
        *[(3, 0.5, 1), (3, 1.0, 2)],
    ]
    assert "| 2 | 50 | 1 | 1 |" in (folder / "fraction.md").read_text(encoding="utf-8")
    assert "n/a" in (folder / "asymptote.md").read_text(encoding="utf-8")


def test_the_means_of_all_folds_are_what_is_extrapolated(request_of, cases, monkeypatch):
    """With known scores, so that the law in the files is known too."""

    def scores(study, network):
        n = {0.25: 21, 0.5: 42, 0.75: 63, 1.0: 84}[network.share]
        rows = [
            {"network": network.name, "fold": fold, "subjects": n + shift, "learned_cases": n}
            | {"case": f"sub-{fold}", **dict.fromkeys(SCORES, 30 + 100 / n)}
            for fold, shift in ((0, -1), (1, 1))
        ]
        return pd.DataFrame(rows)

    pytest.importorskip("lightning_fabric")
    monkeypatch.setattr(fraction, "score_network", scores)
    request = request_of()
    found = run_fraction(request).set_index("score")
    assert found.loc["l2_e5", "value"] == pytest.approx(30, rel=1e-3)
    shown = (request.training.output / "asymptote.md").read_text(encoding="utf-8")
    assert "| 2 | L2 (×10⁻⁵) | 31.2 | 30.6 | 30.0 | 30.0 to 30.0 |  |" in shown
