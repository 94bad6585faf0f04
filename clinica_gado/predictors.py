"""Bundles and predictors as the user asked for them, each loaded once a process."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clinica_gado.inference import Predictor
    from clinica_gado.models.bundle import Bundle
    from clinica_gado.settings import SynthesisSettings

MAX_LOADED = 4
"""A model, and those that make the images which a visit lacks."""


def find_model(task: str, model: str | None) -> Bundle:
    """Return a bundle by id or folder, verified; None for the one shipped for the task.

    Raises
    ------
    BundleError
        It is missing or altered.
    """
    from clinica_gado.models.bundle import default_bundle, find_bundle, load_bundle

    return load_bundle(default_bundle(task) if model is None else find_bundle(model))


def predictor_of(settings: SynthesisSettings, model: str | None = None) -> Predictor:
    """Return the predictor that settings ask for, or the same of another `model`.

    Raises
    ------
    BundleError, DeviceError
        The bundle is missing or altered, or the device is not there.
    """
    name = settings.model if model is None else model
    compute = (settings.device, settings.precision, settings.flips)
    return load_predictor(settings.pipeline, name, *compute)


@lru_cache(maxsize=MAX_LOADED)
def load_predictor(
    task: str, model: str | None, device: str, precision: str, flips: str
) -> Predictor:
    """Load a bundle once per process.

    Raises
    ------
    BundleError, DeviceError
        The bundle is missing or altered, or the device is not there.
    """
    from clinica_gado.inference import Predictor

    return Predictor(find_model(task, model), device=device, precision=precision, flips=flips)
