"""The grid of δ and λ: cells, settings of each, the table."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from clinica_gado.errors import TrainingError
from clinica_gado.studies import sensitivity
from clinica_gado.studies.scoring import SCORES
from clinica_gado.studies.sensitivity import (
    Setting,
    config_of,
    run_sensitivity,
    settings_of,
)
from clinica_gado.studies.values import CENTRE, DELTAS, WEIGHTS
from clinica_gado.training.config import with_changes
from clinica_gado.training.presets import CHEN_2022


def test_the_papers_networks_are_the_cross_of_its_grid():
    assert len(settings_of(DELTAS, WEIGHTS, "grid")) == len(DELTAS) * len(WEIGHTS) == 40
    cross = settings_of(DELTAS, WEIGHTS, "cross")
    assert len(cross) == len(DELTAS) + len(WEIGHTS) - 1
    assert Setting(*CENTRE) in cross
    assert len({cell.name for cell in cross}) == len(cross)
    with pytest.raises(TrainingError, match="needs δ"):
        settings_of((0.2,), WEIGHTS, "cross")


def test_weights_are_those_of_the_stage_that_fine_tunes():
    found = config_of(CHEN_2022, Setting(0.03, (0.01, 30.0)))
    tuning = found.fine_tuning
    assert found.loss.delta == 0.03
    assert (tuning.fine_tuning_l1, tuning.fine_tuning_ssim) == (0.01, 0.01)
    assert tuning.fine_tuning_local == 30.0
    assert found.loss.l1 == found.loss.local == 1.0


def test_without_such_a_stage_weights_hold_in_all_steps():
    single = with_changes(CHEN_2022, {"fine_tuning_share": 0.0})
    loss = config_of(single, Setting(0.03, (0.01, 30.0))).loss
    assert (loss.delta, loss.l1, loss.ssim, loss.local) == (0.03, 0.01, 0.01, 30.0)


def scores(study, network):
    """Stand in for networks: scores that say which settings they are of."""
    loss = network.config.loss
    row = dict.fromkeys(SCORES, 1.0)
    row |= {"psnr_db": 20 + loss.delta, "enhancing_psnr_db": loss.local}
    return pd.DataFrame([{"network": network.name, "case": "sub-1_ses-1", **row}])


def test_the_table_has_a_row_a_delta_and_a_column_a_ratio_of_weights(
    request_of, cases, monkeypatch
):
    pytest.importorskip("lightning_fabric")
    monkeypatch.setattr(sensitivity, "score_network", scores)
    request = request_of()
    numbers = run_sensitivity(request, (0.1, 0.03), ((0.1, 10.0), (1.0, 1.0)), "cross")
    assert list(numbers["delta"][:-1]) == [0.03, 0.1, 0.1]
    assert math.isnan(numbers["delta"].iloc[-1])
    shown = (request.training.output / "sensitivity.md").read_text(encoding="utf-8")
    assert "| δ | λ = (1, 1) | λ = (0.1, 10) |" in shown
    assert "| 0.03 | – | 20.03 / 10.00 |" in shown
    assert "| 0.1 | 20.10 / 1.00 | 20.10 / 10.00 |" in shown
    assert "λ holds in all steps" in shown
    assert "The first image as it is (unchanged):" in shown


def test_values_that_cannot_be_used_end_before_any_work(request_of, cases):
    with pytest.raises(TrainingError, match="delta must not be below 0"):
        run_sensitivity(request_of(), (-0.1,), ((1.0, 1.0),))


def test_a_local_loss_needs_the_t1w(request_of, cases):
    config = with_changes(request_of().training.config, {"inputs": "T1w-lowdose,FLAIR"})
    with pytest.raises(TrainingError, match="without T1w among the inputs"):
        run_sensitivity(request_of(config), (0.1,), ((1.0, 1.0),))
