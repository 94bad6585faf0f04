"""The exported CAPS: which image stands for a visit, under which name, and what is left out."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from clinica.dataset import check_caps_dataset
from clinica.utils.input_files import T1W_LINEAR, T1W_LINEAR_CROPPED
from clinica.utils.inputs import clinica_file_reader

from clinica_gado.errors import OutputError, SelectionError
from clinica_gado.export import harmonised_caps
from clinica_gado.export.harmonised_caps import ExportRequest, export
from clinica_gado.preprocessing.images import read_volume
from clinica_gado.runs import progress as progress_module

SPACE = "space-MNI152NLin2009cSym"
CROPPED_A = f"subjects/sub-A/ses-M000/t1_linear/sub-A_ses-M000_{SPACE}_desc-Crop_res-1x1x1_T1w"


def table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", keep_default_na=False)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out"


def files_of(folder: Path) -> dict[str, int]:
    return {
        path.relative_to(folder).as_posix(): path.stat().st_ino
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".tsv"
    }


@pytest.mark.usefixtures("no_network")
def test_the_real_image_is_taken_where_there_is_one(caps: Path, output: Path) -> None:
    assert export(ExportRequest(caps, output)) == 0
    manifest = table(output / "manifest.tsv")
    assert manifest["origin"].tolist() == ["real", "synthetic"]
    assert manifest["flags"].tolist() == ["turned", "n/a"]
    assert manifest["model_sha256"].tolist() == ["n/a", "ab" * 32]
    levels = [read_volume(output / name).data.max() for name in manifest["filename"]]
    assert levels == [2.0, 4.0]


def test_a_visit_without_image_is_listed(caps: Path, output: Path) -> None:
    export(ExportRequest(caps, output))
    left_out = table(output / "left_out.tsv")
    assert left_out[["participant_id", "status"]].values.tolist() == [["sub-C", "no image"]]


@pytest.mark.parametrize("kind", [T1W_LINEAR, T1W_LINEAR_CROPPED])
def test_stock_clinica_finds_one_file_a_visit(caps: Path, output: Path, kind: dict) -> None:
    export(ExportRequest(caps, output))
    check_caps_dataset(output)
    files, errors = clinica_file_reader(["sub-A", "sub-B"], ["ses-M000"] * 2, output, kind)
    assert len(files) == 2
    assert not errors


def test_the_whole_grid_holds_the_cropped_image_and_zeros(caps: Path, output: Path) -> None:
    export(ExportRequest(caps, output))
    cropped = read_volume(output / f"{CROPPED_A}.nii.gz").data
    whole = read_volume(output / f"{CROPPED_A.replace('_desc-Crop', '')}.nii.gz").data
    assert np.array_equal(whole[2:10, 2:11, 0:8], cropped)
    assert whole.sum() == cropped.sum()


def test_exporting_again_writes_no_file_anew(caps: Path, output: Path) -> None:
    export(ExportRequest(caps, output))
    before = files_of(output)
    export(ExportRequest(caps, output))
    assert files_of(output) == before


def test_a_changed_image_is_exported_again(caps: Path, output: Path, add_image: Any) -> None:
    export(ExportRequest(caps, output))
    name = f"t1_gado_removal/preprocessing/sub-A_ses-M000_{SPACE}_desc-Reference_res-1x1x1_T1w"
    add_image("sub-A/ses-M000", f"{name}.nii.gz", 7.0)
    export(ExportRequest(caps, output))
    assert read_volume(output / f"{CROPPED_A}.nii.gz").data.max() == 7.0


def test_a_rejected_visit_is_left_out_and_taken_away(
    caps: Path, output: Path, tmp_path: Path
) -> None:
    export(ExportRequest(caps, output))
    reviews = tmp_path / "reviews.tsv"
    reviews.write_text(
        "participant_id\tsession_id\tdecision\tcomment\n"
        "sub-A\tses-M000\treject\tmoved\nsub-B\tses-M000\taccept\tfine\n"
    )
    assert export(ExportRequest(caps, output, reviews=reviews)) == 0
    manifest, left_out = table(output / "manifest.tsv"), table(output / "left_out.tsv")
    assert manifest[["participant_id", "decision", "comment"]].values.tolist() == [
        ["sub-B", "accept", "fine"]
    ]
    assert left_out.iloc[0].tolist() == ["sub-A", "ses-M000", "rejected", "moved"]
    assert not (output / f"{CROPPED_A}.nii.gz").exists()


def test_a_broken_image_costs_its_visit_only(caps: Path, output: Path) -> None:
    broken = next(caps.rglob("*desc-Reference*.nii.gz"))
    broken.write_bytes(broken.read_bytes()[:60])
    assert export(ExportRequest(caps, output)) == 1
    assert table(output / "manifest.tsv")["participant_id"].tolist() == ["sub-B"]
    left_out = table(output / "left_out.tsv")
    assert left_out["status"].tolist() == ["failed", "no image"]
    assert broken.name in left_out["reason"][0]


def test_an_image_without_its_sidecar_is_half_made(caps: Path, output: Path) -> None:
    next(caps.rglob("*desc-Reference*.json")).unlink()
    export(ExportRequest(caps, output))
    assert table(output / "manifest.tsv")["origin"].tolist() == ["synthetic", "synthetic"]


def test_a_reference_of_another_session_is_not_the_visits(
    caps: Path, output: Path, add_image: Any
) -> None:
    name = f"sub-B_ses-M006_{SPACE}_desc-Reference_res-1x1x1_T1w.nii.gz"
    add_image("sub-B/ses-M000", f"t1_gado_removal/preprocessing/{name}")
    export(ExportRequest(caps, output))
    assert table(output / "manifest.tsv")["origin"].tolist() == ["real", "synthetic"]


@pytest.mark.parametrize(("contrast", "visits"), [("nce", 3), ("ce", 2), ("unknown", 2)])
def test_an_image_of_clinica_counts_when_it_is_known_to_have_no_contrast(
    caps: Path, output: Path, add_image: Any, contrast: str, visits: int
) -> None:
    name = f"t1_linear/sub-C_ses-M000_run-01_{SPACE}_desc-Crop_res-1x1x1_T1w.nii.gz"
    add_image("sub-C/ses-M000", name)
    selection = caps / "gado_qc" / "t1-gado-removal" / "selection.tsv"
    selection.parent.mkdir(parents=True)
    raw = "sub-C/ses-M000/anat/sub-C_ses-M000_run-01_T1w.nii.gz"
    selection.write_text(f"filename\tcontrast\n{raw}\t{contrast}\n")
    export(ExportRequest(caps, output))
    assert len(table(output / "manifest.tsv")) == visits


def test_linked_files_are_those_of_the_source(caps: Path, output: Path) -> None:
    export(ExportRequest(caps, output, link=True))
    source = next(caps.rglob("*desc-Reference*.nii.gz"))
    assert (output / f"{CROPPED_A}.nii.gz").samefile(source)


def test_visits_at_once_give_the_tables_of_one_after_the_other(
    caps: Path, output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serial = tmp_path / "serial"
    assert export(ExportRequest(caps, serial)) == 0
    place, is_second_done = harmonised_caps._place, threading.Event()

    def place_second_first(candidate: Any, request: ExportRequest) -> str:
        if candidate.visit.participant_id == "sub-A":
            assert is_second_done.wait(timeout=30)
        checksum = place(candidate, request)
        is_second_done.set()
        return checksum

    monkeypatch.setattr(harmonised_caps, "_place", place_second_first)
    assert export(ExportRequest(caps, output, n_procs=2)) == 0
    for name in ("manifest", "left_out", "covariates"):
        assert (output / f"{name}.tsv").read_bytes() == (serial / f"{name}.tsv").read_bytes()
    assert files_of(output).keys() == files_of(serial).keys()


def test_how_far_it_is_is_told(
    caps: Path, output: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO", "clinica_gado")
    monkeypatch.setattr(progress_module, "LINE_S", -1.0)
    next(caps.rglob("*desc-Reference*.nii.gz")).write_bytes(b"broken")
    assert export(ExportRequest(caps, output)) == 1
    lines = [message for message in caplog.messages if "visits a minute" in message]
    assert [line.split(";")[0] for line in lines] == [f"[{n}/3] 1 failed" for n in (1, 2, 3)]


def test_a_folder_of_something_else_is_refused(caps: Path, output: Path) -> None:
    output.mkdir()
    (output / "thesis.tex").touch()
    with pytest.raises(OutputError, match="holds something else"):
        export(ExportRequest(caps, output))


@pytest.mark.parametrize("inside", [".", "export"])
def test_the_source_is_no_place_to_export_to(caps: Path, inside: str) -> None:
    with pytest.raises(OutputError, match="must neither hold"):
        export(ExportRequest(caps, caps / inside))


def test_an_empty_caps_is_refused(tmp_path: Path, output: Path) -> None:
    with pytest.raises(SelectionError, match="holds no subjects"):
        export(ExportRequest(tmp_path, output))
