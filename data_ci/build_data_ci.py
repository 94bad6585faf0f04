"""Make data_ci/bids and data_ci/bids_doses: small simulated heads with and without gadolinium.

Usage: python data_ci/build_data_ci.py LABEL_MAPS [OUTPUT]
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from clinica_gado.files import atomic_path, write_json, write_tsv
from clinica_gado.simulation.agent import CLINICAL_DOSE_MMOL_PER_KG
from clinica_gado.simulation.dataset import simulate_subject, write_images
from clinica_gado.simulation.parameters import Geometry, LesionKind
from clinica_gado.simulation.planning import ImageSpec, SessionSpec, SubjectSpec, plan_subject
from clinica_gado.simulation.signal import Flair, SpinEcho

logger = logging.getLogger("build_data_ci")

GADOLINIUM = (("ContrastBolusIngredient", "GADOLINIUM"),)
NO_AGENT = (("ContrastBolusIngredient", "NONE"),)
PLAIN = ImageSpec(0.0)
PLAIN_STATED = ImageSpec(0.0, sidecar=NO_AGENT)
ENHANCED = ImageSpec(CLINICAL_DOSE_MMOL_PER_KG, "ce-gadolinium")
ENHANCED_STATED = ImageSpec(CLINICAL_DOSE_MMOL_PER_KG, "ce-gadolinium", GADOLINIUM)
ENHANCED_RUNS = tuple(
    ImageSpec(CLINICAL_DOSE_MMOL_PER_KG, f"ce-gadolinium_run-{run}", GADOLINIUM)
    for run in ("01", "02")
)

LOW_DOSE = ImageSpec(CLINICAL_DOSE_MMOL_PER_KG / 4, "acq-lowdose_ce-gadolinium", GADOLINIUM)
ISOTROPIC_2 = Geometry((2.0, 2.0, 2.0), coverage_mm=190.0)
AXIAL_4 = Geometry((1.2, 1.2, 4.0), "LPS", coverage_mm=170.0)
T2W = ImageSpec(0.0, sequence=SpinEcho(4800.0, 100.0, "T2w"), geometry=AXIAL_4)
FLAIR = ImageSpec(0.0, sequence=Flair(9000.0, 2300.0, 110.0), geometry=AXIAL_4)
ISOTROPIC_1_6 = Geometry((1.6, 1.6, 1.6), coverage_mm=215.0)
OBLIQUE_PSR = Geometry((1.7, 1.7, 1.7), "PSR", (10.0, -3.0, 4.0), coverage_mm=180.0)
ISOTROPIC_2_LAS = Geometry((2.0, 2.0, 2.0), "LAS")
THICK_AXIAL = Geometry((1.0, 1.0, 5.0), "LPS", (-8.0, 0.0, 0.0), coverage_mm=150.0)
WITH_LESION = ("sub-ci01", "sub-ci04")
COARSE = Geometry((3.0, 3.0, 3.0))


def subjects(label_maps: Path) -> tuple[SubjectSpec, ...]:
    """Return the three subjects: with lesion; without session folder; with runs, thick slices."""
    lesion_visits = (
        SessionSpec("ses-M000", ISOTROPIC_1_6, (PLAIN_STATED, ENHANCED_STATED, T2W, FLAIR)),
        SessionSpec("ses-M012", COARSE, (PLAIN_STATED,)),
    )
    cross_sectional = (SessionSpec(None, OBLIQUE_PSR, (PLAIN, ENHANCED)),)
    repeated_visits = (
        SessionSpec("ses-M000", ISOTROPIC_2_LAS, (PLAIN, *ENHANCED_RUNS)),
        SessionSpec("ses-M006", THICK_AXIAL, (PLAIN, ENHANCED)),
    )
    return (
        _subject("sub-ci01", label_maps / "head_17_dseg.nii.gz", 1.5, lesion_visits),
        _subject("sub-ci02", label_maps / "head_18_dseg.nii.gz", 3.0, cross_sectional),
        _subject("sub-ci03", label_maps / "head_19_dseg.nii.gz", 1.5, repeated_visits),
    )


def dose_subjects(label_maps: Path) -> tuple[SubjectSpec, ...]:
    """Return the one subject scanned at no, a quarter of and the full dose."""
    session = SessionSpec("ses-M000", ISOTROPIC_2, (PLAIN_STATED, LOW_DOSE, ENHANCED_STATED))
    return (_subject("sub-ci04", label_maps / "head_20_dseg.nii.gz", 3.0, (session,)),)


def _subject(
    participant_id: str, label_map: Path, field_t: float, sessions: tuple[SessionSpec, ...]
) -> SubjectSpec:
    lesions: tuple[LesionKind, ...] = ("ring",) if participant_id in WITH_LESION else ()
    return SubjectSpec(
        participant_id, label_map, int(participant_id[-2:]), field_t, lesions, sessions
    )


DESCRIPTION = {
    "Name": "data_ci: simulated MRI with and without gadolinium",
    "BIDSVersion": "1.9.0",
    "DatasetType": "raw",
    "License": "Apache-2.0",
    "GeneratedBy": [
        {"Name": "clinica_gado.simulation", "Description": "data_ci/build_data_ci.py"},
    ],
    "SourceDatasets": [
        {
            "URL": "https://github.com/BBillot/SynthSeg",
            "Version": "training label maps 17, 18 and 19 (Billot et al. 2023)",
        }
    ],
}

README = """Simulated whole-head T1w MRI of three heads, with and without gadolinium.

No person was scanned: the images are computed by `clinica_gado.simulation` from label maps
published with SynthSeg (Apache-2.0; Billot et al. 2023, Medical Image Analysis 86:102789).
Every parameter is in the sidecar of each image.

sub-ci01  ses-M000: T1w, ce-gadolinium, T2w, FLAIR, ring-enhancing lesion; ses-M012: a coarse T1w
sub-ci02  no sessions: T1w and ce-gadolinium, 3 T, oblique, stored as PSR, agent not in sidecars
sub-ci03  ses-M000: T1w and two runs of ce-gadolinium, stored as LAS; ses-M006: 5 mm axial slices
"""


README_OF_DOSES = (
    README.partition("sub-ci01")[0].replace("three heads", "a head")
    + """\
sub-ci04  ses-M000: T1w without contrast, at 0.025 and at 0.1 mmol/kg, ring-enhancing lesion, 2 mm
"""
)


def write_top_level(root: Path, readme: str, planned: Iterable[SubjectSpec]) -> None:
    """Write the description, the table of participants and the README of a dataset."""
    write_json(root / "dataset_description.json", DESCRIPTION)
    rows = [
        {
            "participant_id": subject.participant_id,
            "label_map": subject.label_map.name.removesuffix("_dseg.nii.gz"),
            "lesion": "ring-enhancing" if subject.lesions else "none",
        }
        for subject in planned
    ]
    write_tsv(root / "participants.tsv", pd.DataFrame(rows))
    with atomic_path(root / "README") as partial:
        partial.write_text(readme, encoding="utf-8")


def main() -> None:
    """Write the dataset."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("label_maps", type=Path, help="folder of head_XX_dseg.nii.gz")
    parser.add_argument("output", type=Path, nargs="?", default=Path(__file__).parent)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    datasets = (
        ("bids", README, subjects(arguments.label_maps)),
        ("bids_doses", README_OF_DOSES, dose_subjects(arguments.label_maps)),
    )
    for name, readme, planned in datasets:
        write_top_level(arguments.output / name, readme, planned)
        for subject in planned:
            logger.info("Simulating %s from %s", subject.participant_id, subject.label_map.name)
            write_images(arguments.output / name, simulate_subject(plan_subject(subject)))


if __name__ == "__main__":
    main()
