"""Rules that bring an image to the scale a network knows, each with its inverse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from clinica_gado.errors import BundleError, InputImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Scale:
    """A linear intensity scale: normalised = (image − offset) × factor."""

    offset: float
    factor: float

    def apply(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring an image to the network's scale, float32; nothing is clipped."""
        return np.asarray((image - self.offset) * self.factor, dtype=np.float32)

    def invert(self, normalised: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring an image back to its own scale, float32; nothing is clipped."""
        return np.asarray(normalised / self.factor + self.offset, dtype=np.float32)


class Normalisation(Protocol):
    """A rule that finds the scale of an image from the image alone."""

    def fit(self, image: NDArray[np.float32]) -> Scale:
        """Return the scale of an image, of any shape."""


@dataclass(frozen=True)
class MinMax:
    """The rule of Bottani et al. 2022: minimum to 0, maximum to 1.

    One bright voxel, such as a vessel full of contrast agent, decides the scale of all others, so
    the same tissue differs between an image with contrast and one without.
    """

    rule: ClassVar[str] = "minmax"

    def fit(self, image: NDArray[np.float32]) -> Scale:
        """Return the scale of an image, of any shape."""
        _check_finite(image)
        lowest, highest = float(image.min()), float(image.max())
        if lowest == highest:
            raise InputImageError(
                f"The image has one value everywhere ({lowest:g}); give one that shows a head."
            )
        return Scale(offset=lowest, factor=1.0 / (highest - lowest))


@dataclass(frozen=True)
class PercentileMedian:
    """Foreground median to a fixed value, no offset: air and the zeros of a brain mask stay zero.

    The foreground is what exceeds `fraction` of the `percentile`-th percentile of the positive
    voxels: noise in the air falls out, vessels and lesions have no weight in a median.

    Attributes
    ----------
    percentile : the high percentile, in %.
    fraction : share of the high percentile above which a voxel is foreground.
    median : what the foreground median becomes.
    """

    rule: ClassVar[str] = "percentile"

    percentile: float = 99.0
    fraction: float = 0.1
    median: float = 0.5

    def __post_init__(self) -> None:
        if not (0 < self.percentile <= 100 and 0 < self.fraction < 1 and self.median > 0):
            raise ValueError(
                "percentile must be in (0, 100], fraction in (0, 1) and median above 0."
            )

    def fit(self, image: NDArray[np.float32]) -> Scale:
        """Return the scale of an image, of any shape."""
        _check_finite(image)
        positive = image[image > 0]
        if positive.size == 0:
            raise InputImageError("The image has no voxel above zero; give one that shows a head.")
        high = float(np.percentile(positive, self.percentile))
        foreground = positive[positive > self.fraction * high]
        return Scale(offset=0.0, factor=self.median / float(np.median(foreground)))


RULES: dict[str, type[MinMax] | type[PercentileMedian]] = {
    rule.rule: rule for rule in (MinMax, PercentileMedian)
}


def normalisation_from(numbers: Mapping[str, Any]) -> Normalisation:
    """Build a rule from a card, e.g. `{"rule": "percentile", "median": 0.5}`.

    Raises
    ------
    BundleError
        The rule is unknown, or a number does not belong to it.
    """
    rest = dict(numbers)
    name = rest.pop("rule", None)
    if name not in RULES:
        raise BundleError(
            f"The card's normalisation rule is {name!r}; known rules: {', '.join(RULES)}."
        )
    rule = RULES[name]
    known = [field.name for field in fields(rule)]
    try:
        return rule(**{key: float(value) for key, value in rest.items()})
    except (TypeError, ValueError) as error:
        raise BundleError(
            f"The card's normalisation {name!r} takes {', '.join(known) or 'no numbers'}: {error}"
        ) from error


def card_of(rule: MinMax | PercentileMedian) -> dict[str, Any]:
    """Return what a card says of a rule; the inverse of `normalisation_from`."""
    return {"rule": rule.rule, **asdict(rule)}


def _check_finite(image: NDArray[np.float32]) -> None:
    if not np.isfinite(image).all():
        n_bad = int(np.size(image) - np.isfinite(image).sum())
        raise InputImageError(
            f"The image has {n_bad} voxels that are not numbers; replace them and run again."
        )
