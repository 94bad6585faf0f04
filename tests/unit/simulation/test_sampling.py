"""Draws: the same seed, the same values; within what is asked."""

from __future__ import annotations

import numpy as np
import pytest

from clinica_gado.simulation.labels import Tissue
from clinica_gado.simulation.parameters import Geometry
from clinica_gado.simulation.rendering import tissue_signal
from clinica_gado.simulation.sampling import (
    SEQUENCES,
    T1_SEQUENCES,
    add_artefacts,
    sample_acquisition,
    sample_head,
    sample_lesion,
    sample_sequence,
)
from clinica_gado.simulation.signal import Mprage


def test_the_same_seed_gives_the_same_parameters() -> None:
    first, second = (
        sample_head(rng, 3.0, (sample_lesion(rng),))
        for rng in (np.random.default_rng(7), np.random.default_rng(7))
    )
    assert first == second


@pytest.mark.parametrize("name", T1_SEQUENCES)
@pytest.mark.parametrize("field_t", [1.5, 3.0])
@pytest.mark.parametrize("seed", range(6))
def test_each_t1_weighted_draw_orders_tissue_and_enhances_blood(
    name: str, field_t: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    sequence, head = sample_sequence(rng, name, field_t), sample_head(rng, field_t)
    plain, enhanced = (tissue_signal(head, sequence, dose) for dose in (0.0, 0.1))
    assert plain[Tissue.CSF] < plain[Tissue.GREY] < plain[Tissue.WHITE]
    assert enhanced[Tissue.BLOOD] > 1.3 * plain[Tissue.BLOOD]
    assert enhanced[Tissue.ENHANCING_TUMOUR] > 1.15 * plain[Tissue.ENHANCING_TUMOUR]


@pytest.mark.parametrize("field_t", [1.5, 3.0])
@pytest.mark.parametrize("seed", range(4))
def test_flair_is_dark_in_csf_and_t2w_is_bright_there(field_t: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    head = sample_head(rng, field_t)
    flair, t2w = (
        tissue_signal(head, sample_sequence(rng, name, field_t), 0.0) for name in ("flair", "t2w")
    )
    assert flair[Tissue.CSF] < 0.5 * flair[Tissue.GREY]
    assert flair[Tissue.OEDEMA] > flair[Tissue.WHITE]
    assert t2w[Tissue.CSF] > t2w[Tissue.GREY] > t2w[Tissue.WHITE]


def test_the_train_of_an_mprage_fits_between_inversions() -> None:
    for seed in range(50):
        drawn = sample_sequence(np.random.default_rng(seed), "mprage", 3.0)
        assert isinstance(drawn, Mprage)
        half = drawn.echoes / 2 * drawn.echo_spacing_ms
        assert half < drawn.inversion_time_ms < drawn.repetition_time_ms - half


def test_an_unknown_sequence_is_named() -> None:
    with pytest.raises(ValueError, match="epi"):
        sample_sequence(np.random.default_rng(0), "epi", 1.5)


def test_there_is_a_sequence_of_every_name() -> None:
    suffixes = [sample_sequence(np.random.default_rng(0), name, 1.5).suffix for name in SEQUENCES]
    assert suffixes == ["T1w", "T1w", "T1w", "FLAIR", "T2w", "ADC"]


def test_artefacts_leave_what_the_images_of_a_session_share() -> None:
    rng = np.random.default_rng(1)
    shared = sample_acquisition(rng, Geometry((1.0, 1.0, 1.0)))
    own = add_artefacts(rng, shared)
    assert own.shift_mm != shared.shift_mm
    assert (own.gain, own.bias, own.voxel_mm) == (shared.gain, shared.bias, shared.voxel_mm)
