"""The strength of the change is set to what suits whole images."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from clinica_gado.inference import Prediction
from clinica_gado.models.registry import ARCHITECTURES, build_network
from clinica_gado.training.calibration import CASE_GAINS, best_gain, on_one_scale, scale_change
from clinica_gado.training.validation import Trial

SHAPE = (30, 30, 30)


class Model:
    """A model that finds a share of the change, everywhere or where nothing is to change, too."""

    def __init__(self, trial, share, elsewhere=0.0):
        self.change = share * (trial.wanted - trial.first)
        self.change[trial.wanted == trial.first] = elsewhere

    def predict(self, images, region=None):
        first = images[0] if isinstance(images, list) else images["T1w"]
        return Prediction(first + self.change, None, "cpu", "fp32", 1)


def trial_of(before, after, images=None):
    given, wanted = (np.full(SHAPE, 100, np.float32) for _ in range(2))
    given[10:20, 10:20, 10:20], wanted[10:20, 10:20, 10:20] = before, after
    mask = np.zeros(SHAPE, dtype=bool)
    mask[5:25, 5:25, 5:25] = True
    return Trial("case", [given] if images is None else {"T1w": given}, wanted, mask, mask)


def test_a_change_found_too_weak_is_made_up_for():
    trial = trial_of(190, 100)
    assert best_gain(Model(trial, 2 / 3), [trial], 4.0) == 1.5


def test_of_cases_a_change_can_be_made_as_weak_as_a_quarter():
    trial = trial_of(100, 190, images="by name")
    found = best_gain(Model(trial, 4), [trial], 4.0, gains=CASE_GAINS, agent_in="target")
    assert found == 0.25


def test_what_enhances_weighs_more_where_the_agent_is_said_to_be():
    # Half strength is right at the lesion, 1/8 of the voxels; all else should stay as it is.
    trial = trial_of(100, 190, images="by name")
    model = Model(trial, 2, elsewhere=40)
    found = {
        weight: best_gain(model, [trial], weight, gains=CASE_GAINS, agent_in="target")
        for weight in (1.0, 4.0)
    }
    assert found == {1.0: 0.25, 4.0: 0.5}
    unweighted = best_gain(model, [trial], 4.0, gains=CASE_GAINS, agent_in="neither")
    assert unweighted == found[1.0]


def test_two_scans_are_compared_at_one_median():
    trial = trial_of(100, 190)
    scaled = on_one_scale(Trial("case", trial.images, 7 * trial.wanted, trial.mask, trial.region))
    np.testing.assert_allclose(scaled.wanted, trial.wanted, rtol=1e-6)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_scaled_weights_scale_the_change(name):
    torch.manual_seed(0)
    network = build_network({"name": name, "width": 2, "output": "change"}).eval()
    for parameter in network.head.parameters():
        torch.nn.init.normal_(parameter)
    image = torch.rand(1, 1, 64, 64, network.slices or 64)
    with torch.no_grad():
        before = network.estimate(image.clone())
        network.load_state_dict(scale_change(network.state_dict(), 1.5))
        after = network.estimate(image.clone())
    assert before.abs().max() > 0
    assert torch.allclose(after, 1.5 * before, rtol=1e-4, atol=1e-5)
