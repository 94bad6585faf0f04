"""How long a warehouse takes, and how much disk, from the figures of the other benchmarks.

    python benchmarks/warehouse_model.py [--visits 100000] [--pairs 0.2] [--cores 32] …

A model, no measurement. Its defaults are what `stages.py` (seconds of a processor, disk) and
`warehouse.py` (what the command does for a visit) measured, by the fast preprocessing; for the
standard one give `--preprocess-s 86.4 --pair-s 28.1`, or your own. It takes that

* a visit runs on one core, as many at once on a node as cores and memory allow;
* a core of a node whose cores are all busy does `--efficiency` of what it does alone;
* the command hands visits out and takes them back one after another, which bounds their rate, and
  writes the tables at the end.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

FIGURES: dict[str, tuple[int | float, str]] = {
    "visits": (100_000, "visits of the warehouse"),
    "pairs": (0.2, "share of them with a real T1w without contrast, which is treated too"),
    "cores": (32, "of a node"),
    "memory_gb": (128.0, "of a node"),
    "visit_gb": (3.0, "memory of a visit"),
    "efficiency": (0.8, "of a core while all of its node are busy"),
    "detect_s": (2.7, "telling the contrast of a T1w by the image, beforehand"),
    "preprocess_s": (14.5, "preprocessing of a visit"),
    "network_s": (8.5, "network and its picture"),
    "tissue_s": (64.7, "tissue of one image, built-in; a visit has two, with a pair three"),
    "measure_s": (13.1, "likeness, contrast and picture, of a pair; taken for all"),
    "pair_s": (4.6, "alignment of the real T1w without contrast"),
    "harmonize_s": (0.05, "claim, files and records of a visit"),
    "command_s": (0.0074, "processor of the command for a visit: it hands out one after another"),
    "tables_s": (0.005, "tables at the end, for each visit"),
    "mb": (69.0, "disk of a visit with a pair"),
}
"""Default and meaning of each figure; those in seconds are of one core of the machine measured."""

SITES = {"1 server": 1, "50 nodes": 50}
TISSUES = {"without tissue": False, "with tissue": True}
DAY_S = 86400.0


@dataclass(frozen=True)
class Estimate:
    """What a warehouse takes: visits at once, visits a second, days, core-hours."""

    at_once: int
    rate: float
    days: float
    core_hours: float


def main() -> None:
    """Print a line for each site, with tissue and without."""
    figures = read_figures()
    print(f"{figures.visits} visits, {figures.pairs:.0%} of them with a real T1w without contrast")
    print(f"{'':26}{'s a visit':>11}{'at once':>9}{'a second':>10}{'days':>8}{'core-hours':>12}")
    for site, nodes in SITES.items():
        for words, tissue in TISSUES.items():
            seconds = visit_seconds(figures, tissue=tissue)
            found = estimate(figures, nodes, seconds)
            print(
                f"{site + ', ' + words:26}{seconds:11.0f}{found.at_once:9}{found.rate:10.2f}"
                f"{found.days:8.2f}{found.core_hours:12,.0f}"
            )
    print(f"the command can hand out {1 / figures.command_s:.0f} visits a second")
    detection = figures.visits * (1 + figures.pairs) * figures.detect_s / figures.efficiency / 3600
    print(f"telling contrast by every image, beforehand: {detection:,.0f} core-hours more")
    print(f"at most {figures.visits * figures.mb / 1e6:.1f} TB in CAPS")


def read_figures() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    for name, (default, text) in FIGURES.items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=type(default), default=default, help=text)
    return parser.parse_args()


def visit_seconds(figures: argparse.Namespace, *, tissue: bool) -> float:
    """Return the seconds of a processor of a visit, averaged over those with and without pair."""
    seconds = figures.preprocess_s + figures.network_s + figures.measure_s + figures.harmonize_s
    seconds += figures.pairs * figures.pair_s
    return seconds + tissue * (2 + figures.pairs) * figures.tissue_s


def estimate(figures: argparse.Namespace, nodes: int, seconds: float) -> Estimate:
    """Return what a warehouse takes on so many nodes when a visit takes so many seconds."""
    at_once = nodes * min(figures.cores, int(figures.memory_gb / figures.visit_gb))
    rate = min(at_once * figures.efficiency / seconds, 1 / figures.command_s)
    days = (figures.visits / rate + figures.visits * figures.tables_s) / DAY_S
    return Estimate(at_once, rate, days, figures.visits * seconds / figures.efficiency / 3600)


if __name__ == "__main__":
    main()
