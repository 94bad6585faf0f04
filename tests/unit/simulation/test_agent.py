"""Relaxivity and plasma concentration, against values worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from clinica_gado.simulation.agent import plasma_concentration_mm, shorten


def test_one_millimolar_shortens_t1_as_worked_by_hand() -> None:
    # 1/T1 = 1/1.441 + 4.5 = 5.193963 per s, hence T1 = 192.531 ms
    assert float(shorten(np.array(1441.0), 4.5, np.array(1.0))) == pytest.approx(192.531, abs=1e-3)


def test_no_agent_leaves_relaxation_as_it_is() -> None:
    times = np.array([343.0, 1197.0])
    np.testing.assert_allclose(shorten(times, 4.5, np.zeros(2)), times)


def test_plasma_concentration_five_minutes_after_a_clinical_dose() -> None:
    # .1 x (3.99 x exp(-.72) + 4.78 x exp(-.0555)) = .1 x (1.94213 + 4.52194) = .646407
    assert plasma_concentration_mm(0.1, 5.0) == pytest.approx(0.6464, abs=1e-4)


def test_plasma_concentration_is_proportional_to_the_dose() -> None:
    quarter = plasma_concentration_mm(0.025, 4.0)
    assert quarter == pytest.approx(plasma_concentration_mm(0.1, 4.0) / 4)
