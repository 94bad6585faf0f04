"""What a network is and what its card says of it, from a configuration or from a bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from inspect import signature
from typing import TYPE_CHECKING, Any

import torch

from clinica_gado import __version__
from clinica_gado.gado_removal import PIPELINE as REMOVAL
from clinica_gado.inference.inputs import Rules
from clinica_gado.inference.normalisation import ZScore, card_of, normalisation_from
from clinica_gado.models.bundle import find_bundle, load_bundle
from clinica_gado.models.card import GRIDS, Card, CardInput, Grid, synthesis_of
from clinica_gado.models.registry import ARCHITECTURES, build_network
from clinica_gado.provenance import INTENDED_USE
from clinica_gado.sequences import T1W_CE
from clinica_gado.training.cases import ENHANCED
from clinica_gado.training.config import ADDING_CONTRAST, MADE, NetworkConfig
from clinica_gado.virtual_enhancement import PIPELINE as ENHANCEMENT

if TYPE_CHECKING:
    from clinica_gado.inference.normalisation import Rule
    from clinica_gado.models.blocks import SynthesisNetwork
    from clinica_gado.training.config import TrainingConfig

NOT_MEASURED = "Nothing was measured on it yet: `clinica-gado evaluate --write-card` does."
NOT_COMPARED = (
    "Nothing was measured on it yet: `clinica run t1-virtual-enhance` compares what it makes of "
    "visits that were not trained on with their real images, in similarity.tsv."
)
UNVERIFIED = (
    "What it makes is no acquired image: a guess for a network that misses one. Nothing was "
    "measured on it."
)
TARGETS = {
    "remapped": "the input without its enhancement, in the input's own style",
    "real": "the real T1w without contrast, in its own style and on a scale of its own",
    "enhanced": "the T1w at full dose; of a real visit as it is, of a simulated head of the "
    "sequence and on the scale of the first input",
    "added": "the first input with the enhancement of the T1w at full dose, in its own style",
    **{name: f"the {name} of the same visit, on a scale of its own" for name in MADE},
}


@dataclass(frozen=True)
class Blueprint:
    """A network to train: `architecture` as in a card, its grid and scale, and first weights.

    Attributes
    ----------
    normalisation, input_rules : scale of the answer, and those of the inputs that have their own.
    may_be_missing : whether every input but the first may be.
    synthesised_by : id of the bundle that makes an input where it is missing, by input.
    weights, started_from : those to begin with, and the bundle they are of.
    change_rules : on the change, as in that bundle's card.
    """

    architecture: Mapping[str, Any]
    grid: Grid
    normalisation: Rule
    target: str
    inputs: tuple[str, ...] = (T1W_CE,)
    input_rules: Mapping[str, Rule] = field(default_factory=dict)
    may_be_missing: bool = False
    synthesised_by: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, torch.Tensor] | None = None
    started_from: Mapping[str, str] | None = None
    change_rules: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def rules(self) -> Rules:
        """The scales of the images, as `rules_of` finds them in the card."""
        inputs = {name: self.input_rules.get(name, self.normalisation) for name in self.inputs}
        is_image = self.architecture.get("output", "image") == "image"
        return Rules(self.normalisation if is_image else inputs[self.inputs[0]], inputs)

    def build(self) -> SynthesisNetwork:
        """Return the network; without first weights they are drawn by torch's generator."""
        network = build_network(self.architecture)
        if self.weights is not None:
            network.load_state_dict(self.weights)
        return network


def blueprint_of(
    config: TrainingConfig,
    start_from: str | None = None,
    ranges: Callable[[], Mapping[str, Rule]] | None = None,
) -> Blueprint:
    """Return what a configuration says of the network, or what a bundle to go on from says.

    Parameters
    ----------
    ranges : finds the scale of each image of the training set, and of `ENHANCED`, where the rule of
        the configuration is not known without it (z-scores).

    Raises
    ------
    BundleError
        The bundle cannot be used.
    """
    may_be_missing = config.data.missing_share > 0
    if start_from is None:
        network = config.network
        found = ranges() if ranges and network.normalisation == ZScore.rule else {}
        rule = found.get(ENHANCED) or normalisation_from({"rule": network.normalisation})
        return Blueprint(
            architecture_of(network),
            Grid(network.grid, GRIDS[network.grid]),
            rule,
            config.data.target,
            config.input_names,
            {name: own for name, own in found.items() if name != ENHANCED},
            may_be_missing,
        )
    bundle = load_bundle(find_bundle(start_from))
    card = bundle.card
    weights = bundle.load_network().state_dict()
    return Blueprint(
        card.architecture,
        card.grid,
        normalisation_from(card.normalisation),
        config.data.target,
        tuple(item.name for item in card.inputs),
        {i.name: normalisation_from(i.normalisation) for i in card.inputs if i.normalisation},
        may_be_missing,
        {item.name: item.synthesised_by for item in card.inputs if item.synthesised_by},
        weights,
        {"id": card.id, "sha256": bundle.sha256},
        card.change_rules,
    )


def architecture_of(network: NetworkConfig) -> dict[str, Any]:
    """Return what a card says of a network's architecture."""
    taken = signature(ARCHITECTURES[network.architecture]).parameters
    numbers = {name: value for name, value in asdict(network).items() if name in taken}
    n_images = len(network.inputs.split(","))
    return {
        "name": network.architecture,
        **numbers,
        "in_channels": n_images,
        "output": network.output_mode,
    }


def network_config_of(card: Card) -> NetworkConfig:
    """Return what a configuration says of the network of a card; the inverse of `architecture_of`.

    What the card does not say has the default of the network, or of the configuration.
    """
    builder = signature(ARCHITECTURES[card.architecture["name"]]).parameters
    numbers = {**{name: item.default for name, item in builder.items()}, **card.architecture}
    said = {
        **numbers,
        "architecture": numbers["name"],
        "inputs": ",".join(item.name for item in card.inputs),
        "output_mode": numbers["output"],
        "grid": card.grid.name,
        "normalisation": card.normalisation["rule"],
    }
    known = {item.name for item in fields(NetworkConfig)}
    return NetworkConfig(**{name: value for name, value in said.items() if name in known})


def task_of(target: str) -> str:
    """Return what the card of a network of a target says that it is for."""
    if target in MADE:
        return synthesis_of(target)
    return ENHANCEMENT if target in ADDING_CONTRAST else REMOVAL


def _limits_of(target: str) -> str:
    if target in MADE:
        return UNVERIFIED
    return NOT_COMPARED if target in ADDING_CONTRAST else NOT_MEASURED


def describe(
    model_id: str, licence: str, blueprint: Blueprint, training_data: Mapping[str, Any]
) -> Card:
    """Return the card of a model that was not measured yet."""
    versions = {"clinica-gado": __version__, "torch": torch.__version__}
    return Card(
        id=model_id,
        task=task_of(blueprint.target),
        architecture=blueprint.architecture,
        inputs=tuple(_input_of(blueprint, name) for name in blueprint.inputs),
        grid=blueprint.grid,
        normalisation=card_of(blueprint.normalisation),
        training_data={**training_data, "target": TARGETS[blueprint.target], "versions": versions},
        metrics=(),
        intended_use=INTENDED_USE,
        limits=(_limits_of(blueprint.target),),
        licence=licence,
        change_rules=blueprint.change_rules,
    )


def _input_of(blueprint: Blueprint, name: str) -> CardInput:
    own = blueprint.input_rules.get(name)
    return CardInput(
        name,
        may_be_missing=blueprint.may_be_missing and name != blueprint.inputs[0],
        normalisation=None if own is None else card_of(own),
        synthesised_by=blueprint.synthesised_by.get(name),
    )
