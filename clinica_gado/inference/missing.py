"""What takes the place of an image that a visit lacks, as the card says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clinica_gado.errors import InputImageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from clinica_gado.inference.predictor import Predictor
    from clinica_gado.models.card import Card

GIVEN, ZEROS = "given", "zeros"


@dataclass(frozen=True)
class CompletedImages:
    """Images by input, and of every input where it comes from, to be recorded.

    Attributes
    ----------
    images : what to give to `Predictor.predict`, without those that zeros stand in for.
    origins : `given`, `zeros`, or `synthesised by ID (sha256 …)`.
    """

    images: Mapping[str, Any]
    origins: Mapping[str, str]


def complete_images(
    images: Mapping[str, Any],
    card: Card,
    predictor_of: Callable[[str], Predictor],
    region: NDArray[np.bool_] | None = None,
) -> CompletedImages:
    """Synthesise the images that a visit lacks where the card names a model for that.

    Where it names none, zeros stand in for those that it allows to be missing. A model makes an
    image of those given, not of synthetic ones.

    Parameters
    ----------
    images
        By the card's names, on the template's grid.
    predictor_of
        Gives the predictor of a bundle, by its id.
    region
        As in `Predictor.predict`.

    Raises
    ------
    InputImageError
        An image is missing and nothing can take its place.
    """
    completed = dict(images)
    origins: dict[str, str] = {}
    for item in card.inputs:
        if item.name in images:
            origins[item.name] = GIVEN
        elif item.synthesised_by is not None:
            predictor = predictor_of(item.synthesised_by)
            completed[item.name] = _synthesise(predictor, images, item.name, region)
            bundle = predictor.bundle
            origins[item.name] = f"synthesised by {bundle.card.id} (sha256 {bundle.sha256})"
        elif item.may_be_missing:
            origins[item.name] = ZEROS
    refused = [item.name for item in card.inputs if item.name not in origins]
    if refused:
        raise InputImageError(
            f"The model {card.id} was not trained to do without {', '.join(refused)}, and its card "
            "names no model to synthesise it; give the image, or take another model."
        )
    return CompletedImages(completed, origins)


def _synthesise(
    predictor: Predictor,
    images: Mapping[str, Any],
    name: str,
    region: NDArray[np.bool_] | None,
) -> NDArray[np.float32]:
    card = predictor.bundle.card
    known = {item.name: images[item.name] for item in card.inputs if item.name in images}
    lacking = [item.name for item in card.inputs if not item.may_be_missing]
    lacking = [needed for needed in lacking if needed not in known]
    if lacking:
        raise InputImageError(
            f"{name} is missing, and {card.id} cannot synthesise it without {', '.join(lacking)}; "
            "give one of the images."
        )
    return predictor.predict(known, region=region).array
