"""`clinica-gado study` from a label map to its tables, with a network far too small for use."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner

from clinica_gado.commands.main import cli


@pytest.fixture
def heads(phantom_file, tmp_path):
    """Return two label maps that differ, the second mirrored."""
    other = tmp_path / "head_98_dseg.nii.gz"
    image = nib.load(phantom_file)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj)[::-1].copy(), image.affine), other)
    return phantom_file, other


@pytest.mark.slow
def test_label_maps_alone_make_an_ablation(heads, tmp_path):
    pytest.importorskip("lightning_fabric")
    learned, scored = heads
    result = CliRunner().invoke(
        cli,
        [
            *("study", "ablation", str(tmp_path), str(tmp_path / "out"), "--reduced"),
            *("--label-map", str(learned), "--test-label-map", str(scored)),
            *("--simulated-share", "1", "--draws", "1", "--test-draws", "1", "--workers", "0"),
            *("--cache", str(tmp_path / "cache"), "--device", "cpu"),
            *("--inputs", "T1w,T1w-lowdose", "--width", "2", "--steps", "1"),
        ],
    )
    assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / "out" / "study.json").read_text(encoding="utf-8"))
    rows = content["Tables"]["ablation"]["Rows"]
    assert [row["network"] for row in rows] == [
        *("T1w_T1w-lowdose", "T1w", "T1w-lowdose", "unchanged"),
    ]
    assert all(5 < row["psnr_db_mean"] < 60 for row in rows)
    assert all(row["enhancing_l2_e4_mean"] > 0 for row in rows)
    kept = [Path(path).parts[-2] for path in (tmp_path / "cache").rglob("*.npz")]
    assert kept == ["T1w-T1w-lowdose"] * 2
    shown = (tmp_path / "out" / "ablation.md").read_text(encoding="utf-8")
    assert "bone-2021 at the reduced scale for processors, NOT the full recipe" in shown
    assert "1 simulated cases of 1 label maps to learn from, 1 cases of 1 others" in shown
