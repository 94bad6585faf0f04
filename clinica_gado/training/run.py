"""A whole training run: pairs in, bundle out, its card filled in."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from clinica_gado.bids import select
from clinica_gado.gado_removal import PIPELINE
from clinica_gado.inference import Predictor
from clinica_gado.inference.normalisation import PercentileMedian, card_of
from clinica_gado.models.bundle import Bundle, load_bundle, save_bundle
from clinica_gado.models.card import GRIDS, Card, CardInput, Grid
from clinica_gado.models.registry import build_network
from clinica_gado.provenance import INTENDED_USE
from clinica_gado.training.calibration import best_gain, scale_change
from clinica_gado.training.loop import TrainingConfig, train
from clinica_gado.training.pairs import load_pair, prepare_pairs, scale_pair
from clinica_gado.training.simulated import simulate_pair

if TYPE_CHECKING:
    from clinica_gado.models.blocks import SynthesisNetwork
    from clinica_gado.training.pairs import ScaledPair

logger = logging.getLogger(__name__)

NORMALISATION = PercentileMedian()


@dataclass(frozen=True)
class TrainingRequest:
    """What to train on, and what to call the result.

    Attributes
    ----------
    visits_tsv : visits of `bids` to learn from; all those with a pair when None.
    label_maps : whole-head label maps to simulate pairs of, one pair each.
    cache : where preprocessed pairs are kept.
    start_from : a bundle whose weights to begin with; its width is taken.
    """

    bids: Path
    output: Path
    model_id: str
    licence: str
    cache: Path
    visits_tsv: Path | None = None
    label_maps: tuple[Path, ...] = ()
    width: int = 16
    start_from: Path | None = None
    config: TrainingConfig = field(default_factory=TrainingConfig)


def train_bundle(request: TrainingRequest) -> Bundle:
    """Train an Att-U-Net in change mode and write it as a bundle.

    Whenever the loop reports, the bundle is written with the weights so far, so that an
    interrupted run leaves a usable one.
    """
    files = prepare_pairs(select(request.bids, visits_tsv=request.visits_tsv).jobs, request.cache)
    pairs = gather_pairs(files, request.label_maps)
    torch.manual_seed(request.config.seed)
    network, architecture = begin(request)
    card = describe(request, architecture, [path.stem for path in files])

    def save(average: torch.nn.Module) -> None:
        save_bundle(request.output, card, [average.state_dict()])

    fitted = train(network, pairs, request.config, save)
    bundle = save_bundle(request.output, card, [fitted.state_dict()])
    return calibrate(bundle, files, request.config.enhancement_weight)


def calibrate(bundle: Bundle, files: Sequence[Path], enhancement_weight: float) -> Bundle:
    """Write the bundle again with its change as strong as suits the whole real pairs."""
    if not files:
        return bundle
    pairs = (load_pair(path) for path in files)
    gain = best_gain(Predictor(bundle), pairs, enhancement_weight)
    weights = scale_change(bundle.load_network().state_dict(), gain)
    training_data = {**bundle.card.training_data, "gain_on_change": gain}
    return save_bundle(bundle.folder, replace(bundle.card, training_data=training_data), [weights])


def begin(request: TrainingRequest) -> tuple[SynthesisNetwork, Mapping[str, Any]]:
    """Return the network to train and what a card says of its architecture."""
    if request.start_from is not None:
        bundle = load_bundle(request.start_from)
        return bundle.load_network(), bundle.card.architecture
    architecture = {
        "name": "attention_unet",
        "width": request.width,
        "levels": 5,
        "in_channels": 1,
        "output": "change",
    }
    return build_network(architecture), architecture


def gather_pairs(files: Sequence[Path], label_maps: Sequence[Path]) -> list[ScaledPair]:
    """Read prepared real pairs and simulate one of each label map, its seed its rank."""
    pairs = [scale_pair(load_pair(path), NORMALISATION) for path in files]
    for seed, label_map in enumerate(label_maps, start=1):
        logger.info("Simulating %s", label_map.name)
        pairs.append(simulate_pair(label_map, seed, NORMALISATION))
    return pairs


def describe(request: TrainingRequest, architecture: Mapping[str, Any], names: list[str]) -> Card:
    """Return the card of a model that was not measured yet."""
    return Card(
        id=request.model_id,
        task=PIPELINE,
        architecture=architecture,
        inputs=(CardInput("T1w-ce"),),
        grid=Grid("mni-1mm", GRIDS["mni-1mm"]),
        normalisation=card_of(NORMALISATION),
        training_data={
            "real_pairs": names,
            "simulated_heads": [path.name for path in request.label_maps],
            "target": "the input without its enhancement, in the input's own style",
            "configuration": asdict(request.config),
            "started_from": request.start_from.name if request.start_from else None,
        },
        metrics=(),
        intended_use=INTENDED_USE,
        limits=(),
        licence=request.licence,
    )
