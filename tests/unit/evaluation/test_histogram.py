"""Histogram matching against scikit-image, and without the case's own answer."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.exposure import match_histograms

from clinica_gado.evaluation import cases, histogram
from clinica_gado.evaluation.histogram import HistogramMatching, match_to_quantiles


@pytest.fixture
def files(tmp_path, monkeypatch, make_arrays):
    brain = np.ones(make_arrays()[0].shape, dtype=bool)
    for module in (cases, histogram):
        monkeypatch.setattr(module, "template_brain", lambda: brain)
    paths = []
    for number in (1, 2, 3):
        source, reference, *_ = make_arrays(number)
        paths.append(tmp_path / f"sub-{number:02d}_ses-M000.npz")
        np.savez_compressed(paths[-1], source=source, reference=reference * number)
    return paths


def test_the_brain_is_what_scikit_image_makes_of_it(make_case):
    case = make_case()
    inside = case.reference[case.brain]
    quantiles = np.quantile(inside / np.median(inside), np.linspace(0, 1, 501))
    found = match_to_quantiles(case.source, quantiles, case.brain)
    source = case.source[case.brain]
    expected = match_histograms(source, quantiles * np.median(source))
    np.testing.assert_allclose(found[case.brain], expected, rtol=1e-5)
    assert (found[case.source == 0] == 0).all()
    assert np.median(found[case.brain]) == pytest.approx(np.median(source), rel=0.01)


def test_the_template_is_that_of_the_other_participants(files, make_arrays):
    matching = HistogramMatching(files)
    case = cases.load_case(files[0])
    others = []
    for number in (2, 3):
        reference = make_arrays(number)[1]
        inside = reference[reference > 0]
        others.append(np.quantile(inside, np.linspace(0, 1, 2001)) / np.median(inside))
    expected = match_to_quantiles(case.source, np.mean(others, axis=0), case.brain)
    np.testing.assert_allclose(matching(case), expected, rtol=1e-4)


def test_the_own_reference_changes_nothing(files, make_arrays):
    before = HistogramMatching(files)(cases.load_case(files[0]))
    source, reference, *_ = make_arrays(1)
    np.savez_compressed(files[0], source=source, reference=np.sqrt(reference))
    np.testing.assert_array_equal(HistogramMatching(files)(cases.load_case(files[0])), before)


def test_one_participant_has_nobody_to_learn_from(files):
    with pytest.raises(ValueError, match="another participant"):
        HistogramMatching(files[:1])(cases.load_case(files[0]))
