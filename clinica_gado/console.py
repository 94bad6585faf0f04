"""Messages of this package on the terminal, whichever command started it."""

from __future__ import annotations

import logging


def show_messages(level: int = logging.INFO) -> None:
    """Send the messages of the `clinica_gado` loggers to standard error; calling twice is harmless.

    Stock Clinica shows its own loggers only, and sets the root level without adding a handler.
    """
    logger = logging.getLogger("clinica_gado")
    logger.setLevel(level)
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
        logger.addHandler(handler)
