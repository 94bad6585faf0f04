"""A simulated BIDS dataset: images and true labels of planned persons, and their files."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import torch

from clinica_gado.files import atomic_path, write_json
from clinica_gado.simulation.acquisition import (
    Grid,
    acquire,
    displacement,
    interpolate,
    plan_grid,
    to_image,
)
from clinica_gado.simulation.anatomy import build_head
from clinica_gado.simulation.labels import Tissue, load_label_map
from clinica_gado.simulation.layers import FULL, Head, tissue_share
from clinica_gado.simulation.masks import brain_region, face_region
from clinica_gado.simulation.parameters import HeadParameters, Scan
from clinica_gado.simulation.planning import PlannedImage, PlannedSubject
from clinica_gado.simulation.rendering import render_signal, tissue_signal

TRUTH = Path("derivatives", "truth")
TRUTH_LABELS = {"background": 0, "grey matter": 1, "white matter": 2, "CSF": 3, "lesion": 4}
_GREY = (Tissue.GREY, Tissue.CEREBELLAR_GREY, Tissue.THALAMUS, Tissue.CAUDATE, Tissue.PUTAMEN)
_WHITE = (Tissue.WHITE, Tissue.CEREBELLAR_WHITE, Tissue.WHITE_LESION)
_LESION = (
    Tissue.ENHANCING_TUMOUR,
    Tissue.NECROSIS,
    Tissue.DIFFUSE_TUMOUR,
    Tissue.MENINGIOMA,
    Tissue.METASTASIS,
    Tissue.CAVITY,
)
_TRUTH_OF_TISSUE = {
    **dict.fromkeys((*_GREY, Tissue.PALLIDUM), TRUTH_LABELS["grey matter"]),
    **dict.fromkeys((*_WHITE, Tissue.BRAINSTEM), TRUTH_LABELS["white matter"]),
    Tissue.CSF: TRUTH_LABELS["CSF"],
}


@dataclass(frozen=True)
class SimulatedImage:
    """An image with its path below the dataset, its sidecar, and its true labels or none."""

    path: Path
    image: nib.Nifti1Image
    sidecar: dict[str, object]
    truth: nib.Nifti1Image | None = None


def simulate_subject(
    planned: PlannedSubject, *, with_truth: bool = False, device: torch.device | str = "cpu"
) -> Iterator[SimulatedImage]:
    """Yield every image of a person."""
    head = build_head(load_label_map(planned.spec.label_map), planned.parameters).to(device)
    for item in planned.images:
        grid = plan_grid(head.tissue > 0, head.affine, item.scan.acquisition)
        values = scan_head(head, planned.parameters, item.scan, grid, item.noise_seed)
        yield SimulatedImage(
            bids_path(planned.spec.participant_id, item),
            to_image(values, grid.affine),
            _sidecar(planned, item),
            to_image(true_labels(head, item.scan, grid), grid.affine) if with_truth else None,
        )


def scan_head(
    head: Head,
    parameters: HeadParameters,
    scan: Scan,
    grid: Grid,
    noise_seed: tuple[int, ...],
) -> torch.Tensor:
    """Return the grey levels of one scan of a head on a grid."""
    acquisition = scan.acquisition
    plain = tissue_signal(parameters, scan.sequence, dose_mmol_per_kg=0.0)
    noise_std = float(plain[Tissue.WHITE]) / acquisition.signal_to_noise
    signal = render_signal(
        head, parameters, scan.sequence, scan.dose_mmol_per_kg, acquisition.inflow
    )
    values = acquire(
        signal, head.affine, grid, acquisition, noise_std, _generator(noise_seed, signal.device)
    )
    keep = _kept(head, scan)
    return values if keep is None else values * (_on_grid(keep, head, scan, grid) > 0.5)


def _kept(head: Head, scan: Scan) -> torch.Tensor | None:
    """Return the part of a head that is not cut away, or None where all is kept."""
    if scan.acquisition.brain_mask is not None:
        return brain_region(head, scan.acquisition.brain_mask)
    return ~face_region(head) if scan.acquisition.defaced else None


def _on_grid(volume: torch.Tensor, head: Head, scan: Scan, grid: Grid) -> torch.Tensor:
    """Return the nearest value of a volume in each voxel of an image, with the head displaced."""
    acquisition = scan.acquisition
    place = displacement(acquisition.shift_mm, acquisition.turn_deg, head.affine, head.tissue.shape)
    shape = list(grid.shape)
    return interpolate(volume.float(), place @ head.affine, grid.affine, shape, "nearest")


def _generator(seed: tuple[int, ...], device: torch.device) -> torch.Generator:
    state = np.random.SeedSequence(seed).generate_state(1)[0]
    return torch.Generator(device).manual_seed(int(state))


def true_labels(head: Head, scan: Scan, grid: Grid) -> torch.Tensor:
    """Return `TRUTH_LABELS` of each voxel of an image.

    Voxels that are half or more vessel, meninx, choroid plexus or pituitary are background.
    """
    table = torch.zeros(len(Tissue), dtype=torch.uint8, device=head.tissue.device)
    for tissue, label in _TRUTH_OF_TISSUE.items():
        table[tissue] = label
    labels = table[head.tissue.int()] * (tissue_share(head) > 0.5)
    for layer in head.layers:
        if layer.tissue in _LESION:
            labels[layer.fraction > FULL // 2] = TRUTH_LABELS["lesion"]
    return _on_grid(labels, head, scan, grid)


def bids_path(participant_id: str, item: PlannedImage) -> Path:
    """Return the path of an image below the dataset, e.g. sub-a/anat/sub-a_ce-gadolinium_T1w."""
    suffix = item.scan.sequence.suffix
    parts = [part for part in (participant_id, item.session_id) if part]
    entities = [item.spec.entities] if item.spec.entities else []
    name = "_".join([*parts, *entities, f"{suffix}.nii.gz"])
    return Path(*parts, "dwi" if suffix == "ADC" else "anat", name)


def _sidecar(planned: PlannedSubject, item: PlannedImage) -> dict[str, object]:
    """Return the BIDS fields, and every parameter of the simulation."""
    return {
        "Modality": "MR",
        "Manufacturer": "none (simulated)",
        "MagneticFieldStrength": planned.spec.field_strength_t,
        **item.scan.sequence.sidecar(),
        **dict(item.spec.sidecar),
        "Simulated": True,
        "Simulation": {
            "LabelMap": planned.spec.label_map.name,
            "Seed": planned.spec.seed,
            "NoiseSeed": list(item.noise_seed),
            "DoseMmolPerKg": item.scan.dose_mmol_per_kg,
            "Sequence": asdict(item.scan.sequence),  # type: ignore[call-overload]
            "Head": asdict(planned.parameters),
            "Acquisition": asdict(item.scan.acquisition),
        },
    }


def write_images(root: Path, images: Iterable[SimulatedImage]) -> None:
    """Write images and sidecars below the root of a dataset, true labels below `TRUTH`."""
    for item in images:
        _write_image(root / item.path, item.image)
        write_json(_sidecar_path(root / item.path), item.sidecar)
        if item.truth is not None:
            suffix = item.path.name.split("_")[-1]
            name = item.path.name.replace(suffix, f"desc-{suffix.split('.')[0]}_dseg.nii.gz")
            _write_image(root / TRUTH / item.path.with_name(name), item.truth)


def _sidecar_path(image: Path) -> Path:
    return image.with_name(image.name.replace(".nii.gz", ".json"))


def _write_image(path: Path, image: nib.Nifti1Image) -> None:
    with atomic_path(path) as partial:
        partial.write_bytes(compressed_bytes(image))


def compressed_bytes(image: nib.Nifti1Image) -> bytes:
    """Return an image as .nii.gz bytes that depend on nothing but the image."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=buffer, mode="wb", compresslevel=9, mtime=0) as stream:
        stream.write(image.to_bytes())
    return buffer.getvalue()
