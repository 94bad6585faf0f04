"""A small run in CAPS, with a table of every kind and one picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clinica_gado.evaluation.agreement import agreement
from clinica_gado.evaluation.statistics import test_differences as paired_tests
from clinica_gado.evaluation.tables import save_table, table2
from clinica_gado.evaluation.tissue import volume_differences
from clinica_gado.files import write_json, write_tsv
from clinica_gado.report.planes import save_planes
from clinica_gado.segmentation.segmenter import TissueMaps

PIPELINE = "t1-gado-removal"
N_VISITS = 4
SHAPE = (20, 24, 22)


@pytest.fixture
def caps(tmp_path: Path) -> Path:
    """Return a CAPS dataset whose tables hold `N_VISITS` done visits and one that failed."""
    folder = tmp_path / "caps" / "gado_qc" / PIPELINE
    ids = [{"participant_id": f"sub-{n:02d}", "session_id": "ses-M000"} for n in range(N_VISITS)]
    files = [f"{row['participant_id']}_ses-M000_ce-gadolinium_T1w.nii.gz" for row in ids]
    images = pd.DataFrame(ids).assign(filename=files, status="done", flags=None)
    images["flags"] = ["rotation 34 degrees, over 30", None, "large enhancing volume", None]
    lost = {"participant_id": "sub-99", "session_id": "ses-M000", "filename": "sub-99_T1w.nii.gz"}
    write_tsv(
        folder / "images.tsv", pd.concat([images, pd.DataFrame([{**lost, "status": "failed"}])])
    )
    reason = "Cannot read /home/anna/My Data/sub-99_T1w.nii.gz: truncated."
    write_tsv(folder / "failures.tsv", pd.DataFrame([{**lost, "reason": reason}]))
    write_tsv(folder / "contrast.tsv", pd.DataFrame(
        [{**row, "vessels": 1.5, "flags": "large enhancing volume" if n == 2 else None}
         for n, row in enumerate(ids)]
    ))  # fmt: skip
    write_tsv(folder / "selection.tsv", pd.DataFrame(
        [{**row, "filename": f"{row['participant_id']}/anat/{name}", "contrast": "ce",
          "role": "source", "reason": "the only one", "doubtful": n == 3}
         for n, (row, name) in enumerate(zip(ids, files, strict=True))]
    ))  # fmt: skip
    _write_volumes(folder, ids)
    _write_picture(folder / "figures")
    write_json(folder / "provenance.json", {"Model": {"Id": "m"}, "Software": {"torch": "2.13.0"}})
    (tmp_path / "caps" / "dataset_description.json").write_text(json.dumps({"Name": "demo"}))
    return tmp_path / "caps"


def _write_volumes(folder: Path, ids: list[dict[str, str]]) -> None:
    rows = [
        {**row, "image": image, "engine": "builtin", "gm_cm3": 600 + 5 * n + shift * (n + 1),
         "wm_cm3": 480.0 + n * n + shift, "csf_cm3": 320.0 - shift, "tiv_cm3": 1400.0,
         "flags": None}
        for n, row in enumerate(ids)
        for image, shift in (("nce", 0.0), ("ce", 40.0), ("synthetic", 9.0))
    ]  # fmt: skip
    volumes = pd.DataFrame(rows)
    differences = volume_differences(volumes)
    tests = paired_tests(differences)
    write_tsv(folder / "volumes.tsv", volumes)
    write_tsv(folder / "differences.tsv", differences)
    write_tsv(folder / "agreement.tsv", agreement(differences))
    write_tsv(folder / "tests.tsv", tests)
    save_table(table2(differences, tests), folder / "table2")
    write_tsv(folder / "similarity.tsv", pd.DataFrame(
        [{**row, "image": image, "psnr_db_matched": 20.5 + n, "ssim_matched": 0.9}
         for n, row in enumerate(ids) for image in ("ce", "synthetic")]
    ))  # fmt: skip


def _write_picture(folder: Path) -> None:
    image = np.random.default_rng(0).uniform(1, 2, SHAPE).astype(np.float32)
    maps = TissueMaps(*(np.roll(image > 1.6, n, 0).astype(np.float32) for n in range(3)))
    name = "sub-00_ses-M000_ce-gadolinium_desc-SynthNCE_planes.webp"
    save_planes({"ce": image, "synthetic": image * 0.8}, {"synthetic": maps}, folder / name)
