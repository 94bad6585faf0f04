"""Jobs of SLURM in which Dask's workers run, as a TOML file describes them."""

from __future__ import annotations

import getpass
import json
import logging
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dask.utils import parse_bytes
from dask_jobqueue.slurm import SLURMCluster, SLURMJob
from distributed.security import Security

from clinica_gado.warehouse.engine import PRELOAD, EngineError
from clinica_gado.words import counted

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

logger = logging.getLogger(__name__)

LOOK_S = 30.0
ANSWER_S = 60.0
LEAST_BYTES = 1_000_000
"""Of memory: SLURM counts in megabytes, so that less is an amount without its unit."""
MAX_EARLY_ENDS = 3
"""Rounds of jobs that may end before a worker of theirs connects: after that something is wrong."""


@dataclass(frozen=True)
class JobKind:
    """Jobs of one kind.

    Attributes
    ----------
    jobs : how many to keep running.
    keywords : of `dask_jobqueue.SLURMCluster`: queue, cores, memory, processes, walltime…
    """

    jobs: int
    keywords: Mapping[str, Any]

    @property
    def visits(self) -> int:
        """How many visits run at once in a job."""
        visits: int = self.keywords.get("processes", 1)
        return visits

    @property
    def threads(self) -> int:
        """Processors of each of them."""
        return max(1, int(self.keywords["cores"]) // self.visits)

    @property
    def memory_bytes(self) -> int:
        """Memory of each of them."""
        return int(parse_bytes(str(self.keywords["memory"]))) // self.visits


def read_jobs(path: Path | None) -> dict[str, JobKind]:
    """Read the kinds of jobs, `cpu` and perhaps `gpu`, from a TOML file.

    Raises
    ------
    EngineError
        There is no such file, or it does not say how many jobs, cores and how much memory, in whole
        numbers and as an amount.
    """
    if path is None:
        raise EngineError("--engine slurm needs --slurm-options: a TOML file on the jobs.")
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EngineError(f"{path} cannot be read as TOML: {error}.") from error
    wrong = [name for name in tables if name not in ("cpu", "gpu")]
    flat = [name for name, table in tables.items() if not isinstance(table, dict)]
    if wrong or flat or "cpu" not in tables:
        raise EngineError(f"{path} must have a table [cpu], perhaps [gpu], and nothing else.")
    return {name: _kind(path, name, table) for name, table in tables.items()}


def _kind(path: Path, name: str, table: dict[str, Any]) -> JobKind:
    missing = [key for key in ("jobs", "cores", "memory") if key not in table]
    if missing:
        raise EngineError(f"{path}: [{name}] does not say {', '.join(missing)}.")
    for key in ("jobs", "cores", "processes"):
        if not _is_count(table.get(key, 1)):
            raise EngineError(_refusal(path, name, table, key, "a whole number from 1"))
    if not _is_memory(table["memory"]):
        raise EngineError(_refusal(path, name, table, "memory", 'an amount such as "32GB"'))
    keywords = {key: value for key, value in table.items() if key != "jobs"}
    return JobKind(table["jobs"], keywords)


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 1  # TOML's true would be an int, too


def _is_memory(value: object) -> bool:
    """Tell whether dask-jobqueue reads a value as an amount of which SLURM can give so much."""
    try:
        return isinstance(value, str) and parse_bytes(value) >= LEAST_BYTES
    except (ValueError, OverflowError):
        return False


def _refusal(path: Path, name: str, table: Mapping[str, Any], key: str, allowed: str) -> str:
    return f"{path}: [{name}] has {key} = {json.dumps(table[key], default=str)}; give {allowed}."


class SlurmJobs:
    """The jobs of a cluster, kept at their number: one that SLURM ended is submitted again."""

    def __init__(self, cluster: SLURMCluster, kinds: Mapping[str, JobKind]) -> None:
        self._cluster = cluster
        self._total = sum(kind.jobs for kind in kinds.values())
        self._looked, self._ends = time.monotonic(), 0
        cluster.scale(jobs=self._total)

    def renew(self, workers: int) -> None:
        """Submit again, now and then, jobs that have ended.

        Parameters
        ----------
        workers : how many are connected.

        Raises
        ------
        EngineError
            Jobs end again and again before any worker connects.
        """
        if workers:
            self._ends = 0
        if time.monotonic() - self._looked < LOOK_S:
            return
        self._looked = time.monotonic()
        known = {name: job.job_id for name, job in list(self._cluster.workers.items())}
        queued = _queued_jobs()
        ended = [name for name, job in known.items() if queued is not None and job not in queued]
        n_lost = len(ended) + self._total - len(known)
        if not n_lost:
            return
        self._ends += not workers
        if self._ends > MAX_EARLY_ENDS:
            raise EngineError(
                "SLURM refuses the jobs or ends them before a worker starts in them; their logs in "
                "log_directory say why."
            )
        logger.warning("Ended: %s of SLURM, now submitted again.", counted(n_lost, "job"))
        for name in ended:
            self._cluster.workers.pop(name, None)
        self._cluster.scale(jobs=self._total)


def _queued_jobs() -> set[str] | None:
    """Return the jobs of this user that wait or run; None when SLURM does not answer."""
    command = ["squeue", "--noheader", "--format=%A", f"--user={getpass.getuser()}"]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=ANSWER_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        logger.debug("squeue: %s", error)
        return None
    return set(answer.stdout.split())


def start_jobs(kinds: Mapping[str, JobKind], folder: Path, dashboard: str) -> SLURMCluster:
    """Start a scheduler here, whose workers come with jobs of SLURM; none is submitted yet.

    It answers to nobody without the certificate of this run, which lies in `folder`, readable by
    the user alone, until the end.

    Raises
    ------
    EngineError
        A keyword is unknown to dask-jobqueue, the scheduler cannot listen, or SLURM says that it
        would refuse the jobs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    keywords = {name: _keywords(kind, name, kinds, folder) for name, kind in kinds.items()}
    try:
        cluster = SLURMCluster(
            security=Security.temporary(),
            shared_temp_directory=str(folder),
            scheduler_options={"dashboard_address": dashboard},
            **keywords["cpu"],
        )
    except (TypeError, ValueError, RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())
        raise EngineError(f"The jobs of SLURM cannot be described: {reason}") from error
    options = {"cpu": cluster.new_spec["options"]}
    if "gpu" in kinds:
        options["gpu"] = _add_gpu_jobs(cluster, kinds["gpu"], keywords["gpu"])
    try:
        for name, given in options.items():
            _ask_slurm(name, cluster.job_cls(cluster.scheduler_address, name=name, **given))
    except EngineError:
        cluster.close(timeout=30)
        raise
    return cluster


def _add_gpu_jobs(
    cluster: SLURMCluster, kind: JobKind, keywords: Mapping[str, Any]
) -> dict[str, Any]:
    """Have a cluster keep jobs of another kind, too; return what describes one of them."""
    given = cluster.new_spec["options"]
    shared = {key: given[key] for key in ("config_name", "interface", "protocol", "security")}
    options = {**shared, **keywords}
    spec: dict[str, Any] = {"cls": cluster.job_cls, "options": options}
    if kind.visits > 1:
        spec["group"] = [f"-{number}" for number in range(kind.visits)]
    cluster.worker_spec.update({f"gpu-{n}": spec for n in range(kind.jobs)})
    return options


def _ask_slurm(name: str, job: SLURMJob) -> None:
    """Have SLURM look at a job without submitting it.

    Raises
    ------
    EngineError
        It would refuse it, or does not answer.
    """
    try:
        answer = subprocess.run(
            ["sbatch", "--test-only"],
            input=job.job_script(),
            capture_output=True,
            text=True,
            timeout=ANSWER_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise EngineError(
            f"SLURM cannot be asked for jobs here ({error}): start this where sbatch works."
        ) from error
    if answer.returncode:
        reason = " ".join(answer.stderr.split())
        raise EngineError(f"SLURM refuses the jobs that [{name}] describes: {reason}")


def _keywords(
    kind: JobKind, name: str, kinds: Mapping[str, JobKind], folder: Path
) -> dict[str, Any]:
    given = dict(kind.keywords)
    # One visit a worker: its own threads are what the cores of the job are for.
    arguments = [*given.pop("worker_extra_args", []), "--nthreads", "1"]
    arguments += ["--no-dashboard", "--preload", PRELOAD]
    if "gpu" in kinds:
        arguments += ["--resources", f"{name.upper()}=1"]
    defaults = {"log_directory": str(folder), "job_name": "clinica-gado"}
    return {**defaults, **given, "worker_extra_args": arguments}
