"""The options of harmonize: what they become, and what they refuse."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from clinica_gado.commands.harmonize import cli
from clinica_gado.commands.main import cli as main
from clinica_gado.pipelines.t1_gado_removal.cli import cli as removal
from clinica_gado.runs.shards import Shard
from clinica_gado.warehouse import engine as engine_module
from clinica_gado.warehouse import options as options_module
from clinica_gado.warehouse.engine import EngineError, EngineOptions, local_workers, start_engine
from clinica_gado.warehouse.options import read_plan

SLURM = """
[cpu]
jobs = 3
queue = "main"
cores = 8
memory = "32GB"
processes = 4
"""


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    for module in (engine_module, options_module):
        monkeypatch.setattr(module, "memory_bytes", lambda: (10e9, 5e9))
    monkeypatch.setattr(engine_module, "allowed_cpus", lambda: 8)


def plan_of(*arguments):
    context = cli.make_context("harmonize", [".", ".", *arguments])
    return read_plan(context.params)


def test_as_many_visits_as_memory_holds_share_the_machine():
    plan = plan_of()
    assert (plan.limits.threads, plan.limits.memory_bytes) == (2, 3_000_000_000)
    assert (plan.engine.name, plan.limits.timeout_s) == ("local", 3 * 3600)


def test_what_is_asked_for_is_taken():
    plan = plan_of(
        *("--workers", "4", "--threads", "1", "--memory-gb", "0", "--shard", "2/3", "--limit", "7"),
        *("--timeout", "0.5", "--attempts", "1", "--retry-failed", "--since", "2026-01-31"),
    )
    assert (plan.limits.memory_bytes, plan.limits.timeout_s, plan.limits.attempts) == (0, 30, 1)
    assert (plan.shard, plan.limit, plan.retry_failed) == (Shard(2, 3), 7, True)
    assert plan.since.isoformat() == "2026-01-31T00:00:00"


def test_jobs_of_slurm_share_their_cores_and_memory(tmp_path):
    pytest.importorskip("dask_jobqueue")
    toml = tmp_path / "jobs.toml"
    toml.write_text(SLURM)
    plan = plan_of("--engine", "slurm", "--slurm-options", str(toml))
    assert (plan.limits.threads, plan.limits.memory_bytes) == (2, 8_000_000_000)


def test_jobs_of_both_kinds_of_slurm_hold_a_visit(tmp_path):
    pytest.importorskip("dask_jobqueue")
    toml = tmp_path / "jobs.toml"
    toml.write_text(f'{SLURM}[gpu]\njobs = 1\ncores = 1\nmemory = "6GB"\n')
    plan = plan_of("--engine", "slurm", "--slurm-options", str(toml))
    assert (plan.limits.threads, plan.limits.memory_bytes) == (1, 6_000_000_000)


def test_workers_with_a_gpu_share_the_machine_with_the_others():
    asked = plan_of("--workers", "2", "--gpu-workers", "2").limits
    assert (asked.threads, asked.memory_bytes) == (2, 2_250_000_000)
    left = plan_of("--gpu-workers", "1")
    assert (left.limits.threads, left.limits.memory_bytes) == (2, 3_000_000_000)
    assert local_workers(left.engine) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[cpu]\njobs = 1\ncores = 2", "does not say memory"),
        ("[cpus]\njobs = 1", r"must have a table \[cpu\]"),
        ("jobs = ", "cannot be read as TOML"),
        ("cpu = 4", r"must have a table \[cpu\]"),
        ("[[cpu]]\njobs = 1", r"must have a table \[cpu\]"),
    ],
)
def test_wrong_descriptions_of_jobs_are_told(tmp_path, text, words):
    pytest.importorskip("dask_jobqueue")
    toml = tmp_path / "jobs.toml"
    toml.write_text(text)
    with pytest.raises(EngineError, match=words):
        plan_of("--engine", "slurm", "--slurm-options", str(toml))


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        ('jobs = "two"', "a whole number from 1"),
        ("jobs = true", "a whole number from 1"),
        ("jobs = 0", "a whole number from 1"),
        ("cores = 2.5", "a whole number from 1"),
        ("processes = 0", "a whole number from 1"),
        ('memory = "lots"', 'an amount such as "32GB"'),
        ('memory = "-3GB"', 'an amount such as "32GB"'),
        ('memory = "1e999GB"', 'an amount such as "32GB"'),
        ('memory = "32"', 'an amount such as "32GB"'),
        ("memory = 32", 'an amount such as "32GB"'),
    ],
)
def test_wrong_values_of_jobs_are_told_with_what_is_allowed(tmp_path, kind, line, allowed):
    pytest.importorskip("dask_jobqueue")
    good = {"jobs": "1", "cores": "2", "memory": '"4GB"'}
    key, _, value = line.partition(" = ")
    toml = tmp_path / "jobs.toml"
    tables = {"cpu": good, "gpu": good} | {kind: {**good, key: value}}
    lines = [
        f"[{name}]\n" + "".join(f"{k} = {v}\n" for k, v in table.items())
        for name, table in tables.items()
    ]
    toml.write_text("".join(lines))
    with pytest.raises(EngineError) as refusal:
        plan_of("--engine", "slurm", "--slurm-options", str(toml))
    assert str(refusal.value) == f"{toml}: [{kind}] has {line}; give {allowed}."


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ("exclude each other", "--engine processes --scheduler tcp://127.0.0.1:1"),
        ("--gpu-workers needs Dask", "--engine processes --gpu-workers 1"),
        ("--slurm-options needs --engine slurm", "--slurm-options {toml}"),
        ("--slurm-options needs", "--slurm-options {toml} --engine processes"),
        ("--slurm-options needs", "--slurm-options {toml} --scheduler tcp://127.0.0.1:1"),
        (r"a \[gpu\] table", "--engine slurm --slurm-options {toml} --gpu-workers 2"),
        ("how many workers", "--engine slurm --slurm-options {toml} --workers 5"),
        ("--workers does not apply", "--scheduler tcp://127.0.0.1:1 --workers 5"),
        ("--dashboard applies only", "--scheduler tcp://127.0.0.1:1 --dashboard :1"),
        ("--dashboard applies only", "--engine processes --dashboard :1"),
        ("give HOST:PORT", "--dashboard foo:bar"),
        ("give HOST:PORT", "--dashboard 127.0.0.1:99999"),
    ],
)
def test_options_that_exclude_each_other_are_told(tmp_path, words, arguments):
    toml = tmp_path / "jobs.toml"
    toml.write_text(SLURM)
    with pytest.raises(EngineError, match=words) as refusal:
        plan_of(*arguments.format(toml=toml).split())
    assert "\n" not in str(refusal.value)


def test_a_refused_option_is_one_line_and_exit_code_2(tmp_path):
    toml = tmp_path / "jobs.toml"
    toml.write_text(SLURM)
    folders = [str(tmp_path), str(tmp_path / "caps")]
    said = CliRunner().invoke(main, ["harmonize", *folders, "--slurm-options", str(toml)])
    assert said.exit_code == 2
    assert said.output.splitlines() == [
        "Error: --slurm-options needs --engine slurm: without it no job is submitted."
    ]
    assert not (tmp_path / "caps").exists()


def test_without_dask_the_remedy_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "clinica_gado.warehouse.dask_engine", None)
    with pytest.raises(EngineError, match=r"clinica-gado\[warehouse\].*--engine processes"):
        start_engine(EngineOptions("local"), tmp_path)


def test_options_of_a_visit_are_those_of_clinica_run():
    shared = {parameter.name for parameter in removal.params} - {"n_procs", "working_directory"}
    assert shared <= {parameter.name for parameter in cli.params}
    text = CliRunner().invoke(cli, ["--help"]).output
    assert "--input-filter" in text
    assert "--working_directory" not in text
