"""What other numbers in a card's rules for its change would make of real pairs.

    python benchmarks/change_rules.py BIDS --vary darkening_gate.threshold=.03,.04,.05,.06 \
        [--vary outlines.threshold=.05,.1] [--participants train01 train08 train12] [--caps CAPS]

The network runs once an image, and every combination of the numbers, the other rules being as in
its card, is applied to what it said. Of the T1w without contrast: mean absolute change in the
brain, in percent of its median, and the sharpness left. Of the one with contrast: PSNR and SSIM in
the brain after the robust match to the one without, and the sharpness left; `as it is` is the image
itself. Choose by pairs that the network may know, and judge by others.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clinica_gado.bids import select
from clinica_gado.evaluation.cases import Case, load_case
from clinica_gado.evaluation.measures import sharpness_kept
from clinica_gado.evaluation.similarity import compare
from clinica_gado.gado_removal import PIPELINE
from clinica_gado.inference import Predictor
from clinica_gado.inference.change import Surroundings, change_rules_from
from clinica_gado.inference.inputs import prepare_images, rules_of
from clinica_gado.models.bundle import Bundle
from clinica_gado.predictors import find_model
from clinica_gado.preprocessing.intensity import match_intensity
from clinica_gado.preprocessing.templates import template_brain
from clinica_gado.training.pairs import prepare_pairs

Image = NDArray[np.float32]
Numbers = Mapping[str, Mapping[str, Any]]


def main() -> None:
    """Print a row for each image and combination of numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bids", type=Path)
    parser.add_argument("--model", help="id or folder [the default]")
    parser.add_argument("--vary", action="append", required=True, help="RULE.NUMBER=A,B,…")
    parser.add_argument("--participants", nargs="+", default=["train01", "train08", "train12"])
    parser.add_argument("--caps", type=Path, help="outputs of t1-gado-removal with these pairs")
    options = parser.parse_args()
    network = Network(find_model(PIPELINE, options.model))
    varied = [tell_apart(text) for text in options.vary]
    for rule, number, _ in varied:
        if number not in network.rules.get(rule, {}):
            parser.error(f"{network.card.id} has no {rule}.{number} in its card's change_rules.")
    choices = list(combinations(network.rules, varied))
    visits = {f"sub-{name}" for name in options.participants}
    jobs = [job for job in select(options.bids).jobs if job.visit.participant_id in visits]
    with TemporaryDirectory() as folder:
        for path in prepare_pairs(jobs, Path(folder), options.caps):
            show(load_case(path), network, choices)


def tell_apart(text: str) -> tuple[str, str, list[float]]:
    """Return rule, number and values of `RULE.NUMBER=A,B`."""
    name, _, values = text.partition("=")
    rule, _, number = name.partition(".")
    return rule, number, [float(value) for value in values.split(",")]


def combinations(
    rules: Numbers, varied: list[tuple[str, str, list[float]]]
) -> Iterator[tuple[str, Numbers]]:
    """Return what each combination is called, and the numbers of all rules in it."""
    for values in product(*(choice[2] for choice in varied)):
        numbers = {rule: dict(own) for rule, own in rules.items()}
        for (rule, number, _), value in zip(varied, values, strict=True):
            numbers[rule][number] = type(numbers[rule][number])(value)
        yield " ".join(f"{value:g}" for value in values), numbers


class Answer(NamedTuple):
    """What a network said of an image: a change, on a scale, and what it saw."""

    change: Image
    around: Surroundings
    scale: Any
    image: Image

    def with_rules(self, numbers: Numbers) -> Image:
        """Return the image with the change that rules leave."""
        change = self.change
        for rule in change_rules_from(numbers):
            change = rule.apply(change, self.around)
        return np.asarray(self.scale.add(self.image, change), dtype=np.float32)


class Network:
    """A bundle without its rules."""

    def __init__(self, bundle: Bundle) -> None:
        self.rules: Numbers = bundle.card.change_rules
        self.card = bundle.card
        self._predictor = Predictor(replace(bundle, card=replace(bundle.card, change_rules={})))

    def ask(self, image: Image) -> Answer:
        """Return what the network says of an image, on the template's grid."""
        brain = template_brain()
        made = self._predictor.predict([image], region=brain).array
        prepared = prepare_images([image], self.card, rules_of(self.card), brain)
        seen = prepared.stacked[0, 0].numpy()
        around = Surroundings(seen, brain, image != 0)
        return Answer(prepared.scale.apply(made) - seen, around, prepared.scale, image)


def show(case: Case, network: Network, choices: list[tuple[str, Numbers]]) -> None:
    """Print the rows of a pair."""
    plain, source = network.ask(case.reference), network.ask(case.source)
    name = case.visit.participant_id
    print(f"{name:14}{'change %':>10}{'sharp':>7}{'PSNR':>8}{'SSIM':>7}{'sharp':>7}")
    print(f"  {'as it is':12}{0:10.2f}{1:7.3f}{likeness(case.source, case)}{1:7.3f}")
    for name, numbers in choices:
        kept, made = plain.with_rules(numbers), source.with_rules(numbers)
        inside = case.brain
        change = np.abs(kept - case.reference)[inside].mean() / np.median(case.reference[inside])
        left = [
            sharpness_kept(*both, inside) for both in ((kept, plain.image), (made, source.image))
        ]
        print(f"  {name:12}{100 * change:10.2f}{left[0]:7.3f}{likeness(made, case)}{left[1]:7.3f}")


def likeness(image: Image, case: Case) -> str:
    """Return PSNR and SSIM to the real image without contrast, after the match."""
    matched = match_intensity(image, case.reference, case.brain)
    found = compare(matched, case.reference, case.brain)
    return f"{found.psnr_db:8.2f}{found.ssim:7.3f}"


if __name__ == "__main__":
    main()
