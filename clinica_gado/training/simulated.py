"""Simulated whole heads as pairs: they teach what lies outside the brain, which real pairs lack."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clinica_gado.sequences import ADC, FLAIR, T1W, T1W_LOW_DOSE, T2W
from clinica_gado.simulation.agent import CLINICAL_DOSE_MMOL_PER_KG
from clinica_gado.simulation.anatomy import build_head
from clinica_gado.simulation.artefacts import blur
from clinica_gado.simulation.labels import BRAIN, load_label_map
from clinica_gado.simulation.masks import brain_region, enhancing_lesions
from clinica_gado.simulation.rendering import render_signal
from clinica_gado.simulation.sampling import (
    T1_SEQUENCES,
    sample_brain_mask,
    sample_head,
    sample_lesion,
    sample_sequence,
)
from clinica_gado.training.cases import ENHANCED, Case
from clinica_gado.training.pairs import ScaledPair

RENDERED_AS = {T2W: "t2w", FLAIR: "flair", ADC: "adc"}
"""Images beside the T1w, each with a sequence of its own."""
DOSES = {T1W_LOW_DOSE: 0.025}
"""Images of the T1w's own sequence with some agent, mmol/kg: a quarter of the clinical dose."""

BLUR_MM = 1.4
"""A voxel of a scanner takes in some of its neighbours; labels have hard borders."""

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clinica_gado.inference.normalisation import Normalisation
    from clinica_gado.simulation.layers import Head


def simulate_pair(label_map: Path, seed: int, normalisation: Normalisation) -> ScaledPair:
    """Draw a person, a lesion of any kind and a T1w sequence; render it with and without agent.

    Half of the heads show the brain alone, cut out as a skull-strip does. The images have no noise
    and the label map's 1 mm grid, turned to RAS; `augment` adds the variations of acquisition. All
    voxels count, so that air and scalp are learned to stay.
    """
    rng = np.random.default_rng(seed)
    labels = load_label_map(label_map)
    field_strength_t = float(rng.choice((1.5, 3.0)))
    parameters = sample_head(rng, field_strength_t, (sample_lesion(rng),))
    sequence = sample_sequence(rng, str(rng.choice(T1_SEQUENCES)), field_strength_t)
    head = build_head(labels, parameters)
    region = _shown(head, rng)
    source, target = (
        np.asarray(
            blur(render_signal(head, parameters, sequence, dose), BLUR_MM).numpy() * region,
            np.float32,
        )
        for dose in (CLINICAL_DOSE_MMOL_PER_KG, 0.0)
    )
    scale = normalisation.fit(source[labels.mask(BRAIN) & region])
    # A darkening by T2* at high concentration is no enhancement, and is not to be undone.
    target = np.minimum(target, source)
    return ScaledPair(scale.apply(source), scale.apply(target), np.ones(source.shape, dtype=bool))


def simulate_case(
    label_map: Path, seed: int, inputs: Sequence[str], target: str = ENHANCED
) -> Case:
    """Draw a person, a lesion of any kind and a protocol; render the inputs and the enhanced T1w.

    The enhanced T1w is the same acquisition as the T1w at full dose: both agree exactly wherever no
    agent is. Images are as those of `simulate_pair`.

    Parameters
    ----------
    target : what is wanted; one of `RENDERED_AS` is rendered in the place of the enhanced T1w.
    """
    rng = np.random.default_rng(seed)
    labels = load_label_map(label_map)
    field_strength_t = float(rng.choice((1.5, 3.0)))
    parameters = sample_head(rng, field_strength_t, (sample_lesion(rng),))
    t1w = sample_sequence(rng, str(rng.choice(T1_SEQUENCES)), field_strength_t)
    others = {n: sample_sequence(rng, s, field_strength_t) for n, s in RENDERED_AS.items()}
    head, brain = build_head(labels, parameters), labels.mask(BRAIN)
    region, is_other = _shown(head, rng), target in RENDERED_AS

    def render(name: str, dose: float) -> NDArray[np.float32]:
        signal = render_signal(head, parameters, others.get(name, t1w), dose)
        return np.asarray(blur(signal, BLUR_MM).numpy() * region, dtype=np.float32)

    return Case(
        name=f"{label_map.name.partition('.')[0]}_{seed}",
        images={name: render(name, DOSES.get(name, 0.0)) for name in inputs},
        wanted=render(target, 0.0) if is_other else render(T1W, CLINICAL_DOSE_MMOL_PER_KG),
        brain=brain & region,
        mask=np.ones(brain.shape, dtype=bool),
        same_scale=not is_other,
        lesion=np.asarray(enhancing_lesions(head)) & region,
    )


def _shown(head: Head, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return where a head is shown: everywhere, or in every second one where its brain is."""
    mask = sample_brain_mask(rng)
    if rng.random() < 0.5:
        return np.ones(tuple(head.tissue.shape), dtype=bool)
    return np.asarray(brain_region(head, mask))
