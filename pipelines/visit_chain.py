"""The nipype workflow of a pipeline of this package: one chain of nodes for each visit."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import nipype.interfaces.utility as nutil
import nipype.pipeline.engine as npe
from clinica.pipelines.engine import Pipeline

from clinica_gado.outcomes import FAILED, Outcome, Treated, read_outcome
from clinica_gado.pipelines.texts import write_settings
from clinica_gado.workflow import ProgressLog, run_steadily

AnyJob = TypeVar("AnyJob", bound=Treated)

KILLED = "its process was killed, perhaps for lack of memory; try a smaller --n_procs."
INTERRUPTED = "interrupted before its end; run the same command again to go on."
MEMORY_GB_PER_VISIT = 3
"""No more visits run at once than this allows, whatever `--n_procs`: more than a visit's peak."""


class VisitChain(Pipeline, Generic[AnyJob]):
    """A pipeline over the jobs that were selected, in which no visit stops another.

    Clinica's own listing of visits, its prompts and its failure handling are replaced: it takes a
    contrast-enhanced image for a plain one, asks questions that nobody on a cluster can answer,
    and stops at the first failed visit.

    Attributes
    ----------
    steps : name and function of each node, in order; a function takes a job, the settings and the
        folder of outcomes, and returns the job, all as text.
    """

    steps: ClassVar[Sequence[tuple[str, Callable[[str, str, str], str]]]]

    def __init__(
        self,
        settings: Any,
        jobs: Sequence[AnyJob],
        *,
        base_dir: Path | None = None,
        caps_name: str | None = None,
    ) -> None:
        self.settings, self.jobs = settings, list(jobs)
        self._running = list(jobs)
        if base_dir:
            base_dir.mkdir(parents=True, exist_ok=True)
        # A folder of its own: nipype takes what an earlier run left in the same one for its own.
        own_folder = tempfile.mkdtemp(prefix=f"{settings.pipeline}-", dir=base_dir)
        super().__init__(
            bids_directory=str(settings.bids),
            caps_directory=str(settings.caps),
            base_dir=own_folder,
            overwrite_caps=settings.overwrite,
            name=settings.pipeline,
            caps_name=caps_name,
        )

    @abstractmethod
    def write_job(self, job: AnyJob) -> str:
        """Return what the steps need of a job."""

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
            iterables=[("job", [self.write_job(job) for job in self.jobs])],
        )
        self.connect([(read, self.input_node, [("job", "job")])])

    def _build_core_nodes(self) -> None:
        nodes = [self._node(function, name) for name, function in self.steps]
        chain = [self.input_node, *nodes, self.output_node]
        self.connect(
            [(before, after, [("job", "job")]) for before, after in itertools.pairwise(chain)]
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
        completed = run_steadily(self, n_procs, progress, self.steps[-1][0])
        otherwise = KILLED if completed else INTERRUPTED
        return [self._outcome_of(job, otherwise) for job in self.jobs]

    def _outcome_of(self, job: AnyJob, otherwise: str) -> Outcome:
        found = read_outcome(self.outcomes_folder, job.visit)
        return found or Outcome(job.visit, job.source.name, FAILED, otherwise)

    def _new_ends(self) -> list[str]:
        ended = [job for job in self._running if read_outcome(self.outcomes_folder, job.visit)]
        self._running = [job for job in self._running if job not in ended]
        return [str(self._outcome_of(job, KILLED)) for job in ended]
