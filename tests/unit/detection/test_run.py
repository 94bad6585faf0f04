"""`detect` over a dataset: rows, failures, resuming, and a table that `clinica run` reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from clinica_gado.bids import Contrast, Role, select
from clinica_gado.commands.main import cli
from clinica_gado.detection import run as module
from clinica_gado.detection.classifier import Picture
from clinica_gado.detection.run import DetectionRequest, detect
from clinica_gado.errors import GadoError, InputImageError, OutputError, SelectionError
from clinica_gado.runs.shards import Shard

SHOWN = {
    "bright": Picture(0.98, Contrast.ENHANCED),
    "dark": Picture(0.02, Contrast.NON_ENHANCED),
    "grey": Picture(0.5, Contrast.UNKNOWN),
}


@pytest.fixture
def add(tmp_path: Path) -> Callable[..., Path]:
    """Write a T1w whose content says what its picture shows, and its sidecar."""

    def write(subject: str, entities: str, content: str, **fields: object) -> Path:
        folder = tmp_path / "bids" / subject / "ses-M000" / "anat"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{subject}_ses-M000_{entities}T1w.nii.gz"
        path.write_text(content)
        path.with_name(path.name.replace(".nii.gz", ".json")).write_text(json.dumps(fields))
        return path

    return write


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Judge by content, and list what was looked at."""
    seen: list[str] = []

    def look(image: module.BidsImage, checksum: str, caps: Path | None) -> Picture:
        seen.append(image.path.name)
        content = image.path.read_text()
        if content == "broken":
            raise InputImageError(f"{image.path} cannot be read; convert it again.")
        return SHOWN[content]

    monkeypatch.setattr(module, "_look", look)
    return seen


@pytest.fixture
def request_(tmp_path: Path, add: Callable[..., Path], looked_at: list[str]) -> DetectionRequest:
    """Make four visits: told by the picture, in doubt, contradicted, broken."""
    add("sub-1", "", "bright")
    add("sub-2", "", "grey")
    add("sub-3", "ce-gd_", "dark")
    add("sub-4", "", "broken")
    add("sub-5", "", "grey", SeriesDescription="T1 gado")
    return DetectionRequest(tmp_path / "bids", tmp_path / "contrast.tsv")


def table(request: DetectionRequest) -> pd.DataFrame:
    found = pd.read_csv(request.output, sep="\t", keep_default_na=False)
    return found.set_index("participant_id")


@pytest.mark.usefixtures("no_network")
def test_every_image_has_a_row(request_: DetectionRequest) -> None:
    assert detect(request_) == 1
    rows = table(request_)
    assert rows["contrast"].to_dict() == {
        "sub-1": "ce",
        "sub-2": "unknown",
        "sub-3": "ce",
        "sub-4": "unknown",
        "sub-5": "ce",
    }
    assert rows["evidence"].to_dict() == {
        "sub-1": "image",
        "sub-2": "image",
        "sub-3": "entity",
        "sub-4": "none",
        "sub-5": "dicom",
    }
    assert "cannot be read" in rows.loc["sub-4", "failure"]


def test_what_somebody_must_look_at_comes_first(request_: DetectionRequest) -> None:
    detect(request_)
    rows = table(request_)
    assert list(rows.index) == ["sub-2", "sub-3", "sub-4", "sub-1", "sub-5"]
    assert rows.loc["sub-3", "review"] == "metadata say ce, the image nce"
    assert rows.loc["sub-1", "review"] == "n/a"


def test_clinica_run_reads_the_table(request_: DetectionRequest) -> None:
    detect(request_)
    selection = select(request_.bids, contrast_tsv=request_.output)
    chosen = {d.visit.participant_id for d in selection.decisions if d.role is Role.SOURCE}
    assert chosen == {"sub-1", "sub-3", "sub-5"}


def test_a_file_that_is_no_t1w_is_listed_beside(
    request_: DetectionRequest, add: Callable[..., Path]
) -> None:
    path = add("sub-1", "", "dark")
    path.with_name("sub-9_ses-M000_run-2_T1w.nii.gz").touch()
    assert detect(request_) == 2
    beside = pd.read_csv(request_.output.with_name("contrast_failures.tsv"), sep="\t")
    assert "sub-9_ses-M000_run-2" in beside["filename"][0]
    assert len(table(request_)) == 5
    select(request_.bids, contrast_tsv=request_.output)


def test_a_second_run_looks_only_at_what_failed_or_changed(
    request_: DetectionRequest, looked_at: list[str], add: Callable[..., Path]
) -> None:
    detect(request_)
    first = table(request_)
    looked_at.clear()
    detect(request_)
    assert looked_at == ["sub-4_ses-M000_T1w.nii.gz"]
    assert table(request_).equals(first)
    add("sub-1", "", "dark")
    detect(request_)
    assert table(request_).loc["sub-1", "contrast"] == "nce"


def test_rows_of_visits_that_a_run_was_not_asked_for_stay(
    request_: DetectionRequest, tmp_path: Path
) -> None:
    detect(request_)
    (tmp_path / "some.tsv").write_text("participant_id\tsession_id\nsub-1\tses-M000\n")
    (request_.bids / "sub-1" / "ses-M000" / "anat" / "sub-1_ses-M000_T1w.nii.gz").unlink()
    detect(replace(request_, visits_tsv=tmp_path / "some.tsv"))
    assert sorted(table(request_).index) == ["sub-2", "sub-3", "sub-4", "sub-5"]


def test_an_interrupted_run_keeps_what_it_has_seen(
    request_: DetectionRequest, monkeypatch: pytest.MonkeyPatch, looked_at: list[str]
) -> None:
    whole = module._look

    def stop(image: module.BidsImage, checksum: str, caps: Path | None) -> Picture:
        if "sub-3" in image.path.name:
            raise KeyboardInterrupt
        return whole(image, checksum, caps)

    monkeypatch.setattr(module, "_look", stop)
    with pytest.raises(KeyboardInterrupt):
        detect(request_)
    monkeypatch.setattr(module, "_look", whole)
    looked_at.clear()
    detect(request_)
    assert "sub-1_ses-M000_T1w.nii.gz" not in looked_at
    assert len(table(request_)) == 5


def test_a_stopped_second_run_loses_nothing(
    request_: DetectionRequest, monkeypatch: pytest.MonkeyPatch, add: Callable[..., Path]
) -> None:
    detect(request_)
    add("sub-0", "", "dark")
    whole = module._look_at

    def stop(candidate: module._Candidate, *others: Any) -> module._Seen:
        if candidate.image.visit.participant_id == "sub-1":
            raise KeyboardInterrupt
        return whole(candidate, *others)

    monkeypatch.setattr(module, "_look_at", stop)
    with pytest.raises(KeyboardInterrupt):
        detect(request_)
    assert set(table(request_).index) == {f"sub-{n}" for n in range(6)}


def test_a_reviewed_table_counts_more_than_the_picture(
    request_: DetectionRequest, tmp_path: Path
) -> None:
    reviewed = tmp_path / "reviewed.tsv"
    reviewed.write_text("participant_id\tsession_id\tcontrast\nsub-2\tses-M000\tnce\n")
    detect(replace(request_, contrast_tsv=reviewed))
    assert table(request_).loc["sub-2", ["contrast", "review"]].tolist() == ["nce", "n/a"]


def test_only_unknown_leaves_the_others_unseen(
    request_: DetectionRequest, looked_at: list[str]
) -> None:
    detect(replace(request_, only_unknown=True))
    assert [name[:5] for name in looked_at] == ["sub-1", "sub-2", "sub-4"]


def test_only_unknown_looks_at_an_image_beside_one_that_has_ce(
    request_: DetectionRequest, add: Callable[..., Path]
) -> None:
    add("sub-3", "", "dark")
    detect(replace(request_, only_unknown=True))
    rows = table(request_).set_index("filename")
    plain = rows.loc["sub-3/ses-M000/anat/sub-3_ses-M000_T1w.nii.gz"]
    assert plain[["contrast", "evidence"]].tolist() == ["nce", "image"]
    selection = select(request_.bids, contrast_tsv=request_.output)
    (job,) = [job for job in selection.jobs if job.visit.participant_id == "sub-3"]
    assert job.reference is not None


def test_shares_look_at_every_image_once(request_: DetectionRequest, looked_at: list[str]) -> None:
    for index in (1, 2):
        output = request_.output.with_name(f"share{index}.tsv")
        detect(replace(request_, output=output, shard=Shard(index, 2)))
    assert sorted(looked_at) == [
        f"sub-{n}_ses-M000_{'ce-gd_' * (n == 3)}T1w.nii.gz" for n in range(1, 6)
    ]


def test_several_processes_write_the_same_table(tmp_path: Path) -> None:
    bids = tmp_path / "bids"
    for number in range(5):
        path = bids / f"sub-{number}/ses-M000/anat/sub-{number}_ses-M000_T1w.nii.gz"
        path.parent.mkdir(parents=True)
        path.write_text("no image")
    one, two = (DetectionRequest(bids, tmp_path / f"{n}.tsv", n_procs=n) for n in (1, 2))
    assert detect(one) == detect(two) == 5
    assert table(one).equals(table(two))
    assert "cannot be read" in table(two)["failure"].iloc[0]


def test_a_process_that_dies_costs_its_image_alone(
    request_: DetectionRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = module._look_at

    def each(function: Callable[..., Any], given: list[Any], *limits: float) -> Any:
        for number, arguments in enumerate(given):
            yield number, GadoError("its process died.") if number == 1 else whole(*arguments)

    monkeypatch.setattr(module, "run_each", each)
    assert detect(request_) == 2
    assert table(request_).loc["sub-2", "failure"] == "its process died."
    assert table(request_).loc["sub-1", "contrast"] == "ce"


def test_the_table_is_saved_now_and_then(
    request_: DetectionRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = []
    write = module._write
    monkeypatch.setattr(
        module, "_write", lambda path, rows: (saved.append(len(rows)), write(path, rows))
    )
    detect(request_)
    assert saved == [0, 5]  # before the first image to see that it can be written, and at the end
    saved.clear()
    monkeypatch.setattr(module, "SAVE_S", -1.0)
    monkeypatch.setattr(module, "SAVE_SHARE", 0.0)
    detect(request_)
    assert saved == [5] * 7  # with the rows of the run before


def test_a_synthetic_image_has_no_row(request_: DetectionRequest, add: Callable[..., Path]) -> None:
    add("sub-6", "desc-SynthNCE_", "dark")
    detect(request_)
    assert "sub-6" not in table(request_).index


def test_a_table_that_cannot_be_used_stops_at_once(
    request_: DetectionRequest, tmp_path: Path, looked_at: list[str]
) -> None:
    wrong = tmp_path / "wrong.tsv"
    wrong.write_text("participant_id\tsession_id\tcontrast\nsub-1\tses-M000\tmaybe\n")
    with pytest.raises(SelectionError, match="maybe"):
        detect(replace(request_, contrast_tsv=wrong))
    assert looked_at == []


def test_a_place_that_cannot_be_written_stops_before_the_first_image(
    request_: DetectionRequest, tmp_path: Path, looked_at: list[str]
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Cannot write"):
        detect(replace(request_, output=tmp_path / "file" / "contrast.tsv"))
    assert looked_at == []


@pytest.mark.parametrize(("bids", "code"), [("bids", 1), ("absent", 2), (".", 2)])
def test_exit_codes(request_: DetectionRequest, tmp_path: Path, bids: str, code: int) -> None:
    output = str(tmp_path / "by_command.tsv")
    result = CliRunner().invoke(cli, ["detect", str(tmp_path / bids), "-o", output])
    assert result.exit_code == code
