"""What the predictor gains over the plain fp32 network, and what it costs in accuracy and memory.

    python benchmarks/inference.py [MODEL] [--image cropped_T1w.nii.gz]
    python benchmarks/inference.py --width 16

The plain network is what training leaves: fp32, default layout, batch norms apart. The predictor's
time also holds scaling, padding and restoring. Each variant has a process of its own, one after the
other in one run; the first of its runs is not counted.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

SHAPE = (169, 208, 179)
VARIANTS = ("plain", "fp32", "bf16")


def main() -> None:
    """Measure every variant in a process of its own and print one table."""
    options = parse_options()
    if options.variant:
        return measure(options)
    with tempfile.TemporaryDirectory() as folder:
        if options.width:
            call(options, "bundle", folder)
            options.model = str(Path(folder, "bundle"))
        results = {variant: call(options, variant, folder) for variant in VARIANTS}
        outputs = {variant: np.load(Path(folder, f"{variant}.npy")) for variant in VARIANTS}
        image = np.load(Path(folder, "image.npy"))
    report(results, outputs, image)


def parse_options() -> argparse.Namespace:
    """Read the command line; `--variant` and `--folder` are for the processes it starts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", help="id or folder of a bundle [the default one]")
    parser.add_argument("--width", type=int, help="an Att-U-Net of this width, random weights")
    parser.add_argument("--image", type=Path, help="169×208×179 image [an ellipsoid with noise]")
    parser.add_argument("--repeats", type=int, default=3, help="runs that count, per variant [3]")
    parser.add_argument("--variant", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def call(options: argparse.Namespace, variant: str, folder: str) -> dict[str, float]:
    """Run one variant in a new process, so that its peak memory is its own."""
    command = [sys.executable, __file__, "--variant", variant, "--folder", folder]
    command += [options.model] if options.model else []
    command += ["--width", str(options.width)] if options.width else []
    command += ["--image", str(options.image)] if options.image else []
    command += ["--repeats", str(options.repeats)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout or "{}")
    return result


def measure(options: argparse.Namespace) -> None:
    """Do what one of those processes is for, and print its figures as JSON."""
    if options.variant == "bundle":
        return save_random_bundle(options.folder / "bundle", options.width)
    image = load_image(options.image)
    run = plain(options.model, image) if options.variant == "plain" else predictor(options, image)
    run()
    seconds = []
    for _ in range(options.repeats):
        started = time.perf_counter()
        output = run()
        seconds.append(time.perf_counter() - started)
    np.save(options.folder / "image.npy", image)
    np.save(options.folder / f"{options.variant}.npy", output)
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": median(seconds), "peak_gib": peak_kib / 2**20}))


def plain(model: str | None, image: np.ndarray) -> Callable[[], np.ndarray]:
    """Return the network as training leaves it, with the same scaling and padding."""
    import torch

    from clinica_gado.inference.grid import (
        crop_to,
        from_network_grid,
        pad_to_multiple,
        to_network_grid,
    )
    from clinica_gado.inference.inputs import prepare_images, rules_of

    bundle = load(model)
    card = bundle.card
    network = bundle.load_network()
    prepared = prepare_images([image], card, rules_of(card))
    on_grid = to_network_grid(prepared.stacked, card.grid)
    ready = pad_to_multiple(on_grid, network.multiple)

    def run() -> np.ndarray:
        with torch.inference_mode():
            estimate = crop_to(network.estimate(ready), on_grid.shape[2:])
        answer = from_network_grid(estimate, card.grid, image.shape)[0, 0].numpy()
        if card.output == "image":
            return prepared.scale.invert(answer)
        return prepared.scale.add(image, answer)

    return run


def predictor(options: argparse.Namespace, image: np.ndarray) -> Callable[[], np.ndarray]:
    """Return the shipped predictor in one precision, on the CPU."""
    from clinica_gado.inference import Predictor

    shipped = Predictor(load(options.model), device="cpu", precision=options.variant)
    return lambda: shipped.predict([image]).array


def load(model: str | None):
    """Load a bundle by id or folder, or the default one."""
    from clinica_gado.models.bundle import default_bundle, find_bundle, load_bundle

    return load_bundle(find_bundle(model) if model else default_bundle("t1-gado-removal"))


def load_image(path: Path | None) -> np.ndarray:
    """Read an image, or make an ellipsoid of noisy tissue in noisy air."""
    if path is not None:
        import nibabel

        return np.asarray(nibabel.load(path).dataobj, dtype=np.float32)
    generator = np.random.default_rng(0)
    axes = np.ogrid[tuple(slice(-1.2, 1.2, side * 1j) for side in SHAPE)]
    inside = sum(axis**2 for axis in axes) < 1
    tissue = 300 + 60 * np.sin(9 * axes[0]) * np.cos(7 * axes[1]) * np.cos(8 * axes[2])
    noise = generator.normal(0, 8, SHAPE)
    return np.where(inside, tissue + noise, np.abs(noise)).astype(np.float32)


def save_random_bundle(folder: Path, width: int) -> None:
    """Save an Att-U-Net of random weights whose batch norms have seen data."""
    import torch

    from clinica_gado.models.bundle import save_bundle
    from clinica_gado.models.card import card_from
    from clinica_gado.models.registry import build_network

    torch.manual_seed(0)
    numbers = {"name": "attention_unet", "width": width, "levels": 5, "output": "change"}
    network = build_network(numbers)
    torch.nn.init.normal_(network.head.weight, std=0.1 / width**0.5)
    patch = torch.from_numpy(load_image(None)[None, None, 20:100, 20:100, 20:100] / 600)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.momentum = None  # running statistics are those of the one patch
    with torch.no_grad():
        network(patch)
    texts = dict.fromkeys(("training_data", "intended_use", "licence"), "random weights")
    card = {"id": "random", "task": "benchmark", "architecture": numbers, "inputs": ["T1w-ce"]}
    card |= {"grid": "mni-1mm", "normalisation": {"rule": "percentile"}, "metrics": []}
    save_bundle(folder, card_from({**card, **texts, "limits": []}), [network.state_dict()])


def report(
    results: dict[str, dict[str, float]], outputs: dict[str, np.ndarray], image: np.ndarray
) -> None:
    """Print ratio, difference and memory of each variant against the plain one."""
    extent, inside = float(np.ptp(image)), image != 0  # zeros: the predictor leaves them alone
    change = float(np.abs(outputs["plain"] - image)[inside].mean()) / extent
    print(f"mean change {change:.2e} of the input's range; differences are from plain, likewise")
    print(f"{'':8}{'seconds':>9}{'ratio':>8}{'max diff':>11}{'mean diff':>11}{'peak GiB':>10}")
    for variant, result in results.items():
        difference = np.abs(outputs[variant] - outputs["plain"])[inside] / extent
        ratio = results["plain"]["seconds"] / result["seconds"]
        print(
            f"{variant:8}{result['seconds']:9.2f}{ratio:8.1f}{difference.max():11.1e}"
            f"{difference.mean():11.1e}{result['peak_gib']:10.2f}"
        )


if __name__ == "__main__":
    main()
