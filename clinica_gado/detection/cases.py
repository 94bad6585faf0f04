"""Profiles of images whose contrast is known, to train and to test the classifier on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import pandas as pd

from clinica_gado.bids.contrast import Contrast, entity_says_enhanced
from clinica_gado.bids.entities import parse_name
from clinica_gado.detection.draws import draw_pairs
from clinica_gado.detection.placing import place_on_template
from clinica_gado.detection.profile import profile
from clinica_gado.files import write_tsv
from clinica_gado.preprocessing.images import read_volume

ENHANCED, PLAIN = Contrast.ENHANCED.value, Contrast.NON_ENHANCED.value
SEED = 2022

Row = dict[str, object]
Key = TypeVar("Key")


def simulated_cases(
    label_maps: Path,
    heads: Iterable[int],
    anatomies: int,
    pairs: int,
    keep: Path,
    seed: int = SEED,
) -> pd.DataFrame:
    """Return the profiles of simulated images, both of each pair; kept head by head in a folder."""

    def draw(head: int) -> Iterator[Row]:
        path = label_maps / f"head_{head:02d}_dseg.nii.gz"
        for pair in draw_pairs(path, anatomies, pairs, seed):
            facts: Row = {"group": f"head {head:02d}", "sequence": pair.sequence}
            facts["brain_only"] = pair.brain_only
            for contrast, image in ((ENHANCED, pair.enhanced), (PLAIN, pair.plain)):
                yield {**facts, "contrast": contrast, **profile(image)}

    form = f"{anatomies}x{pairs}" + (f"_{seed}" if seed != SEED else "")
    kept = (_kept(keep / f"head_{head:02d}_{form}.tsv", draw, head) for head in heads)
    return pd.concat(kept, ignore_index=True)


def placed_cases(bids: Path, participants: Iterable[str], keep: Path) -> pd.DataFrame:
    """Return the profiles of raw T1w as `detect` places them; those without `ce-` are plain."""

    def place(participant: str) -> Iterator[Row]:
        for path in sorted((bids / participant).glob("ses-*/anat/*_T1w.nii.gz")):
            contrast = ENHANCED if entity_says_enhanced(parse_name(path.name)) else PLAIN
            facts: Row = {"group": participant, "image": path.name, "contrast": contrast}
            yield facts | profile(place_on_template(read_volume(path)).data)

    kept = (_kept(keep / f"placed_{who}.tsv", place, who) for who in participants)
    return pd.concat(kept, ignore_index=True)


def registered_cases(caps: Path, participants: Iterable[str], keep: Path) -> pd.DataFrame:
    """Return the profiles of the pairs that t1-gado-removal registered: source and reference."""

    def read(participant: str) -> Iterator[Row]:
        folder = caps / "subjects" / participant
        for pattern, contrast in (("*_desc-N4_*", ENHANCED), ("*_desc-Reference_*", PLAIN)):
            for path in sorted(folder.glob(f"ses-*/*/preprocessing/{pattern}_T1w.nii.gz")):
                image = read_volume(path).data
                facts: Row = {"group": participant, "image": path.name, "contrast": contrast}
                yield facts | profile(image)

    kept = (_kept(keep / f"registered_{who}.tsv", read, who) for who in participants)
    return pd.concat(kept, ignore_index=True)


def _kept(path: Path, make: Callable[[Key], Iterator[Row]], key: Key) -> pd.DataFrame:
    """Read a table, or make it and keep it."""
    if not path.is_file():
        write_tsv(path, pd.DataFrame(list(make(key))))
    return pd.read_csv(path, sep="\t")
