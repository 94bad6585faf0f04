"""Tissue volumes of one set of images by two engines: correlation, bias, limits of agreement.

    clinica run t1-gado-removal BIDS CAPS_A --segmentation builtin
    clinica run t1-gado-removal BIDS CAPS_B --segmentation spm
    python benchmarks/compare_engines.py CAPS_A CAPS_B

A row a kind of image and tissue. The bias is the volume of the first engine less that of the
second, in cm³ on the template's grid, with the limits of agreement of Bland and Altman (1986).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from clinica_gado.evaluation.agreement import limits_of_agreement
from clinica_gado.segmentation.volumes import TissueVolumes

VOLUMES = Path("gado_qc", "t1-gado-removal", "volumes.tsv")
KEYS = ["participant_id", "session_id", "image"]
TISSUE_COLUMNS = [name for name in TissueVolumes._fields if name.endswith("_cm3")]


def main() -> None:
    """Read the volumes of both and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("caps", nargs="*", type=Path, help="two folders")
    folders = parser.parse_args().caps
    if len(folders) != 2:
        print("skipped: name two CAPS whose images were segmented by two engines")
        return
    first, second = (pd.read_csv(caps / VOLUMES, sep="\t").set_index(KEYS) for caps in folders)
    names = [", ".join(table["engine"].unique()) for table in (first, second)]
    print(f"{names[0]} against {names[1]}")
    print(compare(first[TISSUE_COLUMNS], second[TISSUE_COLUMNS]).to_string(index=False))


def compare(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Return r, bias and limits of agreement, over the images that both tables have."""
    both = first.join(second, how="inner", lsuffix="_first", rsuffix="_second").dropna()
    rows = []
    for image, table in both.groupby(level="image", sort=False):
        for column in TISSUE_COLUMNS:
            a, b = (table[f"{column}_{which}"] for which in ("first", "second"))
            limits = limits_of_agreement((a - b).droplevel(KEYS[1:]))
            r = float(np.corrcoef(a, b)[0, 1]) if len(a) > 1 else float("nan")
            rows.append({"image": image, "tissue": column[:-4], **limits, "r": round(r, 3)})
    counts, limits_cm3 = ("n", "n_visits"), ("bias_cm3", "sd_cm3", "loa_low_cm3", "loa_high_cm3")
    columns = ["image", "tissue", *counts, "r", *limits_cm3]
    return pd.DataFrame(rows)[columns].round(3)


if __name__ == "__main__":
    main()
