"""Jobs of SLURM are kept at their number, unless they cannot start at all."""

from __future__ import annotations

import os
from types import SimpleNamespace

import psutil
import pytest

pytest.importorskip("dask_jobqueue")

from clinica_gado.warehouse import slurm
from clinica_gado.warehouse.engine import EngineError
from clinica_gado.warehouse.slurm import MAX_EARLY_ENDS, JobKind, SlurmJobs

LOOPBACK = next(
    name
    for name, addresses in psutil.net_if_addrs().items()
    if any(address.address == "127.0.0.1" for address in addresses)
)
KIND = JobKind(2, {"cores": 4, "memory": "8GB"})


class Cluster:
    """Gives every job a number of its own, as SLURM does."""

    def __init__(self):
        self.workers, self.submitted = {}, 0

    def scale(self, jobs):
        for number in range(jobs):
            if number not in self.workers:
                self.submitted += 1
                self.workers[number] = SimpleNamespace(job_id=str(self.submitted))


@pytest.fixture
def queue(monkeypatch):
    """The jobs that SLURM knows; None when it does not answer."""
    queue = SimpleNamespace(jobs={"1", "2"})
    monkeypatch.setattr(slurm, "LOOK_S", -1.0)
    monkeypatch.setattr(slurm, "_queued_jobs", lambda: queue.jobs)
    return queue


def test_jobs_that_run_or_wait_are_left_alone(queue):
    cluster = Cluster()
    SlurmJobs(cluster, {"cpu": KIND}).renew(workers=0)
    assert cluster.submitted == 2


def test_a_job_that_ended_is_submitted_again(queue):
    cluster = Cluster()
    jobs = SlurmJobs(cluster, {"cpu": KIND})
    queue.jobs = {"2"}
    jobs.renew(workers=1)
    assert sorted(job.job_id for job in cluster.workers.values()) == ["2", "3"]


def test_a_job_that_dask_gave_up_is_submitted_again(queue):
    cluster = Cluster()
    jobs = SlurmJobs(cluster, {"cpu": KIND})
    del cluster.workers[0]
    jobs.renew(workers=1)
    assert sorted(job.job_id for job in cluster.workers.values()) == ["2", "3"]


def test_when_slurm_does_not_answer_nothing_is_submitted(queue):
    cluster = Cluster()
    jobs = SlurmJobs(cluster, {"cpu": KIND})
    queue.jobs = None
    jobs.renew(workers=0)
    assert cluster.submitted == 2


def test_jobs_that_never_get_to_work_end_the_run(queue):
    jobs = SlurmJobs(Cluster(), {"cpu": KIND})
    queue.jobs = set()
    for _ in range(MAX_EARLY_ENDS):
        jobs.renew(workers=0)
    with pytest.raises(EngineError, match="log_directory"):
        jobs.renew(workers=0)


def test_kinds_of_jobs_add_up_and_share(queue):
    cluster = Cluster()
    SlurmJobs(cluster, {"cpu": KIND, "gpu": JobKind(1, KIND.keywords)})
    assert cluster.submitted == 3
    kind = JobKind(1, {"cores": 9, "memory": "8GB", "processes": 4})
    assert (kind.visits, kind.threads, kind.memory_bytes) == (4, 2, 2_000_000_000)
    assert JobKind(1, {"cores": 1, "memory": "8GB", "processes": 4}).threads == 1


def test_jobs_that_slurm_would_refuse_are_named_before_any_is_submitted(tmp_path, monkeypatch):
    sbatch = tmp_path / "sbatch"
    sbatch.write_text(
        "#!/bin/sh\n"
        f'echo "$@" >> {tmp_path}/calls\n'
        "grep -q 'SBATCH -p nowhere' || exit 0\n"
        "echo 'invalid partition specified: nowhere' >&2; exit 1\n"
    )
    sbatch.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    good = JobKind(1, {"cores": 1, "memory": "1GB", "interface": LOOPBACK})
    wrong = JobKind(1, {**good.keywords, "queue": "nowhere"})
    with pytest.raises(EngineError, match=r"\[gpu\] describes: invalid partition .* nowhere"):
        slurm.start_jobs({"cpu": good, "gpu": wrong}, tmp_path / "jobs", "127.0.0.1:0")
    assert set((tmp_path / "calls").read_text().split()) == {"--test-only"}


def test_without_sbatch_nothing_starts(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    kind = JobKind(1, {"cores": 1, "memory": "1GB", "interface": LOOPBACK})
    with pytest.raises(EngineError, match="where sbatch works"):
        slurm.start_jobs({"cpu": kind}, tmp_path / "jobs", "127.0.0.1:0")
