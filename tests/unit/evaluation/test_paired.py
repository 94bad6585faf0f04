"""Models side by side on pairs, and their numbers in a card."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from clinica_gado.evaluation.card import DEFINITIONS, write_metrics
from clinica_gado.evaluation.paired import IDENTITY, evaluate_pairs
from clinica_gado.inference import Prediction
from clinica_gado.models.bundle import load_card, save_bundle
from clinica_gado.models.card import GRIDS, Card, CardInput, Grid
from clinica_gado.models.registry import build_network
from clinica_gado.preprocessing.grids import CROP_GRID


class Perfect:
    """A model that knows the answer."""

    def __init__(self, answer):
        self.answer = answer

    def predict(self, images, region=None):
        return Prediction(self.answer, None, "cpu", "fp32", 1)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    rng = np.random.default_rng(0)
    core = (slice(60, 100), slice(80, 120), slice(70, 110))
    plain = np.zeros(CROP_GRID.shape, np.float32)
    smooth = ndimage.gaussian_filter(rng.normal(size=(40, 40, 40)), 3)
    plain[core] = 100 + 30 * smooth / smooth.std()
    answer = plain + np.where(plain > 0, rng.normal(0, 2, plain.shape), 0).astype(np.float32)
    source = answer.copy()
    source[75:85, 95:105, 85:95] += 150
    path = tmp_path_factory.mktemp("pairs") / "sub-01_ses-M000.npz"
    np.savez_compressed(path, source=source, reference=plain)
    return path, answer


@pytest.mark.slow
def test_a_perfect_model_beats_the_image_as_it_is_and_its_card_says_so(prepared, tmp_path):
    path, answer = prepared
    table = evaluate_pairs([path], {"perfect": Perfect(answer)})
    rows = table.set_index("image")
    assert rows.loc[IDENTITY, "enhancement_left"] == pytest.approx(1)
    assert abs(rows.loc["perfect", "enhancement_left"]) < 0.02
    assert rows.loc["perfect", "psnr_db_as_is"] > rows.loc[IDENTITY, "psnr_db_as_is"] + 10

    architecture = {"name": "attention_unet", "width": 2, "levels": 2, "output": "change"}
    card = Card(
        id="tiny",
        task="t1-gado-removal",
        architecture=architecture,
        inputs=(CardInput("T1w-ce"),),
        grid=Grid("mni-1mm", GRIDS["mni-1mm"]),
        normalisation={"rule": "percentile"},
        training_data="none",
        metrics=(),
        intended_use="tests",
        limits=(),
        licence="none",
    )
    save_bundle(tmp_path / "tiny", card, [build_network(architecture).state_dict()])
    write_metrics(tmp_path / "tiny", table, "perfect", "one made-up case")
    metrics = {metric["name"]: metric for metric in load_card(tmp_path / "tiny").metrics}
    assert set(metrics) == set(DEFINITIONS)
    assert metrics["enhancement_left"]["doing_nothing"] == pytest.approx(1)
    assert set(metrics["ssim_as_is"]["cases"]) == {"sub-01_ses-M000"}
