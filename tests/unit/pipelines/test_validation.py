"""How the validation of a run is shared among processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinica_gado.bids import NO_EVIDENCE, Job, Visit
from clinica_gado.gado_removal import RemovalSettings
from clinica_gado.pipelines.t1_gado_removal.messages import (
    read_job,
    read_settings,
    write_job,
)
from clinica_gado.pipelines.t1_gado_removal.validation import split
from clinica_gado.pipelines.texts import read_validation_settings, write_settings
from clinica_gado.preprocessing.t1_linear import LinearOptions
from clinica_gado.validation.settings import ValidationSettings

JOBS = [
    Job(Visit(f"sub-{number:02d}", "ses-M000"), Path(f"{number}.nii.gz"), NO_EVIDENCE)
    for number in range(9)
]


@pytest.mark.parametrize(
    ("n_procs", "sizes"), [(1, [6, 3]), (2, [5, 4]), (3, [3, 3, 3]), (20, [1] * 9)]
)
def test_few_visits_are_shared_evenly_and_many_in_groups(n_procs, sizes):
    groups = split(JOBS, n_procs)
    assert [len(group) for group in groups] == sizes
    assert [job for group in groups for job in group] == JOBS


def test_a_job_crosses_to_another_process_with_its_reference():
    job = Job(
        *(Visit("sub-01", "ses-M012"), Path("/a/ce.nii.gz"), NO_EVIDENCE),
        reference=Path("/a/nce.nii.gz"),
        reference_visit=Visit("sub-01", "ses-M000"),
    )
    read = read_job(write_job(job))
    assert (read.visit, read.source) == (job.visit, job.source)
    assert (read.reference, read.reference_visit) == (job.reference, job.reference_visit)


@pytest.mark.parametrize("template", [None, Path("/a/template.nii.gz")])
def test_settings_cross_to_another_process(template):
    linear = LinearOptions(template=template)
    removal = RemovalSettings(Path("/bids"), Path("/caps"), linear=linear)
    assert read_settings(write_settings(removal)) == removal
    validation = ValidationSettings(Path("/caps"), "spm", Path("/a/TPM.nii"), linear)
    assert read_validation_settings(write_settings(validation)) == validation
