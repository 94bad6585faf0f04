"""Simulated whole heads as pairs: they teach what lies outside the brain, which real pairs lack."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clinica_gado.sequences import ADC, FLAIR, T2W
from clinica_gado.simulation.agent import CLINICAL_DOSE_MMOL_PER_KG
from clinica_gado.simulation.anatomy import build_head
from clinica_gado.simulation.artefacts import blur
from clinica_gado.simulation.labels import BRAIN, load_label_map
from clinica_gado.simulation.rendering import render_signal
from clinica_gado.simulation.sampling import (
    T1_SEQUENCES,
    sample_head,
    sample_lesion,
    sample_sequence,
)
from clinica_gado.training.pairs import ScaledPair

RENDERED_AS = {T2W: "t2w", FLAIR: "flair", ADC: "adc"}

BLUR_MM = 1.4
"""A voxel of a scanner takes in some of its neighbours; labels have hard borders."""

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clinica_gado.inference.normalisation import Normalisation


def simulate_pair(label_map: Path, seed: int, normalisation: Normalisation) -> ScaledPair:
    """Draw a person, a lesion and a T1w sequence; render it with and without agent.

    The images have no noise and the label map's 1 mm grid, turned to RAS; `augment` adds the
    variations of acquisition. All voxels count, so that air and scalp are learned to stay.
    """
    rng = np.random.default_rng(seed)
    labels = load_label_map(label_map)
    field_strength_t = float(rng.choice((1.5, 3.0)))
    parameters = sample_head(rng, field_strength_t, (sample_lesion(rng, "ring"),))
    sequence = sample_sequence(rng, str(rng.choice(T1_SEQUENCES)), field_strength_t)
    head = build_head(labels, parameters)
    source, target = (
        blur(render_signal(head, parameters, sequence, dose), BLUR_MM).numpy()
        for dose in (CLINICAL_DOSE_MMOL_PER_KG, 0.0)
    )
    scale = normalisation.fit(source[labels.mask(BRAIN)])
    # A darkening by T2* at high concentration is no enhancement, and is not to be undone.
    target = np.minimum(target, source)
    return ScaledPair(scale.apply(source), scale.apply(target), np.ones(source.shape, dtype=bool))


def simulate_enhancement(
    label_map: Path, seed: int, inputs: Sequence[str], normalisation: Normalisation
) -> ScaledPair:
    """Draw a person, a lesion of any kind and a protocol; render the inputs and the enhanced T1w.

    The first input is the T1w. The target is the same acquisition at full dose, on the T1w's scale,
    not on one of its own: both agree exactly wherever no agent is. Every other input has a scale of
    its own, as `prepare_images` gives it one. Images are as those of `simulate_pair`.
    """
    rng = np.random.default_rng(seed)
    labels = load_label_map(label_map)
    field_strength_t = float(rng.choice((1.5, 3.0)))
    parameters = sample_head(rng, field_strength_t, (sample_lesion(rng),))
    t1w = sample_sequence(rng, str(rng.choice(T1_SEQUENCES)), field_strength_t)
    others = {n: sample_sequence(rng, s, field_strength_t) for n, s in RENDERED_AS.items()}
    head, brain = build_head(labels, parameters), labels.mask(BRAIN)

    def render(name: str, dose: float = 0.0) -> NDArray[np.float32]:
        signal = render_signal(head, parameters, others.get(name, t1w), dose)
        return np.asarray(blur(signal, BLUR_MM).numpy(), dtype=np.float32)

    images = [render(name) for name in inputs]
    scales = [normalisation.fit(image[brain]) for image in images]
    source = np.stack([scale.apply(image) for scale, image in zip(scales, images, strict=True)])
    return ScaledPair(
        source,
        scales[0].apply(render(inputs[0], CLINICAL_DOSE_MMOL_PER_KG)),
        np.ones(source.shape[1:], bool),
    )
