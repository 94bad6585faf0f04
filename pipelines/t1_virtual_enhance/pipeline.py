"""The nipype workflow of t1-virtual-enhance: one chain of two nodes for each visit."""

from __future__ import annotations

from clinica_gado.bids import InputJob
from clinica_gado.pipelines.t1_virtual_enhance.messages import write_job
from clinica_gado.pipelines.t1_virtual_enhance.tasks import enhance_task, preprocess_task
from clinica_gado.pipelines.visit_chain import VisitChain


class T1VirtualEnhance(VisitChain[InputJob]):
    """Sequences of a visit to its contrast-enhanced T1w, over the jobs that were selected."""

    steps = (("Preprocess", preprocess_task), ("Enhance", enhance_task))

    def write_job(self, job: InputJob) -> str:
        """Return what the steps need of a job."""
        return write_job(job)
