"""What a prediction leaves on disk: the image, and beside it how sure the runs were of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinica_gado.preprocessing.images import Volume, save_volume

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from clinica_gado.inference.predictor import Prediction

UNCERTAINTY = (
    "standard deviation (n - 1) over the mirrored runs of all folds, in the units of the image"
)


def save_prediction(
    prediction: Prediction, affine: NDArray[np.float64], image: Path, uncertainty: Path
) -> dict[str, Any]:
    """Write an image, and its uncertainty where there were several runs; return what to record.

    Parameters
    ----------
    affine : voxel to world matrix of the prediction, (4, 4).
    image, uncertainty : NIfTI files; no uncertainty of an earlier prediction is left.

    Raises
    ------
    OutputError
        A file cannot be written.
    """
    facts: dict[str, Any] = {
        "Device": prediction.device,
        "Precision": prediction.precision,
        "Runs": prediction.n_runs,
        "Notes": list(prediction.notes),
    }
    if prediction.spread is None:
        uncertainty.unlink(missing_ok=True)
    else:
        save_volume(Volume(prediction.spread, affine), uncertainty)
        facts["UncertaintyMap"] = {"File": uncertainty.name, "Definition": UNCERTAINTY}
    save_volume(Volume(prediction.array, affine), image)
    return facts
