"""A real pair as it is evaluated: images, brain, what enhances, where the lesions are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clinica_gado.bids import Visit
from clinica_gado.evaluation.enhancement import classify_tissue, tissue_contrast
from clinica_gado.evaluation.similarity import Yardstick
from clinica_gado.preprocessing.templates import template_brain
from clinica_gado.training.pairs import load_pair
from clinica_gado.training.target import remove_enhancement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from clinica_gado.evaluation.lesions import Lesions

    Image = NDArray[np.float32]
    Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Case:
    """One pair on the template grid, all arrays (X, Y, Z).

    Attributes
    ----------
    source : contrast-enhanced T1w.
    reference : the real T1w without contrast.
    target : `source` without its enhancement (`remove_enhancement`).
    brain : voxels of the template's brain where both were acquired.
    lesions : where lesions are, by the dataset's labels; None without labels.
    """

    visit: Visit
    source: Image
    reference: Image
    target: Image
    brain: Mask
    lesions: Lesions | None = None

    @cached_property
    def yardstick(self) -> Yardstick:
        """The reference, with what is computed once however many images are compared with it."""
        return Yardstick(self.reference, self.brain)

    @cached_property
    def enhancing(self) -> Mask:
        """Voxels of the brain that are brighter than without enhancement."""
        return self.brain & (self.source > self.target)

    @cached_property
    def regions(self) -> dict[str, Mask]:
        """The masks of `metrics.REGIONS`; those of lesions are empty without labels."""
        none = np.zeros(self.brain.shape, dtype=bool)
        lesions = self.lesions
        return {
            "enhancing": self.enhancing,
            "elsewhere": self.brain & ~self.enhancing,
            "lesion": none if lesions is None else lesions.whole & self.brain,
            "enhancing_lesion": none if lesions is None else lesions.enhancing & self.brain,
        }

    @cached_property
    def classes(self) -> NDArray[np.int64]:
        """The tissue class of each voxel of the brain, (n,), see `classify_tissue`."""
        return classify_tissue(self.reference, self.brain)

    @cached_property
    def contrasts(self) -> dict[str, float]:
        """The tissue contrasts of the target, which an image should have."""
        return tissue_contrast(self.target, self.classes, self.brain)


def load_cases(files: Iterable[Path], lesions: Mapping[Visit, Lesions]) -> Iterator[Case]:
    """Read prepared pairs one by one."""
    for path in files:
        yield load_case(path, lesions.get(visit_of(path)))


def load_case(path: Path, lesions: Lesions | None = None) -> Case:
    """Read a prepared pair; the scalp of a whole head counts for nothing."""
    pair = load_pair(path)
    brain = pair.mask & template_brain()
    target = remove_enhancement(pair.source, pair.reference, brain)
    return Case(visit_of(path), pair.source, pair.reference, target, brain, lesions)


def visit_of(path: Path) -> Visit:
    """Return the visit of a prepared pair, by its file name."""
    participant, _, session = path.stem.partition("_")
    return Visit(participant, session)
