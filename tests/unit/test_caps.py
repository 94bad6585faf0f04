"""Names in CAPS: right for Clinica's order, invisible to the filters of Clinica and ClinicaDL."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

import pytest

from clinica_gado.bids import InputFile, InputJob, Visit
from clinica_gado.caps import (
    enhancement_paths,
    input_paths,
    linear_paths,
    real_enhanced_paths,
    removal_paths,
)

CAPS = Path("caps")
VISIT = Visit("sub-01", "ses-M000")
SOURCE = Path("bids/sub-01/ses-M000/anat/sub-01_ses-M000_ce-gadolinium_run-02_T1w.nii.gz")

STEM = "bids/sub-01/ses-M000/anat/sub-01_ses-M000"
ENHANCED = InputJob(
    VISIT,
    {
        "T1w": InputFile(Path(f"{STEM}_T1w.nii.gz")),
        "T1w-lowdose": InputFile(Path(f"{STEM}_acq-lowdose_ce-gd_T1w.nii.gz")),
        "ADC": InputFile(Path(f"{STEM}_dwi.nii.gz"), Path(f"{STEM}_dwi.bval")),
    },
    reference=Path(f"{STEM}_ce-gd_T1w.nii.gz"),
)

FOREIGN_PATTERNS = [
    "*space-MNI152NLin2009cSym_desc-Crop_res-1x1x1_T1w.nii*",
    "*space-MNI152NLin2009cSym_res-1x1x1_T1w.nii*",
    "*space-MNI152NLin2009cSym_res-1x1x1_affine.mat",
    "*_affine.mat",
    "sub-*_ses-*_t1w.nii*",
    "*_segm-graymatter*",
]


def test_the_synthetic_image_keeps_the_entities_of_its_source_in_clinicas_order():
    paths = removal_paths(CAPS, SOURCE, VISIT)
    folder = CAPS / "subjects/sub-01/ses-M000/t1_gado_removal"
    stem = "sub-01_ses-M000_ce-gadolinium_run-02_space-MNI152NLin2009cSym_desc-SynthNCE_res-1x1x1"
    assert paths.image == folder / f"{stem}_T1w.nii.gz"
    assert paths.sidecar == folder / f"{stem}_T1w.json"
    native = "sub-01_ses-M000_ce-gadolinium_run-02_space-T1w_desc-SynthNCE_T1w.nii.gz"
    assert paths.native == folder / native


def test_a_visit_without_session_is_written_under_m000():
    source = Path("bids/sub-02/anat/sub-02_ce-gadolinium_T1w.nii")
    name = removal_paths(CAPS, source, Visit("sub-02", "ses-M000")).image.name
    assert name.startswith("sub-02_ses-M000_ce-gadolinium_space-")
    assert name.endswith("_T1w.nii.gz")


@pytest.mark.parametrize("pattern", FOREIGN_PATTERNS)
def test_no_filter_of_clinica_or_clinicadl_finds_our_files(pattern):
    paths = removal_paths(CAPS, SOURCE, VISIT)
    enhanced = enhancement_paths(CAPS, ENHANCED, amplified=False)
    others = [input_paths(CAPS, ENHANCED, name).image for name in ENHANCED.files]
    names = [path.name for path in (*vars(paths).values(), *vars(enhanced).values(), *others)]
    assert not [name for name in names if fnmatch(name, pattern)]


def test_the_enhanced_image_is_named_after_the_t1w_and_what_was_done():
    folder = CAPS / "subjects/sub-01/ses-M000/t1_virtual_enhance"
    space = "sub-01_ses-M000_space-MNI152NLin2009cSym"
    paths = enhancement_paths(CAPS, ENHANCED, amplified=False)
    assert paths.image == folder / f"{space}_desc-SynthCE_res-1x1x1_T1w.nii.gz"
    amplified = enhancement_paths(CAPS, ENHANCED, amplified=True)
    assert amplified.image == folder / f"{space}_desc-Amplified_res-1x1x1_T1w.nii.gz"
    assert amplified.linear == paths.linear


def test_each_image_of_a_visit_has_a_place_of_its_own():
    images = [input_paths(CAPS, ENHANCED, name).image for name in ENHANCED.files]
    images.append(real_enhanced_paths(CAPS, ENHANCED).image)
    assert len(set(images)) == 4
    assert images[0] == enhancement_paths(CAPS, ENHANCED, amplified=False).linear
    assert images[2].name.endswith("_ADC.nii.gz")


def test_images_that_differ_by_their_description_have_places_of_their_own():
    low = InputFile(Path(f"{STEM}_ce-gd_desc-lowdose_T1w.nii.gz"))
    job = replace(ENHANCED, files={**ENHANCED.files, "T1w-lowdose": low})
    low_dose, real = input_paths(CAPS, job, "T1w-lowdose").image, real_enhanced_paths(CAPS, job)
    assert low_dose != real.image
    assert "_desc-lowdoseAligned_" in low_dose.name


def test_a_suffix_in_lower_case_is_written_as_in_bids():
    paths = removal_paths(CAPS, SOURCE.with_name("sub-01_ses-M000_ce-gd_t1w.nii.gz"), VISIT)
    assert paths.image.name.endswith("_desc-SynthNCE_res-1x1x1_T1w.nii.gz")
    assert paths.measures.name.endswith("_res-1x1x1_measures.json")


def test_the_affine_carries_its_direction():
    name = removal_paths(CAPS, SOURCE, VISIT).affine.name
    assert "from-MNI152NLin2009cSym_to-T1w_mode-image" in name


def test_clinicas_own_t1_linear_is_looked_for_under_its_own_name():
    found = linear_paths(CAPS, SOURCE, VISIT)
    stem = "sub-01_ses-M000_ce-gadolinium_run-02_space-MNI152NLin2009cSym"
    folder = CAPS / "subjects/sub-01/ses-M000/t1_linear"
    assert found.cropped == folder / f"{stem}_desc-Crop_res-1x1x1_T1w.nii.gz"
    assert found.affine == folder / f"{stem}_res-1x1x1_affine.mat"
