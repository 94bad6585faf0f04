"""Sidecars: the inheritance principle, and files that cannot be read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clinica_gado.bids.images import DatasetReader, Metadata
from clinica_gado.bids.visits import list_visits

NAME = "sub-01_ses-M000_acq-x_T1w.nii.gz"


def metadata_of_the_only_image(dataset: Any) -> Metadata:
    dataset.add(NAME)
    reader = DatasetReader(dataset.root)
    (folder,) = list_visits(dataset.root).folders
    (image,), _ = reader.t1w_of(folder)
    return reader.metadata_of(image)


def test_nearer_folders_take_precedence_field_by_field(dataset: Any) -> None:
    anat = "sub-01/ses-M000/anat"
    dataset.write("T1w.json", json.dumps({"a": 0, "b": 0, "c": 0, "d": 0}))
    dataset.write("sub-01/sub-01_T1w.json", json.dumps({"b": 1, "c": 1, "d": 1}))
    dataset.write("sub-01/ses-M000/sub-01_ses-M000_T1w.json", json.dumps({"c": 2, "d": 2}))
    dataset.write(f"{anat}/sub-01_ses-M000_acq-x_T1w.json", json.dumps({"d": 3}))
    assert metadata_of_the_only_image(dataset).fields == {"a": 0, "b": 1, "c": 2, "d": 3}


def test_in_one_folder_more_entities_take_precedence(dataset: Any) -> None:
    dataset.write("acq-x_T1w.json", '{"a": "acq"}')
    dataset.write("T1w.json", '{"a": "all"}')
    assert metadata_of_the_only_image(dataset).fields == {"a": "acq"}


@pytest.mark.parametrize(
    "name", ["acq-y_T1w.json", "ce-gd_T1w.json", "T2w.json", "acq-x_run-1_T1w.json", "T1w_odd.json"]
)
def test_sidecars_of_other_images_do_not_apply(dataset: Any, name: str) -> None:
    dataset.write(name, '{"ContrastBolusIngredient": "GADOLINIUM"}')
    assert metadata_of_the_only_image(dataset) == Metadata()


def test_a_sidecar_beside_its_own_image_is_of_no_other(dataset: Any) -> None:
    dataset.add("sub-01_ses-M000_T1w.nii.gz", ContrastBolusIngredient="NONE")
    dataset.write("sub-01/sub-01_T1w.json", '{"a": 1}')
    dataset.add(NAME)
    reader = DatasetReader(dataset.root)
    (folder,) = list_visits(dataset.root).folders
    images = {image.path.name: image for image in reader.t1w_of(folder)[0]}
    assert reader.metadata_of(images[NAME]).fields == {"a": 1}
    own = reader.metadata_of(images["sub-01_ses-M000_T1w.nii.gz"]).fields
    assert own == {"a": 1, "ContrastBolusIngredient": "NONE"}


@pytest.mark.parametrize("text", ["{", "", "[1]", "\x00", '"text"'])
def test_a_corrupt_sidecar_is_noted_and_the_others_are_kept(dataset: Any, text: str) -> None:
    dataset.write("T1w.json", '{"a": 1}')
    dataset.write("sub-01/ses-M000/anat/sub-01_ses-M000_acq-x_T1w.json", text)
    metadata = metadata_of_the_only_image(dataset)
    assert metadata.fields == {"a": 1}
    assert "was ignored" in metadata.notes[0]
