"""The command that writes a simulated dataset."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from clinica_gado.commands import simulate
from clinica_gado.errors import DeviceError, InputImageError, OutputError
from clinica_gado.simulation.parameters import LESION_KINDS
from clinica_gado.simulation.planning import plan_subject
from clinica_gado.simulation.protocol import SimulationRequest, subjects
from clinica_gado.simulation.sampling import SEQUENCES


@pytest.fixture
def label_maps(phantom_file: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "maps"
    folder.mkdir()
    for number in ("01", "02", "15", "20"):
        shutil.copy(phantom_file, folder / f"head_{number}_dseg.nii.gz")
    return folder


def _run(label_maps: Path, output: Path, *options: str) -> None:
    shown = CliRunner().invoke(simulate.cli, [str(label_maps), str(output), *options])
    assert shown.exit_code == 0, shown.output


def _names(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("*.nii.gz") if "derivatives" not in path.parts)


def test_the_option_offers_every_sequence_and_lesion() -> None:
    assert simulate._T1_AND_OTHERS == SEQUENCES
    assert (*LESION_KINDS, "none") == simulate._LESIONS


def test_held_out_heads_are_simulated_only_by_name(label_maps: Path, tmp_path: Path) -> None:
    request = SimulationRequest(label_maps, tmp_path)
    assert [s.label_map.name[5:7] for s in subjects(request)] == ["01", "02"]
    named = SimulationRequest(label_maps, tmp_path, heads=(20,))
    assert [s.label_map.name[5:7] for s in subjects(named)] == ["20"]


def test_a_head_that_is_not_there_is_named(label_maps: Path, tmp_path: Path) -> None:
    with pytest.raises(InputImageError, match="7"):
        list(subjects(SimulationRequest(label_maps, tmp_path, heads=(7,))))


def test_a_person_depends_on_seed_head_and_draw_alone(label_maps: Path, tmp_path: Path) -> None:
    many = list(subjects(SimulationRequest(label_maps, tmp_path, draws=2, seed=3)))
    one = list(subjects(SimulationRequest(label_maps, tmp_path, heads=(2,), draws=1, seed=3)))
    assert plan_subject(one[0]) == plan_subject(many[2])
    assert len({subject.seed for subject in many}) == 4


def test_images_are_named_by_sequence_and_dose(label_maps: Path, tmp_path: Path) -> None:
    doses = ("--dose", "0", "--dose", "0.025", "--dose", "0.1")
    common = ("--head", "1", "--resolution", "3", "--lesion", "none")
    _run(label_maps, tmp_path / "bids", *doses, "--sequence", "spgr", "--sequence", "t2w", *common)
    assert _names(tmp_path / "bids") == [
        "sub-head01draw01_ses-M000_T1w.nii.gz",
        "sub-head01draw01_ses-M000_T2w.nii.gz",
        "sub-head01draw01_ses-M000_acq-lowdose_ce-gadolinium_T1w.nii.gz",
        "sub-head01draw01_ses-M000_ce-gadolinium_T1w.nii.gz",
    ]


def test_the_same_seed_writes_the_same_bytes(label_maps: Path, tmp_path: Path) -> None:
    options = ("--head", "1", "--resolution", "2x2x4", "--artefacts", "--brain-only", "--seed", "5")
    digests = []
    for name in ("one", "two"):
        _run(label_maps, tmp_path / name, *options)
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in files])
    assert digests[0] == digests[1]


def test_the_dataset_has_its_top_level_files(label_maps: Path, tmp_path: Path) -> None:
    _run(label_maps, tmp_path / "bids", "--head", "15", "--resolution", "4")
    root = tmp_path / "bids"
    description = json.loads((root / "dataset_description.json").read_text(encoding="utf-8"))
    assert description["DatasetType"] == "raw"
    rows = (root / "participants.tsv").read_text(encoding="utf-8").splitlines()
    assert [row.split("\t")[0] for row in rows] == ["participant_id", "sub-head15draw01"]
    assert (root / "derivatives/truth/dataset_description.json").is_file()


def test_a_resolution_that_is_none_is_a_usage_error(label_maps: Path, tmp_path: Path) -> None:
    arguments = [str(label_maps), str(tmp_path / "bids"), "--resolution", "1x2"]
    shown = CliRunner().invoke(simulate.cli, arguments)
    assert shown.exit_code == 2
    assert "1x1x5" in shown.output


def test_a_folder_that_holds_something_else_is_left_alone(label_maps: Path, tmp_path: Path) -> None:
    output = tmp_path / "hospital"
    output.mkdir()
    (output / "participants.tsv").write_text("participant_id\nsub-1\n")
    call = [str(label_maps), str(output), "--head", "1"]
    shown = CliRunner().invoke(simulate.cli, call)
    assert isinstance(shown.exception, OutputError)
    assert [path.name for path in output.iterdir()] == ["participants.tsv"]
    assert (output / "participants.tsv").read_text() == "participant_id\nsub-1\n"


def test_a_device_that_is_not_there_ends_before_any_work(label_maps: Path, tmp_path: Path) -> None:
    call = [str(label_maps), str(tmp_path / "out"), "--device", "banana"]
    assert isinstance(CliRunner().invoke(simulate.cli, call).exception, DeviceError)
    assert not (tmp_path / "out").exists()
