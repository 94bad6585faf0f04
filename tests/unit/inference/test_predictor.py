"""What the predictor promises: scale, grid, background, averages, fallbacks."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch

from clinica_gado.errors import BundleError, GadoError, InputImageError
from clinica_gado.inference import Predictor
from clinica_gado.inference.engine import Engine, FallbackEngine
from clinica_gado.inference.grid import FIRST_VOXEL, crop_to
from clinica_gado.models.card import CardInput, Grid
from clinica_gado.models.hr_fcn import HighResolutionFCN

TINY = ("attention_unet", "residual_unet", "strided_residual_unet", "hr_fcn", "unet")
SHAPE = (17, 20, 18)  # no multiple of what the networks need


@pytest.mark.parametrize("output", ["image", "change"])
@pytest.mark.parametrize("name", TINY)
def test_output_is_float32_on_the_input_grid(predictor_of, head, name, output) -> None:
    images = [np.concatenate((head, head), axis=2)]  # 36 voxels: two at the deepest level
    prediction = predictor_of(name=name, output=output).predict(images)
    assert (prediction.array.shape, prediction.array.dtype) == ((17, 20, 36), np.float32)
    assert (prediction.device, prediction.precision) == ("cpu", "fp32")
    assert (prediction.spread, prediction.n_runs, prediction.notes) == (None, 1, ())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_no_change_gives_back_the_very_image(predictor_of, head, answers, precision) -> None:
    answers(lambda images: torch.zeros_like(images[:, :1]))
    prediction = predictor_of(precision=precision).predict([head])
    assert np.array_equal(prediction.array, head)
    assert prediction.precision == precision


@pytest.mark.parametrize("rule", ["minmax", "percentile"])
def test_image_mode_restores_the_scale(predictor_of, head, answers, rule) -> None:
    answers(lambda images: images)
    prediction = predictor_of(output="image", rule=rule).predict([head])
    np.testing.assert_allclose(prediction.array, head, rtol=1e-4)


@pytest.mark.parametrize("gain", [1e-3, 50.0])
def test_gain_of_the_scanner_scales_the_output(predictor_of, head, gain) -> None:
    predictor = predictor_of()
    expected = gain * predictor.predict([head]).array
    np.testing.assert_allclose(predictor.predict([gain * head]).array, expected, rtol=1e-3)


@pytest.mark.parametrize("output", ["image", "change"])
def test_zeros_around_a_brain_stay_zero(predictor_of, brain, output) -> None:
    prediction = predictor_of(output=output).predict([brain])
    assert (prediction.array[brain == 0] == 0).all()
    assert (prediction.array[brain != 0] != brain[brain != 0]).mean() > 0.9


def test_a_few_zeros_of_a_whole_head_may_change(predictor_of, head, answers) -> None:
    answers(lambda images: torch.ones_like(images[:, :1]))
    head[5, 5, 5] = 0
    assert predictor_of().predict([head]).array[5, 5, 5] > 0


@pytest.mark.parametrize("output", ["image", "change"])
def test_nothing_falls_below_zero_but_what_was_there(predictor_of, head, answers, output) -> None:
    answers(lambda images: torch.full_like(images[:, :1], -5.0))
    head[5, 5, 5], head[6, 6, 6] = -3.0, 0.0
    result = predictor_of(output=output).predict([head]).array
    assert result.dtype == np.float32
    assert result[5, 5, 5] == -3.0
    assert result.min() == -3.0
    assert (result[head >= 0] == 0).all()


def test_the_gate_of_the_card_lets_pass_what_is_clear_in_voxels_that_may_change(
    make_bundle, head, answers
) -> None:
    def darken(images):
        change = torch.full_like(images[:, :1], -0.01)
        change[..., 8:16] = -0.4
        return change

    answers(darken)
    bundle = make_bundle()
    gate = {"threshold": 0.05, "width": 0.01, "smoothing_voxels": 0.5}
    gated = replace(bundle, card=replace(bundle.card, change_rules={"darkening_gate": gate}))
    plain, kept = (Predictor(b, device="cpu").predict([head]).array for b in (bundle, gated))
    np.testing.assert_allclose(kept[..., 10:14], plain[..., 10:14], rtol=1e-3)
    assert np.abs(kept - head)[..., :5].max() < 0.05 * np.abs(plain - head)[..., :5].min()
    outside = np.zeros(SHAPE, dtype=bool)
    outside[..., :7] = True
    masked = Predictor(gated, device="cpu").predict([head], mask=outside).array
    assert np.abs(masked - head).max() < 0.05 * np.abs(plain - head)[..., :5].min()


def test_nothing_changes_outside_the_mask(predictor_of, head) -> None:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[3:9] = True
    result = predictor_of().predict([head], mask=mask).array
    assert np.array_equal(result[~mask], head[~mask])
    assert not np.array_equal(result[mask], head[mask])


@pytest.mark.parametrize(("flips", "n_runs"), [("none", 1), ("lr", 2), ("all", 8)])
def test_averaging_over_mirrors_makes_the_result_mirror_with_the_head(
    predictor_of, head, flips, n_runs
) -> None:
    predictor = predictor_of(flips=flips)
    prediction = predictor.predict([head])
    mirrored = predictor.predict([head[::-1]]).array[::-1]
    assert prediction.n_runs == n_runs
    assert (prediction.spread is None) == (n_runs == 1)
    assert np.allclose(prediction.array, mirrored, rtol=1e-5) == (n_runs > 1)


def test_a_voxel_that_is_no_number_is_refused_outside_the_region_too(predictor_of, head) -> None:
    region = np.zeros(SHAPE, dtype=bool)
    region[4:13, 4:15, 4:14] = True
    head[1, 1, 1] = np.nan
    with pytest.raises(InputImageError, match="T1w-ce has 1 voxel without a number"):
        predictor_of().predict([head], region=region)


@pytest.mark.parametrize("slices", [1, 3])
def test_a_network_of_slabs_sees_so_many_slices_at_a_time(
    predictor_of, head, monkeypatch, slices
) -> None:
    seen = set()
    estimate = HighResolutionFCN.estimate

    def keep(self, images):
        seen.add(images.shape[-1])
        return estimate(self, images)

    monkeypatch.setattr(HighResolutionFCN, "estimate", keep)
    result = predictor_of(name="hr_fcn", slices=slices).predict([head]).array
    assert (seen, result.shape) == ({slices}, SHAPE)
    assert not np.array_equal(result, head)


def test_on_the_paper_grid_only_the_change_is_resampled(make_bundle, head, answers) -> None:
    bundle = make_bundle()
    bundle = replace(bundle, card=replace(bundle.card, grid=Grid("mni-128", (12, 12, 12))))
    shapes = []

    def constant(images):
        shapes.append(tuple(images.shape[2:]))
        return torch.full_like(images, -0.1)

    answers(constant)
    result = Predictor(bundle, device="cpu", precision="fp32").predict([head]).array
    assert shapes == [(12, 12, 12)]
    np.testing.assert_allclose(head - result, 0.1 * 2 * np.median(head), rtol=1e-3)


def test_bf16_touches_the_change_only(make_bundle, head) -> None:
    bundle = make_bundle()
    fp32, bf16 = (
        Predictor(bundle, device="cpu", precision=precision).predict([head]).array
        for precision in ("fp32", "bf16")
    )
    change = np.abs(fp32 - head).max()
    assert 0 < np.abs(bf16 - fp32).max() < 0.05 * change


@pytest.fixture
def brain_only_bundle(make_bundle):
    """Return a bundle for T1w and FLAIR whose rules are for the brain alone."""
    bundle = make_bundle(inputs=("T1w", "FLAIR"), output="image")
    zscore = {"rule": "zscore", "low": -1.0, "high": 2.0}
    inputs = (CardInput("T1w"), CardInput("FLAIR", normalisation={"rule": "equalised"}))
    return replace(bundle, card=replace(bundle.card, inputs=inputs, normalisation=zscore))


def test_each_input_has_its_rule_and_zeros_around_the_brain(
    brain_only_bundle, head, answers
) -> None:
    seen = []

    def keep(images):
        seen.append(images)
        return images[:, :1]

    answers(keep)
    region = np.zeros(SHAPE, dtype=bool)
    region[3:13, 4:15, 4:14] = True
    predictor = Predictor(brain_only_bundle, device="cpu", precision="fp32")
    result = predictor.predict([head, 2 * head], region=region).array
    t1w, flair = (crop_to(seen[0], SHAPE)[0, channel].numpy() for channel in range(2))
    mean, deviation = head[region].mean(), head[region].std()
    expected = ((head - mean) / deviation + 1) / 3
    np.testing.assert_allclose(t1w[region], expected[region].clip(0, 1), atol=1e-5)
    assert flair[region].mean() == pytest.approx(0.5, abs=0.02)  # equalised: uniform
    assert not t1w[~region].any()
    assert not flair[~region].any()
    assert not result[~region].any()
    between = region & (t1w > 0) & (t1w < 1)
    np.testing.assert_allclose(result[between], head[between], rtol=1e-4)


def test_where_the_network_s_grid_ends_the_first_input_stays(
    make_bundle, head, answers, monkeypatch
) -> None:
    bundle = make_bundle(output="image")
    monkeypatch.setitem(FIRST_VOXEL, "mni-160x192x160", (2, 3, 4))
    grid = Grid("mni-160x192x160", (8, 8, 8))
    bundle = replace(bundle, card=replace(bundle.card, grid=grid))
    answers(lambda images: torch.full_like(images, 0.25))
    result = Predictor(bundle, device="cpu", precision="fp32").predict([head]).array
    inside = np.zeros(SHAPE, dtype=bool)
    inside[2:10, 3:11, 4:12] = True
    assert np.array_equal(result[~inside], head[~inside])
    assert len(np.unique(result[inside])) == 1


def test_inputs_go_by_name_and_one_may_be_missing(make_bundle, head) -> None:
    bundle = make_bundle(inputs=("T1w-ce", "FLAIR"))
    inputs = (CardInput("T1w-ce"), CardInput("FLAIR", may_be_missing=True))
    bundle = replace(bundle, card=replace(bundle.card, inputs=inputs))
    predictor = Predictor(bundle, device="cpu", precision="fp32")
    both = predictor.predict({"FLAIR": 2 * head[::-1], "T1w-ce": head}).array
    assert np.array_equal(both, predictor.predict([head, 2 * head[::-1]]).array)
    assert not np.array_equal(both, predictor.predict({"T1w-ce": head}).array)


@pytest.mark.parametrize("name", TINY)
def test_every_network_takes_the_images_in_the_card_s_order(predictor_of, head, name) -> None:
    predictor = predictor_of(name=name, inputs=("T1w", "FLAIR", "ADC"))
    images = {"ADC": 3 * head[:, ::-1], "T1w": head, "FLAIR": 2 * head[::-1]}
    images = {key: np.concatenate((image, image), axis=2) for key, image in images.items()}
    found = predictor.predict(images).array
    assert np.array_equal(
        found, predictor.predict([images[n] for n in ("T1w", "FLAIR", "ADC")]).array
    )
    swapped = {**images, "FLAIR": images["ADC"], "ADC": images["FLAIR"]}
    assert not np.array_equal(found, predictor.predict(swapped).array)


@pytest.mark.parametrize(
    ("images", "word"),
    [
        ([], "0 were given"),
        ({"T2w": np.ones(SHAPE)}, "missing: T1w-ce; unknown: T2w"),
        ([np.ones((4, 4))], "2 dimensions"),
        ([np.zeros(SHAPE)], "T1w-ce: The image has no voxel above zero"),
        ([np.full(SHAPE, np.inf)], "without a number"),
    ],
)
def test_images_that_cannot_be_used_are_refused_in_one_line(predictor_of, images, word) -> None:
    with pytest.raises(InputImageError, match=word) as caught:
        predictor_of().predict(images)
    assert "\n" not in str(caught.value)


def test_inputs_on_two_grids_are_refused(predictor_of, head) -> None:
    with pytest.raises(InputImageError, match="bring all to one grid"):
        predictor_of(inputs=("T1w-ce", "FLAIR")).predict([head, head[1:]])


def test_options_that_do_not_exist_are_refused(make_bundle) -> None:
    bundle = make_bundle()
    with pytest.raises(GadoError, match="none, lr, all"):
        Predictor(bundle, flips="some")
    card = replace(bundle.card, normalisation={"rule": "histogram"})
    with pytest.raises(BundleError, match="known rules: minmax, percentile"):
        Predictor(replace(bundle, card=card))


def test_gpu_out_of_memory_is_retried_on_the_cpu_and_recorded(
    make_bundle, head, monkeypatch, caplog
) -> None:
    predictor = Predictor(make_bundle(), device="cpu", precision="fp32")
    expected = predictor.predict([head]).array
    run = Engine.run

    def run_out(self, images, mirrors):
        if self.compute.device.type == "cuda":
            raise torch.OutOfMemoryError
        return run(self, images, mirrors)

    on_gpu = replace(predictor.compute, device=torch.device("cuda", 0))
    predictor._engine = FallbackEngine(predictor.bundle, "cpu", "fp32")
    predictor._engine.engine.compute = on_gpu
    monkeypatch.setattr(Engine, "run", run_out)
    with caplog.at_level(logging.WARNING, "clinica_gado"):
        prediction = predictor.predict([head])
    assert prediction.device == "cpu"
    assert prediction.notes == ("cuda:0 ran out of memory; computed on the CPU instead",)
    assert caplog.messages == [f"{prediction.notes[0]}. Free the GPU, or use --device cpu."]
    assert np.array_equal(prediction.array, expected)
