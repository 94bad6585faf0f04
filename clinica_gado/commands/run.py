"""`clinica-gado run`: the second door to this package's pipelines, which needs no start-up hook."""

from __future__ import annotations

import logging

import click

from clinica_gado._plugins import own_plugins


class PipelineGroup(click.Group):
    """Group of the pipelines that this package gives to `clinica run`, imported on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of this package's pipelines."""
        return list(own_plugins())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a pipeline and return the command it gave to Clinica."""
        plugin = own_plugins().get(cmd_name)
        if plugin is None:
            return None
        plugin.load()
        from clinica.pipelines.cli import cli as clinica_run

        return clinica_run.commands.get(cmd_name)


@click.group(cls=PipelineGroup)
def cli() -> None:
    """Run this package's pipelines on BIDS and CAPS datasets, as `clinica run` does."""
    _prepare_logging()


def _prepare_logging() -> None:
    # As stock Clinica does, but without nipype's log file in the current folder.
    import nipype  # noqa: F401  (its import adds the handlers that are removed here)
    from clinica.cmdline import setup_clinica_logging

    setup_clinica_logging("INFO")
    logging.getLogger("nipype").handlers = [logging.NullHandler()]
