"""What can be said of a visit without its real non-enhanced image: enhancement left, change made.

Nothing here compares with a truth: an index says how bright what usually enhances is, before and
after, and the change map how much was darkened, and whether a part of it is no vessel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import ndimage

from clinica_gado.preprocessing.templates import template_brain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clinica_gado.segmentation.segmenter import TissueMaps
    from clinica_gado.segmentation.volumes import TissueVolumes

REGIONS = {"sinuses": 1, "choroid": 2, "vessels": 3}
"""Labels of the map of what enhances: dural sinuses, choroid plexus, vessels at the base."""
REGION_PERCENTILE = 90.0
"""Of a region; the anatomy fills it in part only, so the median is often that of CSF."""
WHITE_PRIOR = 0.9
"""A voxel is white matter, the yardstick, where its prior is greater."""
MIN_VOXELS = 50
"""An index of fewer voxels (a skull-stripped image has few sinuses) is not given."""
DARKENED = 0.10
"""A voxel was darkened when it lost more than this share of the brain's median before."""
STRONGLY_DARKENED = 0.20
LESION_DEPTH_MM = 8.0
"""Nearer to the surface of the template's brain, meninges and cortical veins are darkened too."""
LESION_RADIUS_MM = 3.0
"""Opening by a ball of this radius takes away what is thinner, as vessels are."""
LESION_CM3 = 3.0
"""See `lesion_volume` for how it was chosen."""

TIV_CM3 = (900.0, 2300.0)
FRACTIONS = {"gm": (0.25, 0.65), "wm": (0.18, 0.53), "csf": (0.02, 0.50)}
"""Plausible TIV and shares of it; see `segmentation_plausibility`."""

DEFINITIONS = {
    **{
        f"{region}_index_{when}": f"90th percentile in the {words} over the median of white "
        f"matter, {image}"
        for region, words in (
            ("sinuses", "dural sinuses"),
            ("choroid", "choroid plexus"),
            ("vessels", "vessels at the base"),
        )
        for when, image in (("before", "contrast-enhanced image"), ("after", "synthetic image"))
    },
    "darkened_percent": "share of the brain darkened by more than 10 % of its median before",
    "brightened_percent": "share of the brain brightened by more than 10 % of its median before",
    "mean_change_percent": "mean change in the brain, in % of its median before",
    "lesion_like_cm3": "largest connected volume darkened by more than 20 % of the brain's median, "
    "over 8 mm deep, without what is thinner than about 7 mm, in cm³",
}
"""Columns of `measure_contrast` in words."""


class Contrast(NamedTuple):
    """What `measure_contrast` found: the columns of `DEFINITIONS`, and doubts in words."""

    numbers: dict[str, float | None]
    flags: tuple[str, ...]


def measure_contrast(
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    regions: NDArray[np.uint8],
    priors: TissueMaps,
    brain: NDArray[np.bool_] | None = None,
) -> Contrast:
    """Measure enhancement before and after, and the change, of one visit.

    Parameters
    ----------
    before, after : contrast-enhanced and synthetic image, (X, Y, Z), on one grid at 1 mm.
    regions : labels of `REGIONS`, (X, Y, Z).
    priors : tissue probabilities of an atlas on the same grid.
    brain : the atlas's brain, (X, Y, Z); that of the shipped template by default.

    Returns
    -------
    Numbers are None where nothing can be measured.
    """
    whole = template_brain() if brain is None else brain
    seen = (before > 0) & (after > 0)
    white = seen & (priors.whitematter > WHITE_PRIOR)
    numbers: dict[str, float | None] = {}
    for name, label in REGIONS.items():
        region = seen & (regions == label)
        for when, image in (("before", before), ("after", after)):
            numbers[f"{name}_index_{when}"] = enhancement_index(image, region, white)
    numbers |= change_statistics(before, after, whole & (before > 0))
    numbers["lesion_like_cm3"] = lesion_volume(before, after, whole)
    return Contrast(numbers, _flags(numbers))


def enhancement_index(
    image: NDArray[np.float32], region: NDArray[np.bool_], white: NDArray[np.bool_]
) -> float | None:
    """Return the 90th percentile of a region over the median of white matter, (X, Y, Z) each.

    None with too few voxels of either, or without signal in the white matter.
    """
    if min(np.count_nonzero(region), np.count_nonzero(white)) < MIN_VOXELS:
        return None
    yardstick = float(np.median(image[white]))
    top = float(np.percentile(image[region], REGION_PERCENTILE))
    return round(top / yardstick, 4) if yardstick > 0 else None


def change_statistics(
    before: NDArray[np.float32], after: NDArray[np.float32], brain: NDArray[np.bool_]
) -> dict[str, float | None]:
    """Return how much of a brain, (X, Y, Z), was darkened and brightened, and the mean change.

    Changes are shares of the brain's median before, so that noise in dark CSF counts little.
    """
    names = ("darkened_percent", "brightened_percent", "mean_change_percent")
    median = float(np.median(before[brain])) if brain.any() else 0.0
    if median <= 0:
        return dict.fromkeys(names, None)
    change = (after[brain] - before[brain]) / median
    shares = ((change < -DARKENED).mean(), (change > DARKENED).mean(), change.mean())
    return {name: round(100 * float(share), 3) for name, share in zip(names, shares, strict=True)}


def lesion_volume(
    before: NDArray[np.float32], after: NDArray[np.float32], brain: NDArray[np.bool_]
) -> float | None:
    """Return the volume in cm³ of the largest darkened part that is no vessel, at 1 mm.

    It is connected, darkened by more than a fifth of the brain's median, deeper in the brain than
    8 mm, and left by an opening with a ball of 3 mm. What is darkened without these rules is one
    net of vessels and meninges that takes in the lesions.

    `LESION_CM3` lies between what the shipped model darkened in real pairs with an enhancing tumour
    of over 5 cm³ by its labels (4.5–47 cm³ in nine of ten; the tenth, of 132 cm³ by its labels, has
    0.4 and is missed) and in the six whose labels have less than 1 cm³ of it (up to 0.9, and 1.7
    when the real image without contrast is taken for the synthetic one). Chosen on those 16 and
    checked on no others; small lesions raise no flag.
    """
    seen = brain & (before > 0)
    median = float(np.median(before[seen])) if seen.any() else 0.0
    if median <= 0:
        return None
    box = ndimage.find_objects(brain.astype(np.uint8))[0]
    deep = ndimage.distance_transform_edt(np.pad(brain[box], 1))[1:-1, 1:-1, 1:-1]
    change = (after[box] - before[box]) / median
    darkened = seen[box] & (change < -STRONGLY_DARKENED) & (deep > LESION_DEPTH_MM)
    parts, n_parts = ndimage.label(_opened(darkened))
    if not n_parts:
        return 0.0
    return round(float(np.bincount(parts.ravel())[1:].max()) / 1000.0, 3)


def segmentation_plausibility(volumes: TissueVolumes) -> tuple[str, ...]:
    """Return, in words, what of a visit's tissue volumes is out of range; empty when plausible.

    TIV here is GM + WM + CSF on the template's grid. Adults have some 900–2000 cm³ (heads 01–14 of
    the label maps: 1401–1753); a head is enlarged to the template, whose brain has 2006 cm³, which
    with 15 % of margin makes 2300; a brain without its outer CSF has less. Shares: in those heads
    GM .31–.48, WM .25–.35, CSF .18–.44; without any CSF GM would be .54–.60 and WM .40–.46; a
    margin of about .06 is added to both ends.
    """
    tiv = volumes.tiv_cm3
    if not np.isfinite(tiv) or tiv <= 0:
        return ("the segmentation found no tissue",)
    low, high = TIV_CM3
    flags = [f"TIV of {tiv:.0f} cm³ is outside {low:.0f}–{high:.0f}"] * (not low <= tiv <= high)
    for tissue, (least, most) in FRACTIONS.items():
        share = getattr(volumes, f"{tissue}_cm3") / tiv
        if not least <= share <= most:
            flags.append(f"{tissue.upper()} is {share:.2f} of TIV, outside {least:.2f}–{most:.2f}")
    return tuple(flags)


def _opened(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Open a mask by a ball of `LESION_RADIUS_MM`, by distances: quicker than by its voxels."""
    padded = np.pad(mask, 1)
    core = ndimage.distance_transform_edt(padded) > LESION_RADIUS_MM
    if not core.any():
        return np.zeros(mask.shape, dtype=bool)
    grown = ndimage.distance_transform_edt(~core) <= LESION_RADIUS_MM
    return np.asarray(grown[1:-1, 1:-1, 1:-1], dtype=bool)


def _flags(numbers: dict[str, float | None]) -> tuple[str, ...]:
    volume = numbers["lesion_like_cm3"]
    if volume is None:
        return ("no signal in the template's brain",)
    if volume <= LESION_CM3:
        return ()
    return (
        f"a large enhancing volume, {volume:.1f} cm³, was changed (over {LESION_CM3:.0f}): "
        "lesion? Compare with the contrast-enhanced image",
    )
