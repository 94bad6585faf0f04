"""The nipype workflow of t1-gado-removal: one chain of two nodes for each visit."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nipype.interfaces.utility as nutil
import nipype.pipeline.engine as npe
from clinica.pipelines.engine import Pipeline

from clinica_gado.bids import Job
from clinica_gado.gado_removal import PIPELINE, RemovalSettings
from clinica_gado.outcomes import FAILED, Outcome, read_outcome
from clinica_gado.pipelines.t1_gado_removal.messages import write_job, write_settings
from clinica_gado.pipelines.t1_gado_removal.tasks import preprocess_task, synthesise_task
from clinica_gado.workflow import ProgressLog, run_steadily

logger = logging.getLogger(__name__)

LAST_NODE = "Synthesise"
KILLED = "its process was killed, perhaps for lack of memory; try a smaller --n_procs."
INTERRUPTED = "interrupted before its end; run the same command again to go on."
MEMORY_GB_PER_VISIT = 3
"""No more visits run at once than this allows, whatever `--n_procs`: more than a visit's peak."""


class T1GadoRemoval(Pipeline):
    """Contrast-enhanced T1w to T1w without contrast, over the jobs that were selected.

    Clinica's own listing of visits, its prompts and its failure handling are replaced: it takes a
    contrast-enhanced image for a plain one, asks questions that nobody on a cluster can answer,
    and stops at the first failed visit.
    """

    def __init__(
        self,
        settings: RemovalSettings,
        jobs: Sequence[Job],
        *,
        base_dir: Path | None = None,
        caps_name: str | None = None,
    ) -> None:
        self.settings, self.jobs = settings, list(jobs)
        self._running = list(jobs)
        if base_dir:
            base_dir.mkdir(parents=True, exist_ok=True)
        # A folder of its own: nipype takes what an earlier run left in the same one for its own.
        own_folder = tempfile.mkdtemp(prefix=f"{PIPELINE}-", dir=base_dir)
        super().__init__(
            bids_directory=str(settings.bids),
            caps_directory=str(settings.caps),
            base_dir=own_folder,
            overwrite_caps=settings.overwrite,
            name=PIPELINE,
            caps_name=caps_name,
        )

    def _compute_subjects_and_sessions(self) -> None:
        self._subjects = [job.visit.participant_id for job in self.jobs]
        self._sessions = [job.visit.session_id for job in self.jobs]

    def _check_custom_dependencies(self) -> None:
        pass

    def _check_pipeline_parameters(self) -> None:
        pass

    def get_input_fields(self) -> list[str]:
        """Return the fields of the input node."""
        return ["job"]

    def get_output_fields(self) -> list[str]:
        """Return the fields of the output node."""
        return ["job"]

    @property
    def outcomes_folder(self) -> Path:
        """Where each visit leaves its outcome."""
        return Path(self.base_dir) / "outcomes"

    def _build_input_node(self) -> None:
        read = npe.Node(
            nutil.IdentityInterface(fields=self.get_input_fields()),
            name="ReadJobs",
            iterables=[("job", [write_job(job) for job in self.jobs])],
        )
        self.connect([(read, self.input_node, [("job", "job")])])

    def _build_core_nodes(self) -> None:
        preprocess = self._node(preprocess_task, "Preprocess")
        synthesise = self._node(synthesise_task, LAST_NODE)
        self.connect(
            [
                (self.input_node, preprocess, [("job", "job")]),
                (preprocess, synthesise, [("job", "job")]),
                (synthesise, self.output_node, [("job", "job")]),
            ]
        )

    def _node(self, function: Any, name: str) -> npe.Node:
        interface = nutil.Function(
            input_names=["job", "settings", "outcomes"], output_names=["job"], function=function
        )
        node = npe.Node(interface, name=name, mem_gb=MEMORY_GB_PER_VISIT)
        node.inputs.settings = write_settings(self.settings)
        node.inputs.outcomes = str(self.outcomes_folder)
        return node

    def _build_output_node(self) -> None:
        pass

    def has_output_connections(self) -> bool:
        """Return that nothing is to be collected: the nodes write to CAPS themselves."""
        return True

    def run_all(self, n_procs: int) -> list[Outcome]:
        """Run every job and return what became of each, in order; no visit stops another."""
        try:
            return self._run_all(n_procs) if self.jobs else []
        finally:
            shutil.rmtree(self.base_dir, ignore_errors=True)

    def _run_all(self, n_procs: int) -> list[Outcome]:
        self.build()
        progress = ProgressLog(len(self.jobs), self._new_ends)
        completed = run_steadily(self, n_procs, progress, LAST_NODE)
        otherwise = KILLED if completed else INTERRUPTED
        return [self._outcome_of(job, otherwise) for job in self.jobs]

    def _outcome_of(self, job: Job, otherwise: str) -> Outcome:
        found = read_outcome(self.outcomes_folder, job.visit)
        return found or Outcome(job.visit, job.source.name, FAILED, otherwise)

    def _new_ends(self) -> list[str]:
        ended = [job for job in self._running if read_outcome(self.outcomes_folder, job.visit)]
        self._running = [job for job in self._running if job not in ended]
        return [str(self._outcome_of(job, KILLED)) for job in ended]
