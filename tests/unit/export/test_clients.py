"""What reads an exported CAPS: ClinicaDL 2 and neuroHarmonize, where they are installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clinica_gado.bids import Visit
from clinica_gado.export.covariates import covariates
from clinica_gado.export.harmonised_caps import ExportRequest, export

NOT_HERE = "pins versions that ours do not allow: install it elsewhere and run this test there"


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.filterwarnings("default")
def test_clinicadl_loads_every_visit(caps: Path, tmp_path: Path, whole: bool) -> None:
    pytest.importorskip("clinicadl", reason=f"clinicadl {NOT_HERE}")
    from clinicadl.data.datasets import BidsDataset
    from clinicadl.io.bids import T1Linear

    output = tmp_path / "out"
    export(ExportRequest(caps, output))
    visits = pd.read_csv(output / "manifest.tsv", sep="\t")[["participant_id", "session_id"]]
    dataset = BidsDataset(output, T1Linear(use_uncropped_image=whole), data=visits)
    assert len(dataset) == 2
    assert [float(sample.image.data.max()) for sample in dataset] == [2.0, 4.0]


@pytest.mark.filterwarnings("default")
def test_neuroharmonize_takes_the_covariates(tmp_path: Path) -> None:
    harmonize = pytest.importorskip("neuroHarmonize", reason=f"neuroHarmonize {NOT_HERE}")
    own = tmp_path / "own.tsv"
    ages = [f"sub-{n:02d}\t{40 + n}" for n in range(20)]
    own.write_text("\n".join(["participant_id\tage", *ages]) + "\n")
    origins = [
        (Visit(f"sub-{n:02d}", "ses-M000"), "real" if n % 2 else "synthetic") for n in range(20)
    ]
    path = tmp_path / "covariates.tsv"
    covariates(origins, own).to_csv(path, sep="\t", index=False)
    table = pd.read_csv(path, sep="\t", index_col=["participant_id", "session_id"])
    is_real = (table["SITE"] == "real").to_numpy()
    volumes = np.random.default_rng(0).normal(600.0, 20.0, (20, 3)) + 50.0 * is_real[:, None]
    _, harmonised = harmonize.harmonizationLearn(volumes, table.reset_index(drop=True))
    before, after = (v[is_real].mean() - v[~is_real].mean() for v in (volumes, harmonised))
    assert abs(after) < 0.2 * abs(before)
