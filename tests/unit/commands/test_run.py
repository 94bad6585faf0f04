"""`clinica-gado run`, the door that needs no hook."""

from __future__ import annotations

import sys
import types
from importlib.metadata import EntryPoint

import click
import pytest
from click.testing import CliRunner

from clinica_gado.commands import run

NAME = "t1-stand-in"


@pytest.fixture
def clinica_run(monkeypatch: pytest.MonkeyPatch) -> click.Group:
    """Replace Clinica's `run` group by one that holds a foreign pipeline."""
    group = click.Group("run", commands={"t1-linear": click.Command("t1-linear")})
    module = types.ModuleType("clinica.pipelines.cli")
    module.cli = group  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "clinica.pipelines.cli", module)
    return group


@pytest.fixture(autouse=True)
def own_plugin(monkeypatch: pytest.MonkeyPatch, clinica_run: click.Group) -> None:
    """Give this package one pipeline, registered by the import of its module."""

    class Plugin(EntryPoint):
        def load(self) -> None:
            clinica_run.add_command(click.Command(NAME, help="Stand in.", callback=lambda: None))

    plugin = Plugin(NAME, "clinica_gado.pipelines.stand_in.cli", "clinica.pipelines")
    monkeypatch.setattr(run, "own_plugins", lambda: {NAME: plugin})
    monkeypatch.setattr(run, "_prepare_logging", lambda: None)


def test_help_lists_this_package_s_pipelines_only() -> None:
    shown = CliRunner().invoke(run.cli, ["--help"])
    assert NAME in shown.output
    assert "t1-linear" not in shown.output


def test_pipeline_runs_through_the_command_given_to_clinica() -> None:
    assert CliRunner().invoke(run.cli, [NAME]).exit_code == 0


def test_pipeline_of_clinica_is_not_reached_by_this_door() -> None:
    shown = CliRunner().invoke(run.cli, ["t1-linear"])
    assert shown.exit_code == 2
    assert "No such command 't1-linear'" in shown.output
