"""Averages over folds and mirrors, and their spread: where it is, and on which scale."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from clinica_gado.inference import Predictor
from clinica_gado.inference.normalisation import Equalised


def test_folds_are_averaged_and_their_spread_given(make_bundle, head) -> None:
    bundle = make_bundle(n_folds=3)
    options = {"device": "cpu", "precision": "fp32"}
    alone = [
        Predictor(replace(bundle, weight_files=(path,)), **options).predict([head]).array
        for path in bundle.weight_files
    ]
    together = Predictor(bundle, **options).predict([head])
    assert together.n_runs == 3
    np.testing.assert_allclose(together.array, np.mean(alone, axis=0), rtol=1e-5)
    np.testing.assert_allclose(together.spread, np.std(alone, axis=0, ddof=1), atol=1e-2)


def test_the_spread_of_a_change_is_that_of_the_images_on_a_scale_that_is_not_linear(
    make_bundle, head, answers
) -> None:
    calls = []

    def count(images):
        calls.append(1)
        return torch.full_like(images, 0.005 * len(calls))

    answers(count)
    head[:, :, 9:] = 900 + 0.1 * head[:, :, 9:]  # a tissue of nearly one intensity
    everywhere = np.ones(head.shape, dtype=bool)
    predictor = Predictor(make_bundle(n_folds=4, rule="equalised"), device="cpu", precision="fp32")
    spread = predictor.predict([head], region=everywhere).spread
    scale = Equalised().fit(head)
    images = [scale.add(head, np.full_like(head, 0.005 * n)) for n in range(1, 5)]
    np.testing.assert_allclose(
        [np.median(spread[..., part]) for part in (slice(9), slice(9, None))],
        [np.median(np.std(images, axis=0, ddof=1)[..., p]) for p in (slice(9), slice(9, None))],
        rtol=0.1,
    )


@pytest.mark.parametrize("output", ["image", "change"])
def test_there_is_no_spread_where_the_image_is_not_what_the_runs_said(
    make_bundle, brain, head, output
) -> None:
    predictor = Predictor(make_bundle(n_folds=2, output=output), device="cpu", precision="fp32")
    around = predictor.predict([brain])
    assert (around.spread[brain == 0] == 0).all()
    assert (around.spread[brain != 0] > 0).mean() > 0.9
    mask = np.zeros(head.shape, dtype=bool)
    mask[3:9] = True
    masked = predictor.predict([head], mask=mask)
    assert (masked.spread[~mask] == 0).all()
    assert (masked.spread[mask] > 0).mean() > 0.9


def test_a_network_that_knows_the_brain_alone_is_sure_of_nothing_around_it(
    make_bundle, head, brain
) -> None:
    bundle = make_bundle(n_folds=2, output="image")
    rule = {"rule": "zscore", "low": -3.0, "high": 3.0}
    bundle = replace(bundle, card=replace(bundle.card, normalisation=rule))
    predictor = Predictor(bundle, device="cpu", precision="fp32")
    assert predictor.brain_only
    found = predictor.predict([head], region=brain != 0)
    assert (found.array[brain == 0] == 0).all()
    assert (found.spread[brain == 0] == 0).all()
    assert (found.spread[brain != 0] > 0).mean() > 0.9


def test_five_folds_of_eight_mirrors_are_forty_runs(make_bundle, head, answers) -> None:
    calls = []

    def count(images):
        calls.append(1)
        return torch.full_like(images, 0.01 * len(calls))

    answers(count)
    bundle = make_bundle(n_folds=5, output="image", rule="minmax")
    result = Predictor(bundle, device="cpu", precision="fp32", flips="all").predict([head])
    assert (len(calls), result.n_runs) == (40, 40)
    steps = 0.01 * np.arange(1, 41)
    width = head.max() - head.min()
    np.testing.assert_allclose(result.spread, width * steps.std(ddof=1), rtol=1e-3)
    np.testing.assert_allclose(result.array, head.min() + width * steps.mean(), rtol=1e-3)
