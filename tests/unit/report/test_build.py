"""The report as a file: what it holds, whatever is missing, and what it never lets through."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from clinica_gado.caps import qc_folder
from clinica_gado.errors import OutputError
from clinica_gado.files import write_tsv
from clinica_gado.report.build import write_report
from clinica_gado.report.content import presentation

PIPELINE = "t1-gado-removal"
ATTACK = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"


class Elements(HTMLParser):
    """Gathers the elements of a page and their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def read(report: Path) -> tuple[str, dict]:
    return report.read_text(encoding="utf-8"), json.loads(report.with_suffix(".json").read_text())


@pytest.mark.usefixtures("no_network")
def test_the_report_holds_every_visit_section_and_picture(caps: Path) -> None:
    page, content = read(write_report(caps, PIPELINE))
    assert len(content["visits"]) == 5
    assert content["summary"][0] == {"value": 5, "label": "visits"}
    assert page.count("data-picture=") - page.count("script[data-picture=") == 1
    for section in presentation()["sections"]:
        assert f'<section id="{section["id"]}"' in page
    assert page.count("<svg") == 6
    assert "Table 2" in page


def test_those_that_need_attention_come_first(caps: Path) -> None:
    _, content = read(write_report(caps, PIPELINE))
    assert [visit["level"] for visit in content["visits"]] == [
        "failed", "doubtful", "doubtful", "fine", "fine",
    ]  # fmt: skip
    assert [group["kind"] for group in content["attention"]] == ["failed", "registration", "change"]


def test_a_doubt_is_told_once_by_the_table_that_measured_it(caps: Path) -> None:
    _, content = read(write_report(caps, PIPELINE))
    visit = next(v for v in content["visits"] if v["participant_id"] == "sub-02")
    assert visit["doubts"] == [{"kind": "change", "text": "large enhancing volume"}]


def test_nothing_is_loaded_from_outside(caps: Path) -> None:
    page, _ = read(write_report(caps, PIPELINE))
    elements = Elements(page).found
    policy = next(a["content"] for _, a in elements if a.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data: blob:; ")
    assert "unsafe" not in policy
    assert not [a for _, a in elements if a.get("src") or a.get("style") or a.get("onclick")]
    assert not [a for tag, a in elements if tag == "a" and not str(a.get("href")).startswith("#")]
    assert re.findall(r"https?://(?!www\.w3\.org)", page) == []


def test_text_of_the_data_never_becomes_markup(caps: Path) -> None:
    folder = qc_folder(caps, PIPELINE)
    rows = [{"participant_id": f"sub-{ATTACK}", "session_id": "ses-1", "filename": ATTACK,
             "status": "done", "flags": ATTACK, "reason": ATTACK}]  # fmt: skip
    for name in ("images", "failures", "selection"):
        write_tsv(folder / f"{name}.tsv", pd.DataFrame(rows))
    reviews = pd.DataFrame(rows)[["participant_id", "session_id"]]
    write_tsv(folder / "reviews.tsv", reviews.assign(decision="reject", comment=ATTACK))
    page, _ = read(write_report(caps, PIPELINE))
    scripts = [
        attributes.get("type") for tag, attributes in Elements(page).found if tag == "script"
    ]
    assert sorted(map(str, scripts)) == ["None", "application/json", "text/plain"]
    assert not [tag for tag, attributes in Elements(page).found if "onerror" in attributes]


def test_its_data_are_read_back_as_they_were(caps: Path) -> None:
    page, content = read(write_report(caps, PIPELINE))
    inert = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert inert is not None
    assert json.loads(inert.group(1))["visits"] == content["visits"]


TABLES = (
    "images", "failures", "selection", "volumes", "similarity", "contrast", "differences", "tests",
    "agreement",
)  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_any_table_may_be_missing(caps: Path, name: str) -> None:
    (qc_folder(caps, PIPELINE) / f"{name}.tsv").unlink()
    page, content = read(write_report(caps, PIPELINE))
    assert content["notes"] == []
    assert "</html>" in page


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_cannot_be_read_leaves_a_note(caps: Path, name: str) -> None:
    (qc_folder(caps, PIPELINE) / f"{name}.tsv").write_bytes(b"\xff\xfe\x00participant_id\x00\n\xd8")
    _, content = read(write_report(caps, PIPELINE))
    assert len(content["notes"]) == 1
    assert f"{name}.tsv" in content["notes"][0]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_may_be_empty(caps: Path, name: str) -> None:
    path = qc_folder(caps, PIPELINE) / f"{name}.tsv"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    _, content = read(write_report(caps, PIPELINE))
    assert content["notes"] == []


def test_an_empty_folder_gives_a_report_of_notes(tmp_path: Path) -> None:
    qc_folder(tmp_path, PIPELINE).mkdir(parents=True)
    page, content = read(write_report(tmp_path, PIPELINE))
    assert content["visits"] == []
    for section in presentation()["sections"]:
        assert section["absent"].split("(")[0].split("'")[0][:40] in page


def test_a_run_with_failures_only_opens(caps: Path) -> None:
    folder = qc_folder(caps, PIPELINE)
    failures = (folder / "failures.tsv").read_bytes()
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "failures.tsv").write_bytes(failures)
    _, content = read(write_report(caps, PIPELINE))
    assert [visit["level"] for visit in content["visits"]] == ["failed"]
    assert content["summary"][0] == {"value": 1, "label": "visit"}


def test_a_picture_without_its_layout_leaves_a_note(caps: Path) -> None:
    next(qc_folder(caps, PIPELINE).rglob("*_planes.webp")).unlink()
    _, content = read(write_report(caps, PIPELINE))
    assert "sub-00" in content["notes"][0]


def test_without_a_run_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="run t1-gado-removal on this CAPS"):
        write_report(tmp_path, PIPELINE)


def test_reviews_are_merged_in(caps: Path, tmp_path: Path) -> None:
    reviews = tmp_path / "r.tsv"
    write_tsv(reviews, pd.DataFrame([{
        "participant_id": "sub-01", "session_id": "ses-M000", "decision": "reject",
        "comment": "motion", "reviewer": "ab", "date": "2026-01-01",
    }]))  # fmt: skip
    _, content = read(write_report(caps, PIPELINE, reviews=reviews))
    visit = next(v for v in content["visits"] if v["participant_id"] == "sub-01")
    assert visit["review"]["comment"] == "motion"
    assert visit["doubts"] == [{"kind": "rejected", "text": "motion"}]


def test_the_output_can_be_elsewhere(caps: Path, tmp_path: Path) -> None:
    report = write_report(caps, PIPELINE, output=tmp_path / "new" / "qc.html")
    assert report == tmp_path / "new" / "qc.html"
    assert report.with_suffix(".json").is_file()


def test_nothing_but_a_report_is_replaced(caps: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.json"
    mine.write_text('{"keep": 1}')
    for output in (tmp_path / "mine.html", tmp_path / "report.json"):
        with pytest.raises(OutputError):
            write_report(caps, PIPELINE, output=output)
    assert mine.read_text() == '{"keep": 1}'
    first = write_report(caps, PIPELINE, output=tmp_path / "report.html")
    assert write_report(caps, PIPELINE, output=first) == first
