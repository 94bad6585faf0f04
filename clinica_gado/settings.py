"""What a user asks of the visits, whichever pipeline treats them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from clinica_gado.preprocessing.t1_linear import LinearOptions, describe_options


@dataclass(frozen=True)
class SynthesisSettings:
    """How images are synthesised; each pipeline adds what is its own.

    Attributes
    ----------
    pipeline : name under `clinica run`, and task of its models.
    model : id or folder of a bundle; None for the one shipped as default.
    device, precision, flips : see `Predictor`.
    linear : how T1w are brought to the template.
    overwrite : replace results that other settings made, and make the others again.
    """

    pipeline: ClassVar[str]

    bids: Path
    caps: Path
    model: str | None = None
    device: str = "auto"
    precision: str = "auto"
    flips: str = "none"
    linear: LinearOptions = field(default_factory=LinearOptions)
    overwrite: bool = False

    @property
    def parameters(self) -> dict[str, Any]:
        """What decides an image beside its inputs and the model."""
        return {
            "Precision": self.precision,
            "Flips": self.flips,
            "Preprocessing": describe_options(self.linear),
        }

    def describe(self) -> dict[str, Any]:
        """Return the settings as the provenance of a run states them."""
        return {"Device": self.device, **self.parameters}
