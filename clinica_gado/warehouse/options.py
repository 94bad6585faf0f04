"""The options of `clinica-gado harmonize` as what the library takes."""

from __future__ import annotations

from typing import Any

from clinica_gado.doctor.machine import memory_bytes
from clinica_gado.runs.shards import parse_shard
from clinica_gado.runs.visit_process import Limits
from clinica_gado.warehouse.engine import (
    DASHBOARD,
    EngineError,
    EngineOptions,
    local_threads,
    local_workers,
)
from clinica_gado.warehouse.harmonize import Plan

MAX_PORT = 65535
MEMORY_SHARE = 0.9
"""Of this machine's memory that visits may take together."""


def read_plan(options: dict[str, Any]) -> Plan:
    """Turn the command line's options into a plan.

    Raises
    ------
    EngineError, SelectionError
        They contradict each other, or cannot be read.
    """
    engine = _read_engine(options)
    return Plan(
        engine=engine,
        limits=_read_limits(options, engine),
        shard=None if options["shard"] is None else parse_shard(options["shard"]),
        retry_failed=options["retry_failed"],
        limit=options["limit"],
        since=options["since"],
        log_json=options["log_json"],
    )


def _read_engine(options: dict[str, Any]) -> EngineOptions:
    name, address = options["name"], options["address"]
    if address is not None and name != "local":
        raise EngineError(f"--scheduler and --engine {name} exclude each other: give one.")
    name = name if address is None else "scheduler"
    _refuse_ignored(name, options)
    return EngineOptions(
        name=name,
        workers=options["workers"],
        gpu_workers=options["gpu_workers"],
        threads=options["threads"],
        slurm=options["slurm"],
        address=address,
        dashboard=options["dashboard"] or DASHBOARD,
    )


def _refuse_ignored(name: str, options: dict[str, Any]) -> None:
    """Raise EngineError on an option that the engine would pass over in silence."""
    if options["slurm"] is not None and name != "slurm":
        raise EngineError("--slurm-options needs --engine slurm: without it no job is submitted.")
    if name == "slurm" and options["gpu_workers"]:
        raise EngineError(
            "With --engine slurm, a [gpu] table in --slurm-options describes GPU jobs."
        )
    if name == "processes" and options["gpu_workers"]:
        raise EngineError("--gpu-workers needs Dask: leave --engine processes out.")
    if options["dashboard"] is not None:
        _check_address(options["dashboard"])
    if options["dashboard"] is not None and name in ("processes", "scheduler"):
        raise EngineError(
            "--dashboard applies only where this command starts Dask: --engine local or slurm."
        )
    if options["workers"] is None:
        return
    if name == "slurm":
        raise EngineError(
            "With --engine slurm, jobs and processes in --slurm-options say how many workers."
        )
    if name == "scheduler":
        raise EngineError("--workers does not apply to --scheduler, whose workers run already.")


def _check_address(address: str) -> None:
    port = address.rpartition(":")[2]
    if not (port.isdecimal() and int(port) <= MAX_PORT):
        raise EngineError(
            f"--dashboard {address}: give HOST:PORT, or :PORT, PORT up to {MAX_PORT}."
        )


def _read_limits(options: dict[str, Any], engine: EngineOptions) -> Limits:
    threads, memory = _shares(engine)
    given = options["memory_gb"]
    return Limits(
        timeout_s=60 * options["timeout"],
        memory_bytes=memory if given is None else int(given * 1e9),
        attempts=options["attempts"],
        threads=engine.threads or threads,
    )


def _shares(engine: EngineOptions) -> tuple[int, int]:
    """Return the threads and the memory in bytes of each visit, where nothing was asked for.

    A visit that goes from one kind of worker to another has the smaller share on both.
    """
    if engine.name == "scheduler":
        return 1, 0
    if engine.name == "slurm":
        from clinica_gado.warehouse.slurm import read_jobs

        kinds = read_jobs(engine.slurm).values()
        return min(kind.threads for kind in kinds), min(kind.memory_bytes for kind in kinds)
    share = MEMORY_SHARE * memory_bytes()[0] / (local_workers(engine) + engine.gpu_workers)
    return local_threads(engine), int(share)
