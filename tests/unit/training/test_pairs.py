"""A pair on the scale of a network: which image is given, which is wanted."""

from __future__ import annotations

import numpy as np
import pytest

from clinica_gado.inference.normalisation import normalisation_from
from clinica_gado.training.pairs import Pair, scale_pair

RULE = normalisation_from({"rule": "minmax"})
SOURCE, REFERENCE, TARGET = (
    np.linspace(0, top, 27, dtype=np.float32).reshape(3, 3, 3) for top in (200, 50, 100)
)
PAIR = Pair("sub-01_ses-M000", SOURCE, REFERENCE, TARGET, np.ones((3, 3, 3), dtype=bool))


@pytest.mark.parametrize(
    ("target", "given", "wanted"),
    [
        ("remapped", SOURCE / 200, TARGET / 200),
        ("real", SOURCE / 200, REFERENCE / 50),
        ("unenhanced", REFERENCE / 50, REFERENCE / 50),
    ],
)
def test_each_target_has_the_scale_of_its_image(target, given, wanted) -> None:
    pair = scale_pair(PAIR, RULE, target=target)
    np.testing.assert_allclose(pair.source, given, atol=1e-6)
    np.testing.assert_allclose(pair.target, wanted, atol=1e-6)
