"""Loaded by each of our workers of Dask, before its first task."""

from __future__ import annotations

import logging
import signal

from clinica_gado.console import show_messages


def dask_setup(worker: object) -> None:
    """Show warnings, and leave the Ctrl-C that a terminal sends to all processes to the run."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    show_messages(logging.WARNING)
