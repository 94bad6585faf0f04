"""The `clinica-gado` command: finds the module of a verb only when that verb is asked for."""

from __future__ import annotations

import logging
from importlib import import_module

import click

from clinica_gado import __version__
from clinica_gado.console import show_messages

VERBS = {
    "run": "Run this package's pipelines, as `clinica run` does.",
    "harmonize": "Treat a whole warehouse, here or on a cluster.",
    "status": "Show how far a warehouse is, and why visits failed.",
    "doctor": "Look at what is installed, and say what is missing.",
    "detect": "Tell which T1w hold gadolinium, and which ones to look at.",
    "export": "Write T1w without contrast as a CAPS for Clinica and ClinicaDL.",
    "models": "List, check and convert model bundles.",
    "train": "Train a model on real pairs and simulated heads.",
    "study": "Study inputs, number of cases and local loss, as papers do.",
    "report": "Write the quality report of a run, or its pages as PDF or PNG.",
    "evaluate": "Compare models on real pairs, case by case.",
    "readers": "Score lesions that readers marked, and compare their grades.",
    "simulate": "Simulate MRI with and without gadolinium from label maps.",
}


class _CannotStartError(click.ClickException):
    """One line for the user; exit code 1 is kept for a run in which some visits failed."""

    exit_code = 2


class VerbGroup(click.Group):
    """Group whose commands live in `clinica_gado.commands.<verb>.cli`.

    The one-line helps are in `VERBS`, so that `--help` imports none of those modules.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order they are presented."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a verb and return its command."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"clinica_gado.commands.{cmd_name}").cli
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs with their one-line helps."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

    def invoke(self, ctx: click.Context) -> object:
        """Run a verb; an error the user can act on is one line and exit code 2."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            # Imported late: only a failing command needs Clinica here.
            from clinica.utils.exceptions import ClinicaException

            if not isinstance(error, ClinicaException):
                raise
            raise _CannotStartError(str(error)) from error


@click.group(
    cls=VerbGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="clinica-gado")
@click.option("-v", "--verbose", is_flag=True, help="Show debug messages too.")
def cli(verbose: bool) -> None:
    """Remove and simulate gadolinium contrast in T1-weighted MRI.

    For research, not for diagnosis.
    """
    show_messages(logging.DEBUG if verbose else logging.INFO)
