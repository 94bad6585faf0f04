"""What a redacted report may not tell."""

from __future__ import annotations

import getpass
import json
import re
import socket
from pathlib import Path

import pandas as pd
import pytest

from clinica_gado.caps import qc_folder
from clinica_gado.files import write_json, write_tsv
from clinica_gado.report.build import write_report
from clinica_gado.report.pages import draw_pages
from clinica_gado.report.redaction import Redactor

PIPELINE = "t1-gado-removal"
REDACTOR = Redactor(["anna", "node-07"], [Path("/mnt/two words/caps")])


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("Cannot read /home/anna/x.nii.gz: truncated.", "Cannot read [path]: truncated."),
        ("in C:\\Users\\anna\\data and \\\\server\\share", "in [path] and [path]"),
        ("'/srv/Dr House/bids/x' is missing", "[path] is missing"),
        ("/mnt/two words/caps/subjects is full", "[path] is full"),
        ("~/data, ./here, ../there, file:///etc/x", "[path], [path], [path], [path]"),
        ("sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz", "sub-01_ses-1_T1w.nii.gz"),
        ("run by Anna on node-07 (10.0.0.7)", "run by [name] on [name] ([name])"),
        ("write to anna@hospital.example", "write to [name]"),
        ("n/a, ce/nce, a / b", "n/a, ce/nce, a / b"),
        ("annabel of sub-anna", "annabel of sub-anna"),
        ("sub-01_ce-gadolinium_T1w.nii.gz of 1.2.0", "sub-01_ce-gadolinium_T1w.nii.gz of 1.2.0"),
    ],
)
def test_places_and_names_go_and_the_rest_stays(text: str, redacted: str) -> None:
    assert REDACTOR.text(text) == redacted


def test_ids_stay_even_where_they_look_like_a_place() -> None:
    row = {"participant_id": "anna", "session_id": "a/b", "reason": "anna"}
    assert REDACTOR.all([row]) == [{**row, "reason": "[name]"}]


@pytest.fixture
def telling(caps: Path) -> Path:
    """Return a run whose every free text tells a place, a user and a machine."""
    folder = qc_folder(caps, PIPELINE)
    told = f"/data/{getpass.getuser()}/x y/z.nii on {socket.gethostname()} by Zoe in D:\\secret\\y"
    ids = {"participant_id": "sub-00", "session_id": "ses-M000"}
    names = ("filename", "status", "flags", "reason", "detail", "evidence")
    row = {**ids, **dict.fromkeys(names, told)}
    for name in ("images", "failures", "selection"):
        write_tsv(folder / f"{name}.tsv", pd.DataFrame([row]))
    for name in ("volumes", "contrast"):
        table = pd.read_csv(folder / f"{name}.tsv", sep="\t")
        write_tsv(folder / f"{name}.tsv", table.assign(flags=told))
    write_json(folder / "provenance.json", {"Command": [told], "Deep": {"Caps": str(caps)}})
    review = {**ids, "decision": "reject", "comment": told, "reviewer": "Zoe", "date": "2026-01-01"}
    write_tsv(folder / "reviews.tsv", pd.DataFrame([review]))
    (folder / "tests.tsv").write_text(f"broken in {told}\n")
    write_json(caps / "dataset_description.json", {"Name": "demo", "Author": "Zoe"})
    return caps


def assert_tells_nothing(text: str, caps: Path) -> None:
    for told in ("/data", "secret", "z.nii", str(caps), str(caps.parent), "Zoe", "D:"):
        assert told not in text
    for name in (getpass.getuser(), socket.gethostname()):
        assert not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)


def test_nothing_like_a_path_or_a_name_survives_in_the_json(telling: Path, tmp_path: Path) -> None:
    report = write_report(telling, PIPELINE, redact=True, output=tmp_path / "r.html")
    content = json.loads(report.with_suffix(".json").read_text(encoding="utf-8"))
    for printed in ("table1", "table2"):
        content[printed].pop("caption", None)  # our own words, with formulae
    assert_tells_nothing(json.dumps(content, ensure_ascii=False), telling)
    assert re.findall(r"(?<![\w ])[/\\][\w.]+", json.dumps(content).replace("\\u", "")) == []
    assert content["visits"][0]["review"]["reviewer"] == "reviewer 1"


def test_nothing_survives_in_the_page_outside_scripts(telling: Path, tmp_path: Path) -> None:
    report = write_report(telling, PIPELINE, redact=True, output=tmp_path / "r.html")
    page = report.read_text(encoding="utf-8")
    data = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)
    assert data is not None
    assert_tells_nothing(data.group(1), telling)
    shown = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
    assert_tells_nothing(shown, telling)


def test_nothing_survives_on_the_pages(telling: Path) -> None:
    from clinica_gado.report.build import gather

    content, pictures = gather(telling, PIPELINE, redact=True)
    written = [t.get_text() for page in draw_pages(content, pictures) for t in page.texts]
    assert_tells_nothing("\n".join(written), telling)


def test_without_redaction_reasons_are_whole(telling: Path, tmp_path: Path) -> None:
    report = write_report(telling, PIPELINE, output=tmp_path / "r.html")
    assert "/data/" in report.read_text(encoding="utf-8")
