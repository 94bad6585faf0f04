"""`clinica-gado report`: whose results it reports."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from clinica_gado.commands.main import cli


@pytest.mark.parametrize("pipeline", [".", "../../x", "t1-linear"])
def test_a_pipeline_that_is_not_ours_is_a_usage_error(tmp_path: Path, pipeline: str) -> None:
    caps = tmp_path / "a" / "b" / "caps"
    (caps / "gado_qc").mkdir(parents=True)
    (tmp_path / "a" / "b" / "x").mkdir()
    result = CliRunner().invoke(cli, ["report", str(caps), "--pipeline", pipeline])
    assert result.exit_code == 2
    assert "'t1-gado-removal', 't1-virtual-enhance'" in result.output
    assert list(tmp_path.rglob("report.*")) == []
