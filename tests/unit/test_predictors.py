"""Bundles for a task: those of another one are refused before anything is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinica_gado.errors import BundleError, GadoError
from clinica_gado.evaluation.run import EvaluationRequest, load_predictors
from clinica_gado.gado_removal import PIPELINE as REMOVAL
from clinica_gado.predictors import find_model
from clinica_gado.virtual_enhancement import PIPELINE as ENHANCEMENT


@pytest.mark.parametrize("task", [REMOVAL, ENHANCEMENT])
def test_a_model_for_another_task_is_refused(task) -> None:
    own = find_model(task, None)
    other = REMOVAL if task == ENHANCEMENT else ENHANCEMENT
    assert find_model(task, own.card.id).sha256 == own.sha256
    with pytest.raises(BundleError, match=f"is for {task}, not for {other}"):
        find_model(other, own.card.id)


def test_a_model_that_adds_contrast_is_not_evaluated_on_removal(tmp_path) -> None:
    model = find_model(ENHANCEMENT, None).card.id
    with pytest.raises(GadoError, match="not for t1-gado-removal"):
        load_predictors(EvaluationRequest(tmp_path, Path("out"), models=[model]))
