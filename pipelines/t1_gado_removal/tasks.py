"""nipype's view of the steps: text in, text out; each only converts types and calls the library."""

from __future__ import annotations


def preprocess_task(job: str, settings: str, outcomes: str) -> str:
    """Bring the T1w of a visit to the template; a failure is left in `outcomes`."""
    from pathlib import Path

    from clinica_gado.gado_removal import preprocess
    from clinica_gado.outcomes import FAILED, attempt, save_outcome
    from clinica_gado.pipelines.t1_gado_removal.messages import read_job, read_settings

    read, wanted = read_job(job), read_settings(settings)
    outcome = attempt(read, lambda: preprocess(read, wanted))
    if outcome.status == FAILED:
        save_outcome(outcome, Path(outcomes))
    return job


def synthesise_task(job: str, settings: str, outcomes: str) -> str:
    """Write the synthetic T1w of a preprocessed visit and leave its outcome in `outcomes`."""
    from pathlib import Path

    from clinica_gado.gado_removal import synthesise
    from clinica_gado.outcomes import attempt, read_outcome, save_outcome
    from clinica_gado.pipelines.t1_gado_removal.messages import read_job, read_settings

    read, wanted = read_job(job), read_settings(settings)
    if read_outcome(Path(outcomes), read.visit) is None:  # it did not fail before
        save_outcome(attempt(read, lambda: synthesise(read, wanted)), Path(outcomes))
    return job


def validate_task(jobs: list[str], settings: str, outcomes: str) -> list[str]:
    """Compare the images of some visits and leave what became of each in `outcomes`."""
    from pathlib import Path

    from clinica_gado.outcomes import save_outcome
    from clinica_gado.pipelines.t1_gado_removal.messages import read_job
    from clinica_gado.pipelines.texts import read_validation_settings
    from clinica_gado.validation.visits import validate_visits

    read = [read_job(job) for job in jobs]
    for outcome in validate_visits(read, read_validation_settings(settings)):
        save_outcome(outcome, Path(outcomes))
    return jobs
