"""The shipped demonstration dataset: complete, small, valid, and made by its script."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import nibabel as nib
import numpy as np
import pytest

from clinica_gado.simulation.dataset import simulate_subject
from clinica_gado.simulation.planning import plan_subject

REPOSITORY = Path(__file__).parents[2]
DATASET, DOSES = REPOSITORY / "data_ci" / "bids", REPOSITORY / "data_ci" / "bids_doses"
LABEL_MAPS = REPOSITORY.parent / "shared" / "labelmaps"
LIMIT_BYTES = 15_000_000
NAME = re.compile(
    r"(?P<sub>sub-[a-z0-9]+)(_(?P<ses>ses-M\d{3}))?(_acq-lowdose)?(_ce-gadolinium)?(_run-\d{2})?_(T1w|T2w|FLAIR)\.nii\.gz"
)
IMAGES = sorted([*DATASET.rglob("*.nii.gz"), *DOSES.rglob("*.nii.gz")])


def _sidecar(image: Path) -> dict[str, object]:
    text = image.with_name(image.name.replace(".nii.gz", ".json")).read_text(encoding="utf-8")
    return dict(json.loads(text))


def _names(folder: str) -> list[str]:
    return sorted(path.name for path in (DATASET / folder / "anat").glob("*.nii.gz"))


def test_dataset_is_small() -> None:
    total = sum(path.stat().st_size for path in DATASET.parent.rglob("*") if path.is_file())
    assert 0 < total < LIMIT_BYTES


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_name_folder_and_sidecar_are_bids(path: Path) -> None:
    match = NAME.fullmatch(path.name)
    assert match is not None
    folders = [part for part in (match["sub"], match["ses"], "anat") if part]
    assert path.parent in (DATASET.joinpath(*folders), DOSES.joinpath(*folders))
    sidecar = _sidecar(path)
    assert sidecar["Simulated"] is True
    assert "SyntheticImage" not in sidecar
    assert isinstance(sidecar["RepetitionTime"], float)


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_image_loads_with_a_coherent_header(path: Path) -> None:
    image = nib.load(path)
    values = np.asarray(image.dataobj)
    assert values.ndim == 3
    assert values.dtype == np.int16
    assert values.max() > 100
    np.testing.assert_allclose(image.get_qform(), image.get_sform(), atol=1e-3)


def test_a_stated_agent_agrees_with_the_name() -> None:
    for path in IMAGES:
        agent = _sidecar(path).get("ContrastBolusIngredient")
        expected = "GADOLINIUM" if "_ce-" in path.name else "NONE"
        assert agent in (None, expected)


def test_some_sidecars_state_the_agent_and_some_do_not() -> None:
    stated = ["ContrastBolusIngredient" in _sidecar(path) for path in IMAGES]
    assert any(stated)
    assert not all(stated)


def test_a_subject_has_no_session_folder() -> None:
    assert _names("sub-ci02") == ["sub-ci02_T1w.nii.gz", "sub-ci02_ce-gadolinium_T1w.nii.gz"]


def test_a_visit_has_two_runs_of_the_enhanced_image() -> None:
    runs = [name for name in _names("sub-ci03/ses-M000") if "_run-" in name]
    assert len(runs) == 2


def test_a_visit_has_only_a_plain_image() -> None:
    assert _names("sub-ci01/ses-M012") == ["sub-ci01_ses-M012_T1w.nii.gz"]


def test_a_visit_has_what_virtual_enhancement_takes() -> None:
    names = {name.rpartition("_")[2] for name in _names("sub-ci01/ses-M000")}
    assert names == {"T1w.nii.gz", "T2w.nii.gz", "FLAIR.nii.gz"}


def test_enhancement_grows_with_the_dose() -> None:
    folder = DOSES / "sub-ci04" / "ses-M000" / "anat"
    plain, low, full = (
        nib.load(folder / f"sub-ci04_ses-M000_{name}T1w.nii.gz").get_fdata()
        for name in ("", "acq-lowdose_ce-gadolinium_", "ce-gadolinium_")
    )
    enhancing = full - plain > 0.5 * np.percentile(plain, 99)
    assert enhancing.sum() > 100
    assert plain[enhancing].mean() < low[enhancing].mean() < full[enhancing].mean()


def test_a_visit_has_thick_slices() -> None:
    for path in (DATASET / "sub-ci03" / "ses-M006" / "anat").glob("*.nii.gz"):
        zooms = nib.load(path).header.get_zooms()
        np.testing.assert_allclose(zooms, (1.0, 1.0, 5.0), atol=1e-4)


def test_several_storage_orders_and_an_oblique_affine_are_there() -> None:
    affines = [nib.load(path).affine for path in IMAGES]
    assert len({nib.aff2axcodes(affine) for affine in affines}) >= 3
    oblique = [np.rad2deg(nib.affines.obliquity(affine)).max() for affine in affines]
    assert max(oblique) > 9
    assert min(oblique) < 0.1


def test_agent_brightens_an_image_more_than_it_darkens_it() -> None:
    folder = DATASET / "sub-ci01" / "ses-M000" / "anat"
    plain, enhanced = (
        nib.load(folder / f"sub-ci01_ses-M000_{name}.nii.gz").get_fdata()
        for name in ("T1w", "ce-gadolinium_T1w")
    )
    change = enhanced - plain
    threshold = 0.3 * np.percentile(plain, 99)
    assert (change > threshold).sum() > 20 * max(1, (change < -threshold).sum())


def test_top_level_files_are_there() -> None:
    description = json.loads((DATASET / "dataset_description.json").read_text(encoding="utf-8"))
    assert {"Name", "BIDSVersion", "License", "GeneratedBy", "SourceDatasets"} <= set(description)
    participants = (DATASET / "participants.tsv").read_text(encoding="utf-8").splitlines()
    listed = {line.split("\t")[0] for line in participants[1:]}
    assert listed == {path.name for path in DATASET.glob("sub-*")}
    assert (DATASET / "README").is_file()


@pytest.mark.slow
def test_script_gives_the_shipped_image_again() -> None:
    if not LABEL_MAPS.is_dir():
        pytest.skip("needs ../shared/labelmaps, the label maps the dataset was made from")
    subject = plan_subject(_script().subjects(LABEL_MAPS)[2])
    made = next(simulate_subject(subject))
    shipped = nib.load(DATASET / made.path)
    np.testing.assert_allclose(made.image.affine, shipped.affine, atol=1e-4)
    difference = np.abs(np.asarray(made.image.dataobj) - np.asarray(shipped.dataobj))
    assert difference.max() <= 1  # rounding may differ between processors
    assert (difference > 0).mean() < 1e-3


def _script() -> ModuleType:
    path = REPOSITORY / "data_ci" / "build_data_ci.py"
    spec = importlib.util.spec_from_file_location("build_data_ci", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
