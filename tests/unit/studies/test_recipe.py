"""What a caption says of the settings."""

from __future__ import annotations

import pytest

from clinica_gado.studies.recipe import REDUCED, in_words
from clinica_gado.training.config import with_changes
from clinica_gado.training.presets import PRESETS


def test_a_recipe_as_it_is_and_one_with_changes_are_told_apart():
    base = PRESETS["bone-2021"]
    assert in_words("bone-2021", base, base, reduced=False) == "bone-2021 as it is"
    changed = with_changes(base, {"width": 8, "seed": 3})
    assert in_words("bone-2021", base, changed, reduced=False) == "bone-2021 with width 8, seed 3"


@pytest.mark.parametrize("name", ["bone-2021", "bone-2022", "chen-2022"])
def test_the_reduced_scale_is_said_and_fits_every_recipe_that_adds_contrast(name):
    config = with_changes(PRESETS[name], REDUCED)
    words = in_words(name, PRESETS[name], config, reduced=True)
    assert words.startswith(f"{name} at the reduced scale for processors, NOT the full recipe with")
    assert "width 8" in words
    assert "steps 300" in words
