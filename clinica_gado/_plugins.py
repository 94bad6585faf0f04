"""Entry points of the group `clinica.pipelines`, whose import adds a `clinica run` command."""

from __future__ import annotations

import logging
from importlib.metadata import EntryPoint, entry_points

GROUP = "clinica.pipelines"

_logger = logging.getLogger(__name__)


def register() -> None:
    """Import every plugin pipeline; one that fails is left out with a single warning."""
    for plugin in entry_points(group=GROUP):
        try:
            plugin.load()
        # A plugin can fail in any way, `sys.exit` included; `clinica run t1-linear` must not care.
        except (Exception, SystemExit) as error:
            _logger.warning(
                "The pipeline '%s' is not available: importing %s failed with %s: %s. "
                "Other commands are not affected.",
                plugin.name,
                plugin.value,
                type(error).__name__,
                error,
            )


def own_plugins() -> dict[str, EntryPoint]:
    """Return this package's plugin pipelines by command name, without importing them."""
    return {
        plugin.name: plugin
        for plugin in entry_points(group=GROUP)
        if plugin.value.startswith("clinica_gado.")
    }
