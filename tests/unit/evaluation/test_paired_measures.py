"""The synthetic image against the others, measure by measure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from clinica_gado.evaluation.paired_measures import COLUMNS, compare_measures

IDS = [{"participant_id": f"sub-{n:02d}", "session_id": "ses-M000"} for n in range(6)]
RANDOM = np.random.default_rng(3)
CNR = {image: RANDOM.normal(mean, 2, 6) for image, mean in (("routine", 9), ("synthetic", 20))}
PSNR = {image: RANDOM.normal(mean, 1, 6) for image, mean in (("t1w", 20), ("synthetic", 22))}


def similarity(desc="SynthCE"):
    return pd.DataFrame([
        {**ids, "desc": desc, "image": image, "psnr_db_as_is": values[n], "nmi_as_is": 1.0}
        for n, ids in enumerate(IDS)
        for image, values in PSNR.items()
    ])  # fmt: skip


def contrast(desc="Amplified", **columns):
    found = {f"cnr_{image}": values for image, values in CNR.items()}
    return pd.DataFrame(IDS).assign(desc=desc, **found, **columns)


def test_numbers_are_those_of_scipy_on_the_same_visits():
    (row,) = compare_measures(similarity().iloc[:0], contrast()).itertuples()
    assert (row.desc, row.family, row.measure) == ("Amplified", "contrast of lesions", "cnr")
    assert (row.image, row.n, row.m) == ("routine", 6, 1)
    expected = stats.ttest_rel(CNR["synthetic"], CNR["routine"])
    assert (row.t, row.p) == pytest.approx((expected.statistic, expected.pvalue))
    interval = expected.confidence_interval(0.95)
    assert (row.ci_low, row.ci_high) == pytest.approx((interval.low, interval.high))
    assert row.wilcoxon_p == pytest.approx(stats.wilcoxon(CNR["synthetic"], CNR["routine"]).pvalue)
    assert row.mean_difference == pytest.approx(row.mean_synthetic - row.mean_image)
    assert row.sd_image == pytest.approx(np.std(CNR["routine"], ddof=1))


def test_visits_of_one_participant_count_once():
    persons = [f"sub-{n // 2}" for n in range(6)]
    table = contrast().assign(participant_id=persons, session_id=[f"ses-{n}" for n in range(6)])
    (row,) = compare_measures(similarity().iloc[:0], table).itertuples()
    assert (row.n, row.n_visits) == (3, 6)
    means = [values.reshape(3, 2).mean(axis=1) for values in CNR.values()]
    assert row.p == pytest.approx(stats.ttest_rel(*means).pvalue)
    assert row.sd_image == pytest.approx(np.std(means[0], ddof=1))


def test_a_family_is_what_is_compared_of_one_kind_of_result():
    t1w = RANDOM.normal(1, 1, 6)
    both = pd.concat([contrast(), contrast("SynthCE", cnr_t1w=t1w, cep_percent_t1w=np.nan)])
    found = compare_measures(similarity(), both)
    sizes = found.groupby(["desc", "family"])["m"].agg(["size", "max"]).to_dict("index")
    assert sizes == {
        ("Amplified", "contrast of lesions"): {"size": 1, "max": 1},
        ("SynthCE", "contrast of lesions"): {"size": 2, "max": 2},
        ("SynthCE", "likeness"): {"size": 1, "max": 1},
    }
    twice = found[(found.desc == "SynthCE") & (found.family == "contrast of lesions")]
    expected = np.minimum(1, 2 * twice["p"])
    np.testing.assert_allclose(twice["p_bonferroni"].astype(float), expected.astype(float))
    assert set(compare_measures(similarity(), both, m=7)["m"]) == {7}


def test_a_visit_counts_where_it_has_both_numbers_and_is_not_excluded():
    measured = contrast()
    measured.loc[0, "cnr_synthetic"] = np.nan
    assert compare_measures(similarity().iloc[:0], measured)["n"].item() == 5
    left = compare_measures(similarity(), measured, {("sub-01", "ses-M000")})
    assert left.set_index("family")["n"].to_dict() == {"contrast of lesions": 4, "likeness": 5}


def test_one_visit_has_no_test_but_a_reason_and_none_has_no_row():
    (row,) = compare_measures(similarity().iloc[:0], contrast().iloc[:1]).itertuples()
    assert np.isnan(row.p)
    assert "a test needs 2" in row.note
    nothing = compare_measures(similarity().iloc[:0], contrast().iloc[:0])
    assert (list(nothing.columns), len(nothing)) == (COLUMNS, 0)
