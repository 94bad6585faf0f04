"""Bundles and predictors as the user asked for them, each loaded once a process."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from clinica_gado.errors import BundleError

if TYPE_CHECKING:
    from clinica_gado.inference import Predictor
    from clinica_gado.models.bundle import Bundle
    from clinica_gado.settings import SynthesisSettings

MAX_LOADED = 4
"""A model, and those that make the images which a visit lacks."""


def find_model(task: str | None, model: str | None) -> Bundle:
    """Return a bundle by id or folder, verified; None for the one shipped for the task.

    Parameters
    ----------
    task : what the bundle must be for; None for anything.

    Raises
    ------
    BundleError
        It is missing or altered, or is for another task.
    """
    from clinica_gado.models.bundle import default_bundle, find_bundle, load_bundle

    bundle = load_bundle(default_bundle(str(task)) if model is None else find_bundle(model))
    if task is not None and bundle.card.task != task:
        raise BundleError(
            f"The model {bundle.card.id} is for {bundle.card.task}, not for {task}; name another "
            "with --model (`clinica-gado models list` shows what each is for)."
        )
    return bundle


def predictor_of(settings: SynthesisSettings, model: str | None = None) -> Predictor:
    """Return the predictor that settings ask for, or that of a `model` which makes a missing image.

    Raises
    ------
    BundleError, DeviceError
        The bundle is missing or altered, or is for another task; or the device is not there.
    """
    task, name = (settings.pipeline, settings.model) if model is None else (None, model)
    return load_predictor(task, name, settings.device, settings.precision, settings.flips)


@lru_cache(maxsize=MAX_LOADED)
def load_predictor(
    task: str | None, model: str | None, device: str, precision: str, flips: str
) -> Predictor:
    """Load a bundle once per process; see `find_model`.

    Raises
    ------
    BundleError, DeviceError
        The bundle is missing or altered, or is for another task; or the device is not there.
    """
    from clinica_gado.inference import Predictor

    return Predictor(find_model(task, model), device=device, precision=precision, flips=flips)
