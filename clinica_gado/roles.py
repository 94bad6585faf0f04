"""The names that tables, pictures and reports have for the images of a visit."""

from __future__ import annotations

from dataclasses import dataclass

SYNTHETIC = "synthetic"
T1W, LOW_DOSE, ROUTINE, CE = "t1w", "lowdose", "routine", "ce"
"""Of t1-virtual-enhance: the T1w without contrast, with a low dose, with the routine dose where
that was given to the model, and the real contrast-enhanced T1w that results are compared with."""


@dataclass(frozen=True)
class Roles:
    """Names of the images that a synthetic one was made of, and may be compared with.

    Attributes
    ----------
    before : the one that it is measured against: it leads the others to the template.
    real : the real one of its kind.
    given : other T1w that it was made of.
    """

    before: str
    real: str
    given: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The images in the order in which they are shown."""
        return (self.before, *self.given, SYNTHETIC, self.real)

    @property
    def compared(self) -> tuple[str, str]:
        """The two whose distances from the real image are compared."""
        return (self.before, SYNTHETIC)


REMOVAL_ROLES = Roles(before="ce", real="nce")
ENHANCEMENT_ROLES = Roles(before=T1W, real=CE)
_BY_PIPELINE = {"t1-gado-removal": REMOVAL_ROLES, "t1-virtual-enhance": ENHANCEMENT_ROLES}


def roles_of(pipeline: str) -> Roles:
    """Return the images that the tissue volumes of a pipeline are compared of."""
    return _BY_PIPELINE.get(pipeline, REMOVAL_ROLES)
