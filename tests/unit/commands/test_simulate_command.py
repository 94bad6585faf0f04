"""`clinica-gado simulate`: what it says of label maps that are not there."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from clinica_gado.commands.main import cli


@pytest.mark.parametrize(
    ("present", "heads", "message"),
    [
        ((), (), "has no label map; it needs files named head_01_dseg.nii.gz and so on."),
        ((), (1,), "has no label map; it needs files named head_01_dseg.nii.gz and so on."),
        ((15,), (), "has only heads kept for validation and test; name them with --head."),
        ((1, 15), (99,), "has no label map of head 99; it has head 1, head 15."),
        ((1,), (98, 1, 99), "has no label map of head 98, head 99; it has head 1."),
    ],
)
def test_heads_that_are_not_there_are_said_in_a_sentence(
    tmp_path: Path, present: tuple[int, ...], heads: tuple[int, ...], message: str
) -> None:
    label_maps = tmp_path / "maps"
    label_maps.mkdir()
    for number in present:
        (label_maps / f"head_{number:02d}_dseg.nii.gz").touch()
    options = [word for number in heads for word in ("--head", str(number))]
    command = ["simulate", str(label_maps), str(tmp_path / "bids"), *options]
    result = CliRunner().invoke(cli, command)
    assert (result.exit_code, result.output) == (2, f"Error: {label_maps} {message}\n")
