"""Options of the commands that read labels of lesions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def enhancing_label_option(declare: Callable[..., Decorator] = click.option) -> Decorator:
    """Return `--enhancing-label`, declared as the rest of a command's options are."""
    return declare(
        "--enhancing-label",
        "enhancing_labels",
        type=int,
        multiple=True,
        default=(3, 4),
        help="Label of enhancing lesions; repeatable.",
    )
