"""What is known of each T1w of a visit: its contrast, and why it can perhaps never be taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from clinica_gado.bids.contrast import (
    Contrast,
    Evidence,
    companion_of,
    contrast_evidence,
    entity_says_enhanced,
)
from clinica_gado.bids.contrast_table import ContrastTable
from clinica_gado.bids.images import (
    BidsImage,
    DatasetReader,
    Metadata,
    Unusable,
    is_synthetic,
    stem_of,
)
from clinica_gado.bids.visits import VisitFolder

_NOTHING_STATED: Mapping[str, Evidence] = {}


@dataclass(frozen=True)
class AssessedImage:
    """An image, its contrast, remarks on its sidecars, and why it is never taken (or nothing)."""

    image: BidsImage
    evidence: Evidence
    notes: tuple[str, ...] = ()
    rejection: str = ""

    @property
    def usable(self) -> bool:
        """Whether the image may be taken."""
        return not self.rejection

    @property
    def filename(self) -> str:
        """File name alone, as said in reasons."""
        return self.image.path.name


@dataclass(frozen=True)
class Assessor:
    """Assesses the images of visits; the same for input and for references elsewhere."""

    reader: DatasetReader
    table: ContrastTable
    infer_companions: bool = True

    def assess(self, folder: VisitFolder) -> tuple[list[AssessedImage], list[Unusable]]:
        """Assess the T1w of a visit, and list the files that only look so.

        Raises
        ------
        OSError
            The folder cannot be read.
        """
        images, unusable = self.reader.t1w_of(folder)
        metadata = [self.reader.metadata_of(image) for image in images]
        # Exact duplicates and synthetic images must not make a line of the table ambiguous.
        real = [i for i, m in zip(images, metadata, strict=True) if not is_synthetic(i, m)]
        stated = self.table.statements(folder.visit, real)
        assessed = assess_images(images, metadata, stated)
        return (_with_companions(assessed, real) if self.infer_companions else assessed), unusable


def assess_images(
    images: Sequence[BidsImage],
    metadata: Sequence[Metadata],
    stated: Mapping[str, Evidence] = _NOTHING_STATED,
) -> list[AssessedImage]:
    """Assess images by name, sidecar, and what the user's table states of each `filename`."""
    rejections = _rejections(images, metadata)
    return [
        AssessedImage(
            image,
            contrast_evidence(image.name, known.fields, stated.get(image.filename)),
            known.notes,
            rejections.get(image.filename, ""),
        )
        for image, known in zip(images, metadata, strict=True)
    ]


def _rejections(images: Sequence[BidsImage], metadata: Sequence[Metadata]) -> dict[str, str]:
    """Say by `filename` why images are never taken: synthetic, not there, or a duplicate."""
    rejections = {}
    for image, known in zip(images, metadata, strict=True):
        if is_synthetic(image, known):
            rejections[image.filename] = "made by a network (SyntheticImage), never an input"
        elif not image.present:
            rejections[image.filename] = "not a file, or a link to a file that is not there"
    candidates = sorted((i for i in images if i.filename not in rejections), key=_format_key)
    for _, group in groupby(candidates, key=lambda image: stem_of(image.filename)):
        kept, *others = group
        for other in others:
            rejections[other.filename] = f"same name in another format: {kept.path.name} is taken"
    return rejections


def _format_key(image: BidsImage) -> tuple[str, bool, str]:
    """Sort files of one name together, `.nii.gz` first, then `.NII.GZ`, then the others."""
    extension = image.name.extension
    return stem_of(image.filename), extension.lower() != ".nii.gz", extension.swapcase()


def _with_companions(
    assessed: list[AssessedImage], real: Sequence[BidsImage]
) -> list[AssessedImage]:
    sibling = next((a for a in assessed if a.image in real and _carries_contrast(a)), None)
    if sibling is None:
        return assessed
    inferred = companion_of(sibling.filename)
    return [replace(a, evidence=inferred) if a.evidence.silent else a for a in assessed]


def _carries_contrast(assessed: AssessedImage) -> bool:
    enhanced = assessed.evidence.contrast is Contrast.ENHANCED
    return enhanced and entity_says_enhanced(assessed.image.name)
