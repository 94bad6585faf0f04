"""The `clinica-gado` command."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib import import_module

import click
import pytest
from click.testing import CliRunner

import clinica_gado
from clinica_gado.commands import main
from clinica_gado.errors import BundleError


@pytest.fixture
def failing_verb(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    """Return a function that makes `clinica-gado models` raise an error."""

    def fail_with(error: Exception) -> None:
        @click.command()
        def verb() -> None:
            raise error

        monkeypatch.setattr(main.VerbGroup, "get_command", lambda *_: verb)

    return fail_with


def test_version_is_shown() -> None:
    shown = CliRunner().invoke(main.cli, ["--version"])
    assert shown.exit_code == 0
    assert clinica_gado.__version__ in shown.output


def test_help_names_every_verb() -> None:
    shown = CliRunner().invoke(main.cli, ["--help"])
    assert shown.exit_code == 0
    for verb, summary in main.VERBS.items():
        assert verb in shown.output
        assert summary in shown.output


def test_help_imports_neither_clinica_nor_torch() -> None:
    code = (
        "import sys; from clinica_gado.commands.main import cli; "
        "cli(['--help'], standalone_mode=False); "
        "heavy = {'clinica', 'torch', 'nipype', 'numpy'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("verb", main.VERBS)
def test_every_verb_has_its_module(verb: str) -> None:
    assert isinstance(import_module(f"clinica_gado.commands.{verb}").cli, click.Command)


def test_unknown_verb_is_a_usage_error() -> None:
    shown = CliRunner().invoke(main.cli, ["no-such-verb"])
    assert shown.exit_code == 2
    assert "No such command 'no-such-verb'" in shown.output


def test_error_of_the_user_is_one_line_and_exit_code_2(
    failing_verb: Callable[[Exception], None],
) -> None:
    failing_verb(BundleError("The bundle is altered: fetch it again."))
    shown = CliRunner().invoke(main.cli, ["models"])
    assert shown.exit_code == 2
    assert shown.output == "Error: The bundle is altered: fetch it again.\n"


def test_error_of_ours_keeps_its_traceback(failing_verb: Callable[[Exception], None]) -> None:
    failing_verb(ZeroDivisionError("a defect"))
    shown = CliRunner().invoke(main.cli, ["models"])
    assert isinstance(shown.exception, ZeroDivisionError)


def test_deliberate_exit_code_is_kept(failing_verb: Callable[[Exception], None]) -> None:
    failing_verb(click.exceptions.Exit(1))
    assert CliRunner().invoke(main.cli, ["models"]).exit_code == 1
