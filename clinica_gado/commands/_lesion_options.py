"""Options of the commands that read labels of lesions."""

from __future__ import annotations

import click

enhancing_label_option = click.option(
    "--enhancing-label",
    "enhancing_labels",
    type=int,
    multiple=True,
    default=(3, 4),
    help="Label of enhancing lesion; repeatable.",
)
