"""Tables gathered from what the visits of a CAPS dataset left beside their images."""

from __future__ import annotations

import os

import pandas as pd
import pytest

from clinica_gado.caps import removal_paths, segmentation_paths
from clinica_gado.evaluation import tissue
from clinica_gado.evaluation.similarity import DEFINITIONS
from clinica_gado.files import write_json, write_tsv
from clinica_gado.validation.measures import image_paths
from clinica_gado.validation.tables import QUALITIES, collect, write_tables

VOLUMES = {
    "nce": {"gm_cm3": 600.0, "wm_cm3": 500.0, "csf_cm3": 300.0, "tiv_cm3": 1400.0},
    "ce": {"gm_cm3": 700.0, "wm_cm3": 490.0, "csf_cm3": 210.0, "tiv_cm3": 1400.0},
    "synthetic": {"gm_cm3": 610.0, "wm_cm3": 498.0, "csf_cm3": 292.0, "tiv_cm3": 1400.0},
}


@pytest.fixture
def measured(make_visit, caps):
    """Return a function that leaves the measures of a visit as the pipeline does."""

    def leave(participant, with_reference=True, spread=0.0):
        job = make_visit(participant, with_reference)
        paths = removal_paths(caps, job.source, job.visit)
        images = image_paths(job, caps)
        for role, image in images.items():
            content = {"Engine": "spm", "VolumesCm3": dict(VOLUMES[role]), "Flags": []}
            if role == "ce":
                content["VolumesCm3"]["gm_cm3"] += spread
                content["Flags"] = ["TIV is small"]
            write_json(segmentation_paths(image).sidecar, content)
        likeness = dict.fromkeys(DEFINITIONS, 0.5)
        roles = ("ce", "synthetic") if with_reference else ()
        folder = paths.image.parent
        write_json(
            paths.measures,
            {
                "Images": {r: p.relative_to(folder).as_posix() for r, p in images.items()},
                "Similarity": dict.fromkeys(roles, likeness),
                "Contrast": {"sinuses_ce": 1.4, "sinuses_synthetic": 1.1},
                "Flags": ["a large volume changed"],
            },
        )
        return paths

    return leave


def test_every_measured_visit_has_its_rows(measured, caps):
    measured("sub-02")
    measured("sub-01", with_reference=False)
    found = collect(caps)
    assert found.contrast.participant_id.tolist() == ["sub-01", "sub-02"]
    assert found.contrast.sinuses_ce.tolist() == [1.4, 1.4]
    assert found.volumes.groupby("participant_id").image.agg(list).to_dict() == {
        "sub-01": ["ce", "synthetic"],
        "sub-02": ["ce", "synthetic", "nce"],
    }
    assert set(found.similarity.participant_id) == {"sub-02"}
    flagged = found.volumes[found.volumes["flags"] != ""]
    assert set(flagged.image) == {"ce"}


def test_of_two_inputs_of_a_visit_the_later_counts(measured, caps):
    paths = measured("sub-01")
    older = paths.measures.with_name("sub-01_ses-M000_run-01_measures.json")
    write_json(older, {"Images": {}, "Similarity": {}, "Contrast": {"old": 1}, "Flags": []})
    os.utime(older, (1, 1))
    assert "old" not in collect(caps).contrast


def test_volumes_are_compared_by_test_set(measured, caps, tmp_path):
    for number in range(4):
        measured(f"sub-{number:02d}", spread=10.0 * number)
    qualities = pd.DataFrame(
        {
            "participant_id": [f"sub-{number:02d}" for number in range(4)],
            "quality": ["good", "good", "low", "low"],
        }
    )
    write_tsv(tmp_path / "quality.tsv", qualities)
    write_tables(caps, tmp_path / "qc", tmp_path / "quality.tsv")
    tests = pd.read_csv(tmp_path / "qc" / "tests.tsv", sep="\t")
    assert set(zip(tests.test_set, tests.tissue, strict=True)) == {
        (name, tissue) for name in ("good", "low") for tissue in ("gm", "wm", "csf")
    }
    assert tests.m.eq(6).all()
    assert tests.n.eq(2).all()
    for name in ("table1", "table2"):
        for suffix in ("tsv", "md", "tex"):
            assert (tmp_path / "qc" / f"{name}.{suffix}").stat().st_size > 0


def test_a_visit_without_a_quality_is_in_no_test_set_and_named(measured, caps, tmp_path, caplog):
    for number in range(4):
        measured(f"sub-{number:02d}", spread=10.0 * number)
    measured("sub-09", with_reference=False)  # nothing to compare: no word on it
    qualities = {"participant_id": ["sub-00", "sub-01", "sub-02"], "quality": "good"}
    write_tsv(tmp_path / "quality.tsv", pd.DataFrame(qualities))
    with caplog.at_level("WARNING", logger="clinica_gado"):
        write_tables(caps, tmp_path / "qc", tmp_path / "quality.tsv")
    assert "1 of the 4 visits" in caplog.text
    assert "sub-03 ses-M000" in caplog.text
    assert "sub-09" not in caplog.text
    qc = {name: pd.read_csv(tmp_path / "qc" / f"{name}.tsv", sep="\t") for name in (
        "tests", "differences", "left_out", "table1")}  # fmt: skip
    assert set(qc["tests"].test_set) == set(qc["differences"].test_set) == {"good"}
    assert qc["tests"].m.eq(3).all()
    assert qc["tests"].n.eq(3).all()
    assert qc["table1"].n.eq(3).all()
    reasons = qc["left_out"].set_index("participant_id")["reason"]
    assert reasons["sub-03"].startswith("no quality")
    assert "nce" in reasons["sub-09"]


def test_more_visits_do_not_read_the_qualities_more_often(measured, caps, tmp_path, monkeypatch):
    read, once = [], tissue._qualities
    monkeypatch.setattr(tissue, "_qualities", lambda tiers: read.append(1) or once(tiers))
    write_tsv(tmp_path / "q.tsv", pd.DataFrame([{"participant_id": "sub-01", "quality": "good"}]))
    counts = []
    for participants in (["sub-01"], ["sub-02", "sub-03", "sub-04"]):
        for participant in participants:
            measured(participant)
        read.clear()
        write_tables(caps, tmp_path, tmp_path / "q.tsv")
        counts.append(len(read))
    assert counts[0] == counts[1]


def test_a_warning_names_some_of_thousands_of_visits(measured, caps, tmp_path, caplog):
    for number in range(12):
        measured(f"sub-{number:02d}")
    write_tsv(tmp_path / "q.tsv", pd.DataFrame([{"participant_id": "sub-00", "quality": "good"}]))
    with caplog.at_level("WARNING", logger="clinica_gado"):
        write_tables(caps, tmp_path, tmp_path / "q.tsv")
    assert "11 of the 12 visits" in caplog.text
    assert "sub-10" in caplog.text
    assert "sub-11" not in caplog.text


def test_the_qualities_of_a_run_are_kept_beside_its_tables(measured, caps, tmp_path):
    measured("sub-01")
    write_tsv(tmp_path / "q.tsv", pd.DataFrame({"participant_id": ["sub-01"], "quality": ["low"]}))
    write_tables(caps, tmp_path / "qc", tmp_path / "q.tsv")
    assert (tmp_path / "qc" / QUALITIES).read_bytes() == (tmp_path / "q.tsv").read_bytes()
    write_tables(caps, tmp_path / "qc", m=7)
    assert not (tmp_path / "qc" / QUALITIES).exists()
    assert pd.read_csv(tmp_path / "qc" / "tests.tsv", sep="\t").m.eq(7).all()


def test_a_dataset_without_any_measure_has_empty_tables(caps, tmp_path):
    caps.mkdir()
    write_tables(caps, tmp_path / "qc")
    for name in ("volumes", "similarity", "contrast", "differences", "agreement", "left_out"):
        table = pd.read_csv(tmp_path / "qc" / f"{name}.tsv", sep="\t")
        assert table.empty
        assert {"participant_id", "session_id"} <= set(table.columns) or name == "agreement"
