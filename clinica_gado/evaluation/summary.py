"""Numbers of all cases put together: mean, spread, worst case, and beside doing nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clinica_gado.bids import IDS
from clinica_gado.evaluation.metrics import NOT_RANKED, tolerance
from clinica_gado.evaluation.paired import IDENTITY

if TYPE_CHECKING:
    from clinica_gado.evaluation.metrics import Metric

COLUMNS = {
    "image": "who made the image",
    "metric": "a column of the cases",
    "n": "cases with a number",
    "mean": "of these cases",
    "sd": "standard deviation, n - 1",
    "median": "of these cases",
    "worst": "the value farthest from the best one",
    "worst_case": "the case that has it",
    "identity_mean": "mean of the contrast-enhanced image as it is, over the same cases",
    "gain": "mean minus identity_mean",
    "ratio_to_identity": "mean over identity_mean",
    "cut_percent": "100 × (1 - |mean| / |identity_mean|): of a bias, how much of it is gone",
    "n_worse": "cases farther from the best value than the identity; by more than 0.3 dB for PSNR",
}
"""Of the summary, in words."""


def summarise(cases: pd.DataFrame, metrics: Mapping[str, Metric]) -> pd.DataFrame:
    """Return one row an image and metric (`COLUMNS`).

    Parameters
    ----------
    cases : participant_id, session_id, image, and the metrics.
    metrics : those to put together; one that is no column, or has no number, is left out.
    """
    wide = cases.set_index([*IDS, "image"])
    rows = [
        row
        for image in cases["image"].unique()
        for name, metric in metrics.items()
        if name in wide.columns and (row := _row(wide[name], str(image), metric)) is not None
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(values: pd.Series, image: str, metric: Metric) -> dict[str, Any] | None:
    by_image = values.unstack("image")
    found = by_image[image].dropna()
    if found.empty:
        return None
    name = str(values.name)
    row: dict[str, Any] = {"image": image, "metric": name, "n": len(found)} | _spread(found)
    if name not in NOT_RANKED:
        worst = found.map(metric.badness).idxmax()
        row |= {"worst": found[worst], "worst_case": "_".join(map(str, worst))}
    if IDENTITY in by_image and name not in NOT_RANKED:
        row |= _beside_identity(found, by_image[IDENTITY], metric, tolerance(name))
    return row


def _spread(found: pd.Series) -> dict[str, float]:
    values = found.to_numpy(dtype=np.float64)
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    return {"mean": float(np.mean(values)), "sd": sd, "median": float(np.median(values))}


def _beside_identity(
    found: pd.Series, identity: pd.Series, metric: Metric, margin: float
) -> dict[str, float]:
    """Compare over the cases that both have."""
    pairs = pd.concat([found, identity], axis=1, keys=["image", "identity"]).dropna()
    if pairs.empty:
        return {}
    mean, before = float(pairs["image"].mean()), float(pairs["identity"].mean())
    lost = pairs["image"].map(metric.badness) - pairs["identity"].map(metric.badness)
    return {
        "identity_mean": before,
        "gain": mean - before,
        "ratio_to_identity": mean / before if before else float("nan"),
        "cut_percent": 100 * (1 - abs(mean) / abs(before)) if before else float("nan"),
        "n_worse": int((lost > margin).sum()),
    }
