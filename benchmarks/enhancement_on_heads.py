"""What models that add contrast make of simulated heads that they have not seen, case by case.

    python benchmarks/enhancement_on_heads.py [--model ID|FOLDER …] [--heads 17 18] [--draws 2]

Every draw is another person on the label map, with a lesion of any kind and a T1w sequence of its
own. The T1w as it is, and each other input by itself, are scored like what the models make, against
the same acquisition at 0.1 mmol/kg: in the brain, and in the enhancing region of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from segmentation import head_options, kept_folder

from clinica_gado.inference import Predictor
from clinica_gado.models.bundle import Bundle, default_bundle, find_bundle, load_bundle
from clinica_gado.studies.scoring import by_name, definitions, maker_of, score_cases
from clinica_gado.training.drawn import simulate_cases
from clinica_gado.virtual_enhancement import PIPELINE

SHOWN = ["psnr_db", "ssim_percent", "enhancing_psnr_db", "enhancing_l2_e4"]


def main() -> None:
    """Simulate the cases that each model takes, score all on them and print the rows."""
    parser = head_options(__doc__.splitlines()[0])
    parser.add_argument("--model", action="append", help="id or folder; repeatable [the shipped]")
    parser.add_argument("--draws", type=int, default=2, help="of each head [2]")
    parser.add_argument("--flips", choices=("none", "lr", "all"), default="all")
    options = parser.parse_args()
    for name in SHOWN:
        print(f"{name}: {definitions()[name]}")
    with kept_folder(options) as folder:
        shipped = [str(default_bundle(PIPELINE))]
        for model in (options.model or shipped) if folder is not None else ():
            bundle = load_bundle(find_bundle(model))
            print(f"\n{bundle.card.id}")
            table = score(bundle, options, folder)
            print(table.to_string(index=False, float_format="%.2f"), flush=True)
            means = table.groupby("image", sort=False)[SHOWN].mean()
            print(means.to_string(float_format="%.2f"), flush=True)


def score(bundle: Bundle, options: argparse.Namespace, folder: Path) -> pd.DataFrame:
    """Return a row a case and image: each input as it is, and what the model makes."""
    names = [item.name for item in bundle.card.inputs]
    maps = [options.label_maps / f"head_{number:02d}_dseg.nii.gz" for number in options.heads]
    cases = simulate_cases(maps, options.draws, names, folder / "-".join(names))
    makers = {name: as_it_is(name) for name in names if name.startswith("T1w")}
    makers[bundle.card.id] = maker_of(Predictor(bundle, flips=options.flips))
    tables = [score_cases(make, cases).assign(image=name) for name, make in makers.items()]
    return pd.concat(tables)[["case", "image", *SHOWN]].sort_values("case", kind="stable")


def as_it_is(name: str) -> Callable[..., object]:
    """Return what takes one of the images given for the answer."""
    return lambda trial: by_name(trial)[name]


if __name__ == "__main__":
    main()
