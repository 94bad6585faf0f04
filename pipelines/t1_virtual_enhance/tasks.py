"""nipype's view of the steps: text in, text out; each only converts types and calls the library."""

from __future__ import annotations


def preprocess_task(job: str, settings: str, outcomes: str) -> str:
    """Bring the images of a visit to the template; a failure is left in `outcomes`."""
    from pathlib import Path

    from clinica_gado.outcomes import FAILED, attempt, save_outcome
    from clinica_gado.pipelines.t1_virtual_enhance.messages import read_job, read_settings
    from clinica_gado.virtual_enhancement import preprocess

    read, wanted = read_job(job), read_settings(settings)
    outcome = attempt(read, lambda: preprocess(read, wanted))
    if outcome.status == FAILED:
        save_outcome(outcome, Path(outcomes))
    return job


def enhance_task(job: str, settings: str, outcomes: str) -> str:
    """Write the synthetic T1w of a preprocessed visit, measure it, and leave its outcome."""
    from pathlib import Path

    from clinica_gado.outcomes import FAILED, attempt, read_outcome, save_outcome, with_validation
    from clinica_gado.pipelines.t1_virtual_enhance.messages import read_job, read_settings
    from clinica_gado.validation.enhancement import validate_visit
    from clinica_gado.virtual_enhancement import synthesise

    read, wanted = read_job(job), read_settings(settings)
    if read_outcome(Path(outcomes), read.visit) is not None:  # it failed before
        return job
    outcome = attempt(read, lambda: synthesise(read, wanted))
    if outcome.status != FAILED:
        outcome = with_validation(outcome, attempt(read, lambda: validate_visit(read, wanted)))
    save_outcome(outcome, Path(outcomes))
    return job
