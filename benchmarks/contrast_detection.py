"""Does `clinica-gado detect` tell gadolinium by the image alone? ROC, calibration, doubt, errors.

    python benchmarks/contrast_detection.py [LABEL_MAPS] [REAL] [--keep FOLDER] [--caps CAPS]
                                            [--seed SEED]

Simulated draws of heads 17-20, which nothing was trained or built on; the intervals of the area
under the ROC curve, and of points of that curve, are the 2.5th to 97.5th percentile of 2000 samples
of heads with replacement.
The calibration is the mean of what is said of images of a range of probabilities, and how many of
them hold gadolinium; half of all do.
Real images of the validation and plain participants, placed as `detect` places them; with `--caps`,
also as t1-gado-removal registered them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu
from segmentation import kept_folder

from clinica_gado.detection.cases import (
    ENHANCED,
    SEED,
    placed_cases,
    registered_cases,
    simulated_cases,
)
from clinica_gado.detection.classifier import load_classifier
from clinica_gado.errors import InputImageError
from clinica_gado.files import read_table

SHARED = Path(__file__).parents[2] / "shared"
HEADS, ANATOMIES, PAIRS = range(17, 21), 2, 13
SAMPLES = 2000
FALSE_SHARES = (0.01, 0.02, 0.05, 0.1, 0.2)
"""Points of the ROC curve: share of images without gadolinium that may be taken to hold it."""
EDGES = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0)
"""Of the ranges in which probabilities are compared with frequencies; doubt is from .05 to .95."""


def main() -> None:
    """Print what is measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("label_maps", type=Path, nargs="?", default=SHARED / "labelmaps")
    parser.add_argument("real", type=Path, nargs="?", default=SHARED / "real")
    parser.add_argument("--keep", type=Path, help="Folder that keeps the profiles.")
    parser.add_argument("--caps", type=Path, help="CAPS with registered pairs.")
    parser.add_argument("--seed", type=int, default=SEED, help=f"Of the draws [{SEED}].")
    options = parser.parse_args()
    with kept_folder(options) as folder:
        if folder is not None:
            report(options, folder)


def report(options: argparse.Namespace, folder: Path) -> None:
    """Judge simulated and real images, whose profiles a folder keeps."""
    draws = HEADS, ANATOMIES, PAIRS
    report_simulated(judged(simulated_cases(options.label_maps, *draws, folder, options.seed)))
    people = read_table(options.real / "participants.tsv", ("participant_id", "split"))
    tested = people.loc[people["split"].isin(["validation", "plain"]), "participant_id"]
    report_real("placed", judged(placed_cases(options.real, tested, folder)))
    if options.caps is not None:
        there = [who for who in tested if (options.caps / "subjects" / who).is_dir()]
        report_real("registered", judged(registered_cases(options.caps, there, folder)))


def judged(cases: pd.DataFrame) -> pd.DataFrame:
    """Add the probability and the state that the shipped classifier gives to each case."""
    classifier = load_classifier()
    rows = []
    for numbers in cases.to_dict("records"):
        try:
            picture = classifier.judge(numbers)
            rows.append((picture.probability, picture.contrast.value))
        except InputImageError:
            rows.append((0.5, "unknown"))
    found = pd.DataFrame(rows, columns=["probability", "picture"], index=cases.index)
    return cases.join(found)


def area(cases: pd.DataFrame) -> float:
    """Return the area under the ROC curve."""
    is_enhanced = cases["contrast"] == ENHANCED
    first, second = cases.loc[is_enhanced, "probability"], cases.loc[~is_enhanced, "probability"]
    return float(mannwhitneyu(first, second).statistic / (len(first) * len(second)))


def sensitivity(cases: pd.DataFrame, false_share: float) -> float:
    """Return the share of images with gadolinium above what so many of the others are above."""
    is_enhanced = cases["contrast"] == ENHANCED
    without = cases.loc[~is_enhanced, "probability"]
    threshold = np.quantile(without, 1 - false_share, method="higher")
    return float((cases.loc[is_enhanced, "probability"] > threshold).mean())


def with_interval(measure: Callable[[pd.DataFrame], float], cases: pd.DataFrame) -> str:
    """Return a number of all cases, with that of samples of their heads."""
    rng, groups = np.random.default_rng(0), [part for _, part in cases.groupby("group")]
    samples = [
        measure(pd.concat([groups[n] for n in rng.integers(len(groups), size=len(groups))]))
        for _ in range(SAMPLES)
    ]
    low, high = np.percentile(samples, (2.5, 97.5))
    return f"{measure(cases):.4f} [{low:.4f}, {high:.4f}]"


def report_simulated(cases: pd.DataFrame) -> None:
    """Print the ROC curve with its intervals, and what is said of the images."""
    print(f"{len(cases)} simulated images: AUC {with_interval(area, cases)}")
    for share in FALSE_SHARES:
        found = with_interval(partial(sensitivity, false_share=share), cases)
        print(f"  sensitivity where {share:.0%} are falsely taken to hold gadolinium: {found}")
    for name, part in (
        ("all", cases),
        ("head", cases[~cases["brain_only"]]),
        ("brain only", cases[cases["brain_only"]]),
        *cases.groupby("sequence"),
        *cases.groupby("group"),
    ):
        print(f"  {name}: AUC {area(part):.4f}, {in_words(part)}")
    report_calibration(cases)


def report_calibration(cases: pd.DataFrame) -> None:
    """Print what is said of images and what is so, range by range, and the mean squared error."""
    said, is_enhanced = cases["probability"], cases["contrast"] == ENHANCED
    print(f"  Brier score {((said - is_enhanced) ** 2).mean():.4f}")
    names = [f"{low:g} to {high:g}" for low, high in pairwise(EDGES)]
    ranges = pd.cut(said, EDGES, labels=names, include_lowest=True)
    table = pd.DataFrame({"range": ranges, "said": said, "is": is_enhanced})
    groups = table.groupby("range", observed=True)
    print(groups.mean().assign(images=groups.size()).round(3).to_string())


def in_words(cases: pd.DataFrame) -> str:
    """Count what is left open and what is wrong."""
    is_open = cases["picture"] == "unknown"
    wrong = ~is_open & (cases["picture"] != cases["contrast"])
    return f"{len(cases)} images, {is_open.sum()} in doubt, {wrong.sum()} wrong"


def report_real(name: str, cases: pd.DataFrame) -> None:
    """Print every real image."""
    print(f"real, {name}: {in_words(cases)}")
    print(cases[["image", "contrast", "picture", "probability"]].to_string(index=False))


if __name__ == "__main__":
    main()
