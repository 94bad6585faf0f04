"""Messages of this package on the terminal, whichever command started it."""

from __future__ import annotations

import logging


def show_messages(level: int | None = None) -> None:
    """Send the messages of the `clinica_gado` loggers to standard error; calling twice is harmless.

    Stock Clinica shows its own loggers only, and sets the root level without adding a handler: so
    `clinica -v` shows debug messages. Without `level`, one that was set before stays.
    """
    logger = logging.getLogger("clinica_gado")
    if level is None:
        level = logger.level or min(logging.INFO, logging.getLogger().level)
    logger.setLevel(level)
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
        logger.addHandler(handler)
