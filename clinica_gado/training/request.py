"""What a training run is asked for, and what it cannot do, told before any work."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinica_gado.bids import parse_input_filters
from clinica_gado.errors import TrainingError
from clinica_gado.evaluation.lesions import ENHANCING
from clinica_gado.models.bundle import find_bundle, known_bundles, load_bundle
from clinica_gado.models.card import check_id, check_licence, synthesis_of
from clinica_gado.models.registry import build_network
from clinica_gado.sequences import T1W, T1W_CE, T1W_LOW_DOSE
from clinica_gado.training.blueprint import architecture_of, network_config_of
from clinica_gado.training.config import TrainingConfig
from clinica_gado.training.devices import Devices
from clinica_gado.training.losses import taps_of
from clinica_gado.training.simulated import DOSES, RENDERED_AS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clinica_gado.models.card import Card

logger = logging.getLogger(__name__)

MAX_FOLDS = 100
"""That a bundle can hold."""
LEADERS = (T1W, T1W_LOW_DOSE)
"""What can come first where contrast is added: its sequence and scale are those of the result."""


@dataclass(frozen=True)
class TrainingRequest:
    """What to train on, and what to call the result.

    Attributes
    ----------
    caps : outputs of t1-gado-removal, or of t1-virtual-enhance where contrast is added, whose
        images are taken where they are there.
    preprocessing : route of the images of cases that are not there (see `LinearOptions`).
    visits_tsv, validation_tsv : visits of `bids` to learn from, and to judge by; all those with a
        pair when None, and none.
    contrast_tsv, pairs_tsv : see `select`.
    input_filter, assume_plain : which images are taken of a visit where contrast is added, see
        `parse_input_filters` and `InputRequest`.
    lesions, enhancing_labels : see `EnhancementSettings`; where studies score the visits of cases.
    label_maps : whole-head label maps to simulate heads on while learning.
    cache : where preprocessed pairs are kept.
    synthesise : inputs that a visit may lack, each with the id or folder of the bundle for it.
    start_from : id or folder of a bundle whose weights to begin with; its network is taken.
    folds, fold : cross-validation by subject, or without visits by label map, and the one fold to
        do now; all of them when None.
    workers : processes that draw patches ahead.
    overwrite : forget what an earlier run left in `output`.
    """

    bids: Path
    output: Path
    model_id: str
    licence: str
    cache: Path
    caps: Path | None = None
    preprocessing: str = "standard"
    visits_tsv: Path | None = None
    validation_tsv: Path | None = None
    contrast_tsv: Path | None = None
    pairs_tsv: Path | None = None
    input_filter: tuple[str, ...] = ()
    assume_plain: bool = False
    lesions: Path | None = None
    enhancing_labels: tuple[int, ...] = ENHANCING
    label_maps: tuple[Path, ...] = ()
    synthesise: tuple[tuple[str, str], ...] = ()
    start_from: str | None = None
    folds: int = 1
    fold: int | None = None
    devices: Devices = field(default_factory=Devices)
    workers: int = 0
    overwrite: bool = False
    config: TrainingConfig = field(default_factory=TrainingConfig)

    @property
    def choice_of_images(self) -> dict[str, Any]:
        """What the user says of the images to take of a visit; empty where nothing is said."""
        said = {"input_filter": sorted(self.input_filter), "assume_plain": self.assume_plain}
        return {name: value for name, value in said.items() if value}


def begin_with_bundle(request: TrainingRequest) -> TrainingRequest:
    """Return the request with the network of the bundle to begin with, if any, in its settings.

    Raises
    ------
    TrainingError, BundleError
        The bundle takes other images, its network contradicts the other settings, or it cannot be
        used.
    """
    if request.start_from is None:
        return request
    card = load_bundle(find_bundle(request.start_from)).card
    names = tuple(item.name for item in card.inputs)
    if names != request.config.input_names:
        raise TrainingError(
            f"{request.start_from} takes {', '.join(names)}, the settings ask for "
            f"{', '.join(request.config.input_names)}: set inputs to those of the bundle."
        )
    try:
        config = replace(request.config, network=network_config_of(card))
    except ValueError as error:
        raise TrainingError(
            f"{request.start_from} does not go with the settings: {error}."
        ) from error
    return replace(request, config=config)


def check_folds(request: TrainingRequest) -> None:
    """Refuse ways to split the data that contradict each other, before any work.

    Raises
    ------
    TrainingError
        They do, or there is no such fold, or there are more than a bundle can hold.
    """
    folds, fold = request.folds, request.fold
    if not 1 <= folds <= MAX_FOLDS:
        raise TrainingError(f"There cannot be {folds} folds; give --folds 1 to {MAX_FOLDS}.")
    if folds > 1 and request.validation_tsv is not None:
        raise TrainingError(
            "Each fold is judged by visits of its own, and would teach those of --validation-tsv: "
            "leave out --folds or --validation-tsv."
        )
    if fold is not None and folds == 1:
        raise TrainingError("--fold is one of several: give --folds too, or leave --fold out.")
    if fold is not None and not 0 <= fold < folds:
        raise TrainingError(f"There is no fold {fold}; give 0 to {folds - 1}.")


def check_task(request: TrainingRequest) -> None:
    """Refuse what networks cannot learn from, or cannot be simulated, before any work.

    Raises
    ------
    TrainingError, SelectionError, BundleError
        Such images or patches are asked for, or a filter or a bundle that makes images cannot be
        used.
    """
    check_id(request.model_id)
    check_licence(request.licence)
    config = request.config
    _check_sizes(config)
    if config.takes_cases:
        _check_cases(request)
        return
    if request.choice_of_images or request.synthesise:
        raise TrainingError(
            "--input-filter, --assume-plain and --synthesise are for networks that take several "
            "images; to remove contrast leave them out."
        )
    if request.preprocessing != "standard":
        raise TrainingError(
            "--preprocessing is for networks that take several images: pairs to remove contrast "
            "go through the standard route; leave it out, or take other images by --caps."
        )
    if config.input_names != (T1W_CE,):
        raise TrainingError(
            "To remove contrast a network learns from pairs of T1w-ce and T1w alone; the settings "
            f"ask for {', '.join(config.input_names)}: leave inputs, or set target to enhanced."
        )


def _check_sizes(config: TrainingConfig) -> None:
    """Refuse patches that the network cannot take, or that the window of the SSIM does not fit."""
    network = build_network(architecture_of(config.network), device="meta")
    size, window = config.data.patch_size, config.loss.ssim_window
    if any(size % multiple for multiple in network.multiple):
        raise TrainingError(
            f"patch_size is {size}; it must be a multiple of {max(network.multiple)} for this "
            f"{config.network.architecture}."
        )
    tuning = config.fine_tuning
    has_ssim = config.loss.ssim or (tuning.fine_tuning_share and tuning.fine_tuning_ssim)
    seen = size or (network.slices if window != "slices" else None)
    side = len(taps_of(window))
    if has_ssim and seen and seen < side:
        raise TrainingError(
            f"The SSIM needs {side} voxels a side, the network sees {seen} at a time: set "
            f"{'a larger patch_size' if size else 'ssim_window to slices'}, or ssim to 0."
        )


def _check_cases(request: TrainingRequest) -> None:
    names, target = request.config.input_names, request.config.data.target
    if names[0] not in LEADERS:
        raise TrainingError(f"The target {target} needs {' or '.join(LEADERS)} as the first input.")
    unknown = set(names) - {T1W, *RENDERED_AS, *DOSES}
    if request.label_maps and unknown:
        raise TrainingError(
            f"{', '.join(sorted(unknown))} cannot be simulated; leave --label-map out, or take "
            f"inputs of {', '.join([T1W, *RENDERED_AS, *DOSES])}."
        )
    if request.pairs_tsv is not None:
        raise TrainingError(
            f"The target {target} takes all images of one visit: leave --pairs-tsv out."
        )
    parse_input_filters(request.input_filter)
    makers_of(request)


def makers_of(request: TrainingRequest) -> dict[str, str]:
    """Return the id of the bundle that makes an input where a visit lacks it, by input.

    Raises
    ------
    TrainingError, BundleError
        A bundle is not there, makes another image, or needs images that the network does not take.
    """
    makers = {}
    for name, given in request.synthesise:
        card = load_bundle(find_bundle(given)).card
        _check_maker(name, card, request.config.input_names)
        if card.id not in known_bundles():
            logger.warning(
                "%s is not installed: before the network can be used without %s, run "
                "clinica-gado models import %s",
                *(card.id, name, given),
            )
        makers[name] = card.id
    return makers


def _check_maker(name: str, card: Card, inputs: Sequence[str]) -> None:
    if name not in inputs[1:]:
        raise TrainingError(
            f"--synthesise {name}: the network takes {', '.join(inputs)}, of which the first is "
            "always given; name one of the others."
        )
    if card.task != synthesis_of(name):
        raise TrainingError(
            f"--synthesise {name}: {card.id} is for {card.task}; train one that makes it with "
            f"clinica-gado train --target {name}."
        )
    foreign = [i.name for i in card.inputs if not i.may_be_missing and i.name not in inputs]
    if foreign:
        raise TrainingError(
            f"--synthesise {name}: {card.id} makes it of {', '.join(foreign)}, which the network "
            f"does not take ({', '.join(inputs)})."
        )
