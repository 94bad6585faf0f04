"""`clinica-gado readers`: tables of readers in, tables of scores out."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from click.testing import CliRunner

from clinica_gado.commands.main import cli
from clinica_gado.evaluation.lesion_axes import COORDINATES


def row(number, x, **facts):
    """Return a lesion of 10 by 6 mm at x."""
    ends = ((x - 5, 0, 0), (x + 5, 0, 0), (x, -3, 0), (x, 3, 0))
    cells = [coordinate for end in ends for coordinate in end]
    ids = {"participant_id": f"sub-{number}", "session_id": "ses-1"}
    return {**ids, **facts, **dict(zip(COORDINATES, cells, strict=True))}


@pytest.fixture
def call(tmp_path):
    """Return a function that writes tables and runs the command on them."""

    def run(verb, *tables, options=()):
        paths = []
        for number, rows in enumerate(tables):
            paths.append(tmp_path / f"table{number}.tsv")
            pd.DataFrame(rows).to_csv(paths[-1], sep="\t", index=False, na_rep="n/a")
        words = ["readers", verb, *paths, tmp_path / "out", *options]
        return CliRunner().invoke(cli, [str(word) for word in words])

    return run


def test_lesions_become_scores_with_definitions(call, tmp_path):
    reference = [row(1, 0), row(1, 40), row(2, 0)]
    nothing = {"participant_id": "sub-2", "session_id": "ses-1", "reader": "a"}
    marked = [
        row(1, 1, image="routine", reader="a"),
        {**nothing, "image": "routine"},
        row(1, 1, image="amplified", reader="a"),
        row(1, 41, image="amplified", reader="a"),
        row(2, 99, image="amplified", reader="a"),
    ]
    result = call("lesions", reference, marked, options=["--min-size", "0"])
    assert result.exit_code == 0, result.output
    scores = pd.read_csv(tmp_path / "out/scores.tsv", sep="\t").set_index("image")
    assert scores["se"].round(3).to_dict() == {"routine": 0.333, "amplified": 0.667}
    assert scores["fdr"].to_dict() == {"routine": 0, "amplified": 0.5}
    content = json.loads((tmp_path / "out/readers.json").read_text())
    assert content["Comparisons"][0]["only_second"] == 1
    assert {"se", "fdr", "se_mid_p"} <= set(content["Definitions"])
    assert content["LeftOut"] == []
    assert "amplified" in result.output


def test_grades_are_compared(call, tmp_path):
    table = [
        {"participant_id": f"sub-{n}", "session_id": "ses-1", "image": image, "reader": "a",
         "seconds": 30 + n + 5 * (image == "routine") + n * (image == "routine") / 9}
        for n in range(4)
        for image in ("routine", "amplified")
    ]  # fmt: skip
    result = call("grades", table, options=["--value", "seconds"])
    assert result.exit_code == 0, result.output
    images = pd.read_csv(tmp_path / "out/images.tsv", sep="\t")
    assert images.loc[0, "mean_difference"] == pytest.approx(5 + 1.5 / 9)
    assert json.loads((tmp_path / "out/readers.json").read_text())["Settings"] == {
        "Value": "seconds"
    }


def test_what_cannot_be_tested_is_printed_with_its_reason(call):
    table = [
        {"participant_id": f"sub-{n}", "session_id": "ses-1", "image": image, "reader": "a",
         "grade": 0.1 * n + 0.7 * (image == "routine")}
        for n in range(6)
        for image in ("routine", "amplified")
    ]  # fmt: skip
    result = call("grades", table)
    assert result.exit_code == 0, result.output
    first, *_ = (line for line in result.output.splitlines() if line.lstrip().startswith("a "))
    assert first.split()[-3:] == ["n/a"] * 3
    assert (
        "a, routine and amplified: all 6 differences are equal: without variance" in result.output
    )


def test_a_table_that_cannot_be_used_ends_with_two_and_one_line(call):
    result = call("lesions", [row(1, 0)], [{**row(1, 0), "long_x1": "left"}])
    assert result.exit_code == 2
    assert "coordinates must be twelve numbers" in result.output
