"""Rules that bring an image to the scale a network knows, each with its inverse."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from clinica_gado.errors import BundleError, InputImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray


class IntensityScale(Protocol):
    """Takes an image to the network's scale and back, float32."""

    def apply(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring an image to the network's scale."""

    def invert(self, normalised: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring an image back to its own scale; nothing is clipped."""

    def add(self, image: NDArray[np.float32], change: NDArray[np.float32]) -> NDArray[np.float32]:
        """Add a change on the network's scale to an image on its own."""

    def spread(
        self, spread: NDArray[np.float32], around: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Bring a standard deviation around normalised values to the image's own scale."""


@dataclass(frozen=True)
class Scale:
    """A linear intensity scale: normalised = (image − offset) × factor.

    Attributes
    ----------
    clipped : whether images are clipped to [0, 1] on the way to the network, never on the way back.
    """

    offset: float
    factor: float
    clipped: bool = False

    def apply(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring an image to the network's scale, float32."""
        normalised = np.asarray((image - self.offset) * self.factor, dtype=np.float32)
        return normalised.clip(0, 1) if self.clipped else normalised

    def invert(self, normalised: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring an image back to its own scale, float32; nothing is clipped."""
        return np.asarray(normalised / self.factor + self.offset, dtype=np.float32)

    def add(self, image: NDArray[np.float32], change: NDArray[np.float32]) -> NDArray[np.float32]:
        """Add a change on the network's scale to an image on its own, which stays exact."""
        return image + change / np.float32(self.factor)

    def spread(
        self, spread: NDArray[np.float32], around: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Bring a standard deviation to the image's own scale; it is the same everywhere."""
        return spread / np.float32(self.factor)


@dataclass(frozen=True)
class EqualisedScale:
    """Share of the brain's voxels up to an intensity: a monotone scale, interpolated.

    Attributes
    ----------
    values, shares : intensities and what they become, both increasing; shares go from 0 to 1.
    """

    values: NDArray[np.float64]
    shares: NDArray[np.float64]

    def apply(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring an image to [0, 1], float32."""
        return np.interp(image, self.values, self.shares).astype(np.float32)

    def invert(self, normalised: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring an image back to its own scale; beyond [0, 1] it has its lowest and highest."""
        return np.interp(normalised, self.shares, self.values).astype(np.float32)

    def add(self, image: NDArray[np.float32], change: NDArray[np.float32]) -> NDArray[np.float32]:
        """Add a change on the network's scale to an image on its own."""
        normalised = self.apply(image)
        return image + (self.invert(normalised + change) - self.invert(normalised))

    def spread(
        self, spread: NDArray[np.float32], around: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Bring a standard deviation to the image's own scale, by the steps on both sides."""
        half = spread / np.float32(2)
        return self.invert(around + half) - self.invert(around - half)


class Normalisation(Protocol):
    """A rule that finds the scale of an image from the image alone.

    Attributes
    ----------
    brain_only : whether the network knows nothing but the brain, zeros around it.
    """

    brain_only: ClassVar[bool]

    def fit(self, image: NDArray[np.float32]) -> IntensityScale:
        """Return the scale of an image, or of a part of its voxels, of any shape."""


@dataclass(frozen=True)
class MinMax:
    """The rule of Bottani et al. 2022: minimum to 0, maximum to 1.

    One bright voxel, such as a vessel full of contrast agent, decides the scale of all others, so
    the same tissue differs between an image with contrast and one without.
    """

    rule: ClassVar[str] = "minmax"
    brain_only: ClassVar[bool] = False

    def fit(self, image: NDArray[np.float32]) -> Scale:
        """Return the scale of an image, of any shape.

        Raises
        ------
        InputImageError
            It has one value everywhere, or one that is not finite.
        """
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
    brain_only: ClassVar[bool] = False

    percentile: float = 99.0
    fraction: float = 0.1
    median: float = 0.5

    def __post_init__(self) -> None:
        if not (0 < self.percentile <= 100 and 0 < self.fraction < 1 and self.median > 0):
            raise ValueError(
                "percentile must be in (0, 100], fraction in (0, 1) and median above 0."
            )

    def fit(self, image: NDArray[np.float32]) -> Scale:
        """Return the scale of an image, of any shape.

        Raises
        ------
        InputImageError
            It has no voxel above zero, or one that is not finite.
        """
        _check_finite(image)
        positive = image[image > 0]
        if positive.size == 0:
            raise InputImageError("The image has no voxel above zero; give one that shows a head.")
        high = float(np.percentile(positive, self.percentile))
        foreground = positive[positive > self.fraction * high]
        return Scale(offset=0.0, factor=self.median / float(np.median(foreground)))


@dataclass(frozen=True)
class ZScore:
    """The rule of Bône et al. 2022: z-score in the brain, clipped, `low` to 0 and `high` to 1.

    Bône et al. 2021 say only that brain statistics and clipping were used.

    Attributes
    ----------
    low, high : z-scores; the training set's 1st and 99th percentiles, see `training_range`.
    """

    rule: ClassVar[str] = "zscore"
    brain_only: ClassVar[bool] = True

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError("low must be below high.")

    def fit(self, image: NDArray[np.float32]) -> Scale:
        """Return the scale of an image, given the voxels of its brain, of any shape.

        Raises
        ------
        InputImageError
            It has one value everywhere, or one that is not finite.
        """
        mean, deviation = _mean_and_deviation(image)
        factor = 1.0 / (deviation * (self.high - self.low))
        return Scale(offset=mean + self.low * deviation, factor=factor, clipped=True)


@dataclass(frozen=True)
class Equalised:
    """The rule of Chen et al. 2022: histogram equalisation, [0, 1] in the brain.

    Attributes
    ----------
    bins : of the histogram, as in scikit-image's `equalize_hist`.
    """

    rule: ClassVar[str] = "equalised"
    brain_only: ClassVar[bool] = True

    bins: float = 256

    def fit(self, image: NDArray[np.float32]) -> EqualisedScale:
        """Return the scale of an image, given the voxels of its brain, of any shape.

        Raises
        ------
        InputImageError
            It has two values at most, or one that is not finite.
        """
        from skimage.exposure import cumulative_distribution

        _mean_and_deviation(image)
        shares, values = cumulative_distribution(image.astype(np.float64), int(self.bins))
        shares, first = np.unique(shares, return_index=True)
        if len(shares) < 2:
            raise InputImageError("The brain has two values at most; give an image of tissue.")
        return EqualisedScale(values[first], (shares - shares[0]) / (shares[-1] - shares[0]))


Rule = MinMax | PercentileMedian | ZScore | Equalised
RULES: dict[str, type[Rule]] = {
    rule.rule: rule for rule in (MinMax, PercentileMedian, ZScore, Equalised)
}


def normalisation_from(numbers: Mapping[str, Any]) -> Rule:
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
    except (TypeError, ValueError, OverflowError) as error:
        raise BundleError(
            f"The card's normalisation {name!r} takes {', '.join(known) or 'no numbers'}: {error}"
        ) from error


def card_of(rule: Rule) -> dict[str, Any]:
    """Return what a card says of a rule; the inverse of `normalisation_from`."""
    return {"rule": rule.rule, **asdict(rule)}


def training_range(
    brains: Iterable[NDArray[np.float32]], percentiles: tuple[float, float] = (1.0, 99.0)
) -> ZScore:
    """Return the rule of a training set, of one kind of image: its percentiles in z-scores.

    Parameters
    ----------
    brains
        For each image the values of its brain, of any shape; they are read one by one.
    percentiles
        Of the z-scores of all images together, in %.

    Raises
    ------
    InputImageError
        An image has no spread, or voxels that are not numbers.
    """
    counts = np.zeros(len(_Z_EDGES) - 1, dtype=np.int64)
    for brain in brains:
        mean, deviation = _mean_and_deviation(brain)
        z_scores = ((brain - mean) / deviation).clip(_Z_EDGES[0], _Z_EDGES[-1])
        counts += np.histogram(z_scores, _Z_EDGES)[0]
    shares = np.concatenate(([0.0], np.cumsum(counts) / max(counts.sum(), 1)))
    low, high = np.interp(np.asarray(percentiles) / 100, shares, _Z_EDGES)
    return ZScore(float(low), float(high))


_Z_EDGES = np.linspace(-20.0, 60.0, 80_001)
"""Bins of .001 standard deviations: a warehouse's voxels fit in no memory, their counts do."""


def _mean_and_deviation(brain: NDArray[np.float32]) -> tuple[float, float]:
    _check_finite(brain)
    mean, deviation = float(brain.mean(dtype=np.float64)), float(brain.std(dtype=np.float64))
    if brain.size < 2 or deviation == 0:
        raise InputImageError("The brain has one value everywhere; give an image of tissue.")
    return mean, deviation


def _check_finite(image: NDArray[np.float32]) -> None:
    if not np.isfinite(image).all():
        n_bad = int(np.size(image) - np.isfinite(image).sum())
        raise InputImageError(
            f"The image has {n_bad} voxels that are not numbers; replace them and run again."
        )
