"""The strength of the change is set to what suits whole images."""

from __future__ import annotations

import numpy as np
import torch

from clinica_gado.inference import Prediction
from clinica_gado.models.attention_unet import AttentionUNet
from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.training.calibration import best_gain, scale_change
from clinica_gado.training.pairs import Pair


class TooWeak:
    """A model that finds two thirds of the change."""

    def __init__(self, pair):
        self.pair = pair

    def predict(self, images, region=None):
        found = self.pair.source + 2 / 3 * (self.pair.target - self.pair.source)
        return Prediction(found, None, "cpu", "fp32", 1)


def test_a_change_found_too_weak_is_made_up_for():
    source = np.full(CROP_GRID.shape, 100, np.float32)
    source[80:90, 100:110, 80:90] = 190
    target = np.full(CROP_GRID.shape, 100, np.float32)
    mask = np.zeros(CROP_GRID.shape, dtype=bool)
    mask[70:100, 90:120, 70:100] = True
    pair = Pair("case", source, target, target, mask)
    assert best_gain(TooWeak(pair), [pair], 4.0) == 1.5


def test_scaled_weights_scale_the_change():
    torch.manual_seed(0)
    network = AttentionUNet(width=2, levels=2, output="change").eval()
    torch.nn.init.normal_(network.head.weight)
    image = torch.rand(1, 1, 8, 8, 8)
    with torch.no_grad():
        before = network.estimate(image.clone())
        network.load_state_dict(scale_change(network.state_dict(), 1.5))
        after = network.estimate(image.clone())
    assert torch.allclose(after, 1.5 * before, atol=1e-6)
