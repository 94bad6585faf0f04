"""A resumed run reaches the numbers of one that was not interrupted; several processes share it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from clinica_gado.errors import TrainingError
from clinica_gado.models.attention_unet import AttentionUNet
from clinica_gado.training.checkpoint import CHECKPOINT_NAME, TrainingState, average_of
from clinica_gado.training.config import TrainingConfig, with_changes
from clinica_gado.training.logs import CSV_NAME
from clinica_gado.training.loop import Course, learning_rate, make_optimiser, stage_of, train
from clinica_gado.training.pairs import ScaledPair
from clinica_gado.training.patches import PatchDataset

fabrics = pytest.importorskip("lightning_fabric")
pytest.importorskip("monai")

SMALL = {
    **{"patch_size": 8, "batch_size": 2, "learning_rate": 1e-2, "ema_decay": 0.8},
    **{"precision": "fp32", "validate_every": 3, "accumulate": 2, "optimiser": "adamw"},
    **{"weight_decay": 0.01, "ssim": 0.1, "ssim_window": "uniform", "local": 0.5},
}


UNVARIED = {"augmentation": "none", "enhancement_spread": 1.0}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pairs():
    found = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        target = rng.uniform(0.3, 0.7, (14, 12, 13)).astype(np.float32)
        source = target.copy()
        source[5:9, 5:9, 5:9] += 0.5
        found.append(ScaledPair(source, target, np.ones(target.shape, dtype=bool)))
    return found


def network():
    torch.manual_seed(0)
    return AttentionUNet(width=2, levels=2, output="change")


def run(folder, config, n_steps, *, stop_at=None, model=None, fabric=None):
    """Train, interrupted before the checkpoint of `stop_at`; return average and checkpoint."""

    def validate(state):
        if state.step == stop_at:
            raise KeyboardInterrupt
        return {"validation": float(state.step)}

    model = model or network()
    dataset = PatchDataset(pairs(), None, config.data, multiple=(2, 2, 2), seed=config.seed)
    course = Course(config, n_steps, folder)
    fabric = fabric or fabrics.Fabric(accelerator="cpu", devices=1)
    average = train(model, dataset, course, fabric, validate)
    return average, torch.load(folder / CHECKPOINT_NAME, weights_only=True)


def flatten(content, at=""):
    for key, value in content.items() if isinstance(content, dict) else enumerate(content):
        if isinstance(value, dict | list | tuple):
            yield from flatten(value, f"{at}.{key}")
        else:
            yield f"{at}.{key}", value


@pytest.mark.parametrize("augmentation", ["clinical", "none"])
def test_a_resumed_run_has_the_numbers_of_an_uninterrupted_one(tmp_path, augmentation):
    config = with_changes(TrainingConfig(), {**SMALL, "augmentation": augmentation})
    whole, expected = run(tmp_path / "whole", config, 8)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", config, 8, stop_at=6)
    torch.manual_seed(99)
    resumed, found = run(
        tmp_path / "parts", config, 8, model=AttentionUNet(width=2, levels=2, output="change")
    )
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name
    first, second = dict(flatten(expected)), dict(flatten(found))
    assert first.keys() == second.keys()
    for name, value in first.items():
        same = torch.equal(value, second[name]) if torch.is_tensor(value) else value == second[name]
        assert same, name


def test_the_csv_of_a_resumed_run_has_every_step_once(tmp_path):
    config = with_changes(TrainingConfig(), {**SMALL, "augmentation": "none"})
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, config, 7, stop_at=6)
    run(tmp_path, config, 7)
    lines = (tmp_path / CSV_NAME).read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "2", "3", "4", "5", "6", "7"]
    assert lines[0].startswith("step,learning_rate,loss")


def test_another_configuration_does_not_go_on_with_an_earlier_run(tmp_path):
    config = with_changes(TrainingConfig(), {**SMALL, "augmentation": "none"})
    run(tmp_path, config, 3)
    other = with_changes(config, {"learning_rate": 1e-3})
    with pytest.raises(TrainingError, match=r"config.optimisation.learning_rate.*--overwrite"):
        run(tmp_path, other, 3)


def test_a_file_that_is_no_checkpoint_is_not_run(tmp_path):
    import pickle

    path = tmp_path / CHECKPOINT_NAME
    path.write_bytes(pickle.dumps({"step": print}, protocol=2))
    model = network()
    state = TrainingState(
        model, make_optimiser(model, TrainingConfig().optimisation), average_of(model, 0.9)
    )
    with pytest.raises(TrainingError, match="--overwrite"):
        state.resume(path, {})


def test_a_tiny_network_learns_to_darken_what_enhances(tmp_path):
    config = with_changes(
        TrainingConfig(), {**SMALL, "validate_every": 100, "accumulate": 1, **UNVARIED}
    )
    fitted, _ = run(tmp_path, config, 60)
    pair = pairs()[0]
    source = torch.from_numpy(pair.source[None, None, :, :, :12])
    target = torch.from_numpy(pair.target[None, None, :, :, :12])
    with torch.no_grad():
        error = (fitted(source) - target).abs().mean()
    assert error < 0.8 * (source - target).abs().mean()


def test_the_learning_rate_warms_up_and_ends_near_zero():
    config = replace(TrainingConfig().optimisation, learning_rate=1.0, warm_up=0.2)
    rates = [learning_rate(config, step, 10) for step in range(10)]
    assert rates[:3] == [0.5, 1.0, 1.0]
    assert sorted(rates[2:], reverse=True) == rates[2:]
    assert rates[-1] < 0.05
    constant = replace(config, schedule="constant")
    assert {learning_rate(constant, step, 10) for step in range(10)} == {1.0}


def test_fine_tuning_takes_the_last_steps_with_weights_and_rate_of_its_own():
    config = with_changes(
        TrainingConfig(),
        {"ssim": 1.0, "local": 1.0, "schedule": "constant", "learning_rate": 1e-4}
        | {"fine_tuning_share": 0.2, "fine_tuning_l1": 0.1, "fine_tuning_ssim": 0.2}
        | {"fine_tuning_local": 10.0, "fine_tuning_rate": 1e-5},
    )
    stages = [stage_of(config, step, 50) for step in range(50)]
    weights = [(loss.l1, loss.ssim, loss.local, rate) for loss, rate in stages]
    assert weights == 40 * [(1.0, 1.0, 1.0, 1e-4)] + 10 * [(0.1, 0.2, 10.0, 1e-5)]
    assert stages[49][0].delta == config.loss.delta


def test_the_schedule_ends_where_fine_tuning_begins():
    config = with_changes(TrainingConfig(), {"fine_tuning_share": 0.5, "warm_up": 0.0})
    rates = [stage_of(config, step, 20)[1] for step in range(20)]
    assert rates[:10] == [learning_rate(config.optimisation, step, 10) for step in range(10)]
    assert set(rates[10:]) == {config.fine_tuning.fine_tuning_rate}


def test_a_run_with_fine_tuning_logs_both_rates(tmp_path):
    config = with_changes(
        TrainingConfig(),
        {**SMALL, "augmentation": "none", "fine_tuning_share": 0.5, "schedule": "constant"},
    )
    run(tmp_path, config, 4)
    lines = (tmp_path / CSV_NAME).read_text(encoding="utf-8").splitlines()[1:]
    assert [float(line.split(",")[1]) for line in lines] == [1e-2, 1e-2, 1e-5, 1e-5]


def test_without_decay_the_average_is_the_network_itself(tmp_path):
    config = with_changes(TrainingConfig(), {**SMALL, "augmentation": "none", "ema_decay": 0.0})
    model = network()
    average, _ = run(tmp_path, config, 3, model=model)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, average.state_dict()[name]), name


class OneConvolution(nn.Module):
    """A network without batch statistics, which would differ between processes."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(1, 1, 3, padding=1)

    def forward(self, images):
        return images + self.conv(images)


def convolve(fabric, folder, batch_size):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = with_changes(
        TrainingConfig(),
        {
            **{"patch_size": 8, "precision": "fp32", "augmentation": "none"},
            **{"batch_size": batch_size, "enhancement_weight": 1.0},
        },
    )
    average, _ = run(folder, config, 4, model=OneConvolution(), fabric=fabric)
    return {name: tensor.numpy() for name, tensor in average.state_dict().items()}


@pytest.mark.slow
def test_two_processes_fit_what_one_fits_with_twice_the_batch(tmp_path):
    alone = convolve(fabrics.Fabric(accelerator="cpu", devices=1), tmp_path / "alone", 2)
    two = fabrics.Fabric(accelerator="cpu", devices=2, strategy="ddp_fork")
    together = two.launch(convolve, tmp_path / "together", 1)
    for name, array in alone.items():
        np.testing.assert_allclose(together[name], array, rtol=1e-4, atol=1e-6)


def test_batch_norms_keep_their_averages_where_asked_and_the_weights_still_learn(tmp_path):
    states = {}
    for statistics in ("batch", "running"):
        config = with_changes(TrainingConfig(), {**SMALL, "norm_statistics": statistics})
        before = network().state_dict()
        _, checkpoint = run(tmp_path / statistics, config, 2)
        states[statistics] = {
            name: not torch.equal(tensor, before[name])
            for name, tensor in checkpoint["network"].items()
        }
    means = [name for name in states["batch"] if name.endswith("running_mean")]
    assert all(states["batch"][name] for name in means)
    assert not any(states["running"][name] for name in means)
    assert states["running"]["head.weight"]


class Broken(AttentionUNet):
    """Is given no numbers in some of its calls; it learns from the others."""

    bad: frozenset[int] = frozenset()
    calls = 0

    def forward(self, images):
        type(self).calls += 1
        return super().forward(images * float("nan") if self.calls in self.bad else images)


@pytest.mark.parametrize("clip_norm", [0.0, 1.0])
def test_a_step_without_a_finite_gradient_is_left_out(tmp_path, monkeypatch, caplog, clip_norm):
    changes = {**SMALL, **UNVARIED, "accumulate": 1, "clip_norm": clip_norm}
    config = with_changes(TrainingConfig(), changes)
    monkeypatch.setattr(Broken, "bad", frozenset({2, 3}))
    monkeypatch.setattr(Broken, "calls", 0)
    average, _ = run(tmp_path, config, 5, model=Broken(width=2, levels=2, output="change"))
    assert caplog.text.count("A step is left out") == 2
    assert all(torch.isfinite(value).all() for value in average.state_dict().values())


def test_a_step_that_is_left_out_leaves_network_and_average_as_they_were(tmp_path, monkeypatch):
    changes = {**SMALL, **UNVARIED, "schedule": "constant", "validate_every": 1}
    config = with_changes(TrainingConfig(), changes)
    kept = []
    for n_steps in (1, 2):
        monkeypatch.setattr(Broken, "bad", frozenset({4}))  # of two batches a step
        monkeypatch.setattr(Broken, "calls", 0)
        torch.manual_seed(0)
        model = Broken(width=2, levels=2, output="change")
        kept.append(run(tmp_path / str(n_steps), config, n_steps, model=model)[1])
    for part in ("network", "average"):
        for name, tensor in kept[0][part].items():
            assert torch.equal(tensor, kept[1][part][name]), name


def test_a_run_that_diverged_ends_in_words(tmp_path, monkeypatch):
    config = with_changes(TrainingConfig(), {**SMALL, **UNVARIED})
    monkeypatch.setattr(Broken, "bad", frozenset(range(1000)))
    with pytest.raises(TrainingError, match=r"not finite in 10 steps in a row.*--precision fp32"):
        run(tmp_path, config, 20, model=Broken(width=2, levels=2, output="change"))
