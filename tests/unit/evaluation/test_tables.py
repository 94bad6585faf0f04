"""The tables of the paper's shape: numbers by hand, text that no label can break."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from clinica_gado.evaluation import statistics
from clinica_gado.evaluation.tables import (
    escape_latex,
    escape_markdown,
    format_p,
    save_table,
    table1,
    table2,
    to_latex,
    to_markdown,
)
from clinica_gado.evaluation.tissue import volume_differences
from clinica_gado.files import read_table


def likeness(participant, image, mae, psnr, ssim):
    return {
        "participant_id": participant, "session_id": "ses-M000", "image": image,
        "p1_mae": mae, "p1_psnr_db": psnr, "p1_ssim": ssim,
    }  # fmt: skip


@pytest.fixture
def similarity():
    return pd.DataFrame([
        likeness("sub-01", "ce", 0.04, 22, 0.8), likeness("sub-01", "synthetic", 0.02, 27, 0.9),
        likeness("sub-02", "ce", 0.06, 26, 0.9), likeness("sub-02", "synthetic", 0.04, 31, 1.0),
        likeness("sub-03", "ce", 0.5, 5, 0.1), likeness("sub-04", "synthetic", 0.5, 5, 0.1),
        likeness("sub-05", "ce", 0.5, 5, 0.1),
        likeness("sub-05", "synthetic", float("nan"), 5, 0.1),
    ])  # fmt: skip


@pytest.fixture
def differences():
    rows = []
    for index, shift in enumerate((60.0, 80.0, 100.0)):
        for image, extra in (("nce", 0.0), ("ce", shift), ("synthetic", shift / 4)):
            rows.append({
                "participant_id": f"sub-0{index + 1}", "session_id": "ses-M000", "engine": "spm",
                "image": image, "gm_cm3": 500 + extra, "wm_cm3": 400, "csf_cm3": 300 - extra,
            })  # fmt: skip
    return volume_differences(pd.DataFrame(rows))


def test_table1_by_hand_over_the_visits_that_have_both_images(similarity):
    table = table1(similarity, model="attunet-v1")
    before, after = (row for _, row in table.numbers.iterrows())
    assert (before.n, after.n) == (2, 2)
    assert (before.model, after.model) == ("-", "attunet-v1")
    assert before.mae_percent_mean == pytest.approx(5)
    assert before.mae_percent_sd == pytest.approx(math.sqrt(2))
    assert (after.psnr_db_mean, after.psnr_db_sd) == (29, pytest.approx(math.sqrt(8)))
    shown = table.shown.iloc[0].to_dict()
    assert shown["MAE (%)"] == "5.00 ± 1.41"
    assert shown["SSIM"] == "0.85 ± 0.07"
    assert list(table.shown["Test set"]) == ["all", ""]
    assert list(table.shown["Compared images"]) == [
        "T1w-nce / T1w-ce",
        "T1w-nce / Synthetic T1w-nce",
    ]


def test_table1_has_a_pair_of_rows_for_each_test_set_and_leaves_out_what_is_excluded(similarity):
    tiers = pd.DataFrame({"participant_id": ["sub-01", "sub-02"], "quality": ["low", "good"]})
    table = table1(similarity, tiers)
    assert list(table.shown["Test set"]) == ["good", "", "low", ""]
    assert table.shown["SSIM"].iloc[0] == "0.90 ± n/a"
    without = table1(similarity, tiers, exclude={("sub-01", "ses-M000")})
    assert list(without.shown["Test set"]) == ["good", ""]


def test_table1_does_not_depend_on_the_order_of_the_rows(similarity):
    turned = table1(similarity.iloc[::-1]).numbers
    pd.testing.assert_frame_equal(turned, table1(similarity).numbers, check_exact=True)


def test_without_any_pair_the_table_is_empty_and_says_so():
    table = table1(pd.DataFrame(columns=["participant_id", "session_id", "image"]))
    assert table.numbers.empty
    assert "No visit" in table.caption
    nothing = pd.DataFrame(
        columns=["participant_id", "session_id", "image", "engine", "gm_cm3", "wm_cm3", "csf_cm3"]
    )
    differences = volume_differences(nothing)
    second = table2(differences, statistics.test_differences(differences))
    assert second.numbers.empty
    assert r"\end{tabular}" in to_latex(second)


def test_table2_has_the_means_of_the_tests_and_shows_p_once(differences):
    tests = statistics.test_differences(differences)
    table = table2(differences, tests)
    first, second = (row for _, row in table.numbers.iterrows())
    # Every TIV is 1200 cm³, so a normalised difference is the difference.
    assert (first.gm_cm3_mean, first.gm_cm3_sd) == (pytest.approx(80), pytest.approx(20))
    assert (second.gm_cm3_mean, second.gm_cm3_sd) == (pytest.approx(20), pytest.approx(5))
    gm = tests[tests.tissue == "gm"].iloc[0]
    assert first.gm_cm3_mean == pytest.approx(gm.mean_ce_cm3)
    assert first.gm_p_bonferroni == second.gm_p_bonferroni == gm.p_bonferroni
    shown = table.shown
    assert list(shown["Gray matter: p-value"]) == [format_p(gm.p_bonferroni), ""]
    assert shown["White matter: p-value"].iloc[0] == "n/a"
    assert shown["Gray matter: absolute difference (cm³)"].iloc[0] == "80.00 ± 20.00"
    assert "m = 3" in table.caption
    assert "1200 cm³ (spm)" in table.caption


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.0009999, "<0.001"), (0.001, "0.001"), (0.12, "0.120"), (1, "1.000"), (math.nan, "n/a")],
)
def test_p_values_in_words(p, text):
    assert format_p(p) == text


def test_labels_cannot_break_the_tables(similarity):
    tiers = pd.DataFrame({"participant_id": ["sub-01"], "quality": ["good_1|50% & <b>\nx"]})
    table = table1(similarity, tiers, model=r"a_b\c")
    latex, markdown = to_latex(table), to_markdown(table)
    assert r"good\_1$|$50\% \& $<$b$>$ x" in latex
    assert r"a\_b\textbackslash{}c" in latex
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    assert {line.replace(r"\|", "").count("|") for line in lines} == {8}
    assert "&lt;b" in markdown
    rows = [line for line in latex.splitlines() if line.endswith(r"\\")]
    assert {row.replace(r"\&", "").count("&") for row in rows} == {6}


def test_escapes():
    assert escape_latex("p <0.001 ± 3 cm³") == r"p $<$0.001 $\pm$ 3 cm$^3$"
    assert escape_markdown("<0.001 a*b") == r"<0.001 a\*b"


def test_saved_in_three_forms(similarity, tmp_path):
    save_table(table1(similarity), tmp_path / "table1")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "table1.md",
        "table1.tex",
        "table1.tsv",
    ]
    table = read_table(tmp_path / "table1.tsv", ("test_set", "n", "mae_percent_mean"))
    assert list(table["n"]) == ["2", "2"]
    assert "5.00 ± 1.41" in (tmp_path / "table1.md").read_text(encoding="utf-8")
    assert r"5.00 $\pm$ 1.41" in (tmp_path / "table1.tex").read_text(encoding="utf-8")
