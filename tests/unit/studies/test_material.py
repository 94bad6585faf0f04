"""What teaches and what scores: split by subject, simulated once, placed on the template."""

from __future__ import annotations

import numpy as np
import pytest

from clinica_gado.errors import TrainingError
from clinica_gado.inference.inputs import Rules
from clinica_gado.inference.normalisation import PercentileMedian
from clinica_gado.models.card import GRIDS
from clinica_gado.studies.material import find_material, subjects_of
from clinica_gado.training import drawn, run
from clinica_gado.training.calibration import on_one_scale
from clinica_gado.training.cases import Case, load_case, scale_case
from clinica_gado.training.config import TrainingConfig, with_changes
from clinica_gado.training.drawn import place_case, simulate_cases
from clinica_gado.training.validation import trial_of_case

INPUTS = ("T1w", "FLAIR", "T1w-lowdose")


@pytest.fixture
def simulated(monkeypatch):
    """Stand in for the simulation; return the seeds that were asked for."""
    seeds: list[int] = []

    def simulate(label_map, seed, inputs):
        seeds.append(seed)
        image = np.full((12, 12, 12), 1.0 + len(seeds), dtype=np.float32)
        brain = np.zeros((12, 12, 12), dtype=bool)
        brain[4:8, 4:8, 4:8] = True
        images = {name: image * (n + 1) for n, name in enumerate(inputs)}
        lesion = np.roll(brain, 2, axis=0)
        return Case(label_map.name, images, 9 * image, brain, brain, True, lesion)

    monkeypatch.setattr(drawn, "simulate_case", simulate)
    # Files of the whole template's grid take seconds to write.
    monkeypatch.setattr(drawn, "place_case", lambda case: case)
    return seeds


@pytest.fixture
def maps(tmp_path):
    paths = tuple(tmp_path / f"head_0{number}_dseg.nii.gz" for number in range(3))
    for path in paths:
        path.write_text(path.name, encoding="utf-8")
    return paths


def test_draws_are_made_once(simulated, maps, tmp_path):
    files = simulate_cases(maps, 2, INPUTS, tmp_path / "kept")
    assert simulate_cases(maps, 2, INPUTS, tmp_path / "kept") == files
    assert len(simulated) == len(set(simulated)) == 6
    assert len(subjects_of(files)) == 3
    case = load_case(files[0])
    assert tuple(case.images) == INPUTS
    assert [float(image[case.brain].mean()) for image in case.images.values()] == [2, 4, 6]
    np.testing.assert_array_equal(case.lesion, np.roll(case.brain, 2, axis=0))


def test_a_kept_case_is_on_the_scale_that_it_was_simulated_on(simulated, maps, tmp_path):
    (file,) = simulate_cases(maps[:1], 1, INPUTS, tmp_path)
    enhanced = load_case(file)
    assert enhanced.same_scale
    np.testing.assert_array_equal(load_case(file, "added").wanted, enhanced.wanted)
    trial = trial_of_case(file)
    assert on_one_scale(trial) is trial
    rule = PercentileMedian()
    pair = scale_case(enhanced, Rules(rule, {"T1w": rule}))
    np.testing.assert_allclose(pair.target, 9 * pair.source[0])
    assert not load_case(file, "FLAIR").same_scale


def test_images_and_masks_of_a_case_go_to_one_place_on_the_grid_of_the_template():
    brain = np.zeros((12, 12, 12), dtype=bool)
    brain[4:8, 4:8, 4:8] = True
    image = np.where(brain, 5, 1).astype(np.float32)
    images = {"T1w": image, "FLAIR": 2 * image}
    case = place_case(Case("a", images, 3 * image, brain, brain, lesion=brain))
    assert case.brain.shape == GRIDS["mni-1mm"]
    assert int(case.brain.sum()) == 64
    np.testing.assert_array_equal(case.lesion, case.brain)
    assert [float(i[case.brain].min()) for i in (*case.images.values(), case.wanted)] == [
        5,
        10,
        15,
    ]
    assert float(case.images["T1w"][~case.brain].max()) == 1


def test_seeds_do_not_depend_on_the_other_label_maps(simulated, maps, tmp_path):
    simulate_cases(maps[1:], 1, INPUTS, tmp_path / "a")
    simulate_cases(maps, 1, INPUTS, tmp_path / "b")
    assert simulated[:2] == simulated[3:]


def test_folds_are_of_subjects_and_each_case_scores_once(request_of, cases):
    found = find_material(request_of(folds=2))
    scored = [file for split in found.splits for file in split.validation]
    assert sorted(scored) == cases
    assert not found.is_simulated
    assert "real visits" in found.in_words()


def test_label_maps_alone_teach_by_fixed_draws_and_folds_are_of_label_maps(
    request_of, simulated, maps, monkeypatch
):
    monkeypatch.setattr(run, "select_cases", lambda *_, **__: [])
    found = find_material(request_of(label_maps=maps, folds=3, draws=2))
    assert found.is_simulated
    assert found.label_maps == ()
    for split in found.splits:
        assert len(split.training) == 4
        assert not set(subjects_of(split.training)) & set(subjects_of(split.validation))


def test_heads_beside_real_visits_are_simulated_while_learning(request_of, cases, maps):
    found = find_material(request_of(label_maps=maps))
    assert found.label_maps == maps
    assert not found.is_simulated


def test_test_heads_score_and_never_teach(request_of, cases, simulated, maps):
    found = find_material(request_of(folds=1, test_label_maps=maps[:1], test_draws=3))
    (split,) = found.splits
    assert list(split.training) == cases
    assert len(split.validation) == 3
    with pytest.raises(TrainingError, match=r"head_00_dseg\.nii\.gz: a label map teaches or"):
        find_material(request_of(folds=1, label_maps=maps, test_label_maps=maps[:1]))


@pytest.mark.parametrize("options", [{"folds": 1}, {"validation_tsv": "given"}])
def test_a_study_scores_in_exactly_one_way(request_of, cases, options):
    with pytest.raises(TrainingError, match="scores in one way: give --validation-tsv"):
        find_material(request_of(**options))


def test_networks_that_remove_contrast_are_refused(request_of):
    config = with_changes(TrainingConfig(), {"steps": 1})
    with pytest.raises(TrainingError, match="Studies are of networks that add contrast"):
        find_material(request_of(config))
