"""The nipype workflow of t1-gado-removal: one chain of two nodes for each visit."""

from __future__ import annotations

from clinica_gado.bids import Job
from clinica_gado.pipelines.t1_gado_removal.messages import write_job
from clinica_gado.pipelines.t1_gado_removal.tasks import preprocess_task, synthesise_task
from clinica_gado.pipelines.visit_chain import VisitChain

LAST_NODE = "Synthesise"


class T1GadoRemoval(VisitChain[Job]):
    """Contrast-enhanced T1w to T1w without contrast, over the jobs that were selected."""

    steps = (("Preprocess", preprocess_task), (LAST_NODE, synthesise_task))

    def write_job(self, job: Job) -> str:
        """Return what the steps need of a job."""
        return write_job(job)
