"""A preprocessed visit of a few voxels, and bundles of random weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from clinica_gado import predictors
from clinica_gado.bids import InputFile, InputJob, Visit
from clinica_gado.caps import input_paths, real_enhanced_paths
from clinica_gado.files import sha256_of, write_json
from clinica_gado.inference import Predictor
from clinica_gado.models.bundle import save_bundle
from clinica_gado.models.card import card_from
from clinica_gado.models.registry import build_network
from clinica_gado.preprocessing.grids import CROP_GRID
from clinica_gado.preprocessing.images import Volume, save_volume
from clinica_gado.roles import CE, SYNTHETIC, T1W
from clinica_gado.virtual_enhancement import EnhancementSettings, paths_of, synthesise

SHAPE = (16, 16, 16)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture
def make_bundle(tmp_path):
    """Return a function that saves a bundle of random weights with some inputs."""

    def make(*inputs, name="tiny", task="t1-virtual-enhance", output="image"):
        numbers = {"name": "strided_residual_unet", "in_channels": len(inputs)}
        numbers |= {"width": 2, "levels": 2, "output": output}
        card = card_from(
            {
                "id": name,
                "task": task,
                "architecture": numbers,
                "inputs": list(inputs),
                "grid": {"name": "mni-1mm"},
                "normalisation": {"rule": "zscore", "low": -3.0, "high": 3.0},
                "training_data": "none: random weights",
                "metrics": [],
                "intended_use": "tests",
                "limits": ["knows nothing"],
                "licence": "Apache-2.0",
            }
        )
        return save_bundle(tmp_path / "models" / name, card, [build_network(numbers).state_dict()])

    return make


@pytest.fixture
def use(monkeypatch):
    """Return a function that has the given bundles loaded, the first as the model of a run."""

    def use_them(*bundles):
        by_id = {bundle.card.id: bundle for bundle in bundles}

        def load(task, model, device, precision, flips):
            return Predictor(by_id.get(model, bundles[0]), device="cpu", flips=flips)

        monkeypatch.setattr(predictors, "load_predictor", load)

    return use_them


@pytest.fixture
def settings(tmp_path):
    """Return settings of two runs a visit, so that there is a spread."""
    return EnhancementSettings(tmp_path / "bids", tmp_path / "caps", flips="lr")


@pytest.fixture
def make_job(tmp_path, settings):
    """Return a function that leaves a visit as preprocessing does, with some inputs."""

    def make(*names, participant="sub-01", with_reference=True, amplify=False):
        anat = tmp_path / "bids" / participant / "ses-M000" / "anat"
        anat.mkdir(parents=True, exist_ok=True)
        suffixes = {"T1w-lowdose": "acq-lowdose_ce-gd_T1w", "T1w-ce": "ce-gd_T1w"}

        def source(name):
            kind = "T1w-ce" if amplify and name == "T1w-lowdose" else name
            path = anat / f"{participant}_ses-M000_{suffixes.get(kind, kind)}.nii.gz"
            path.write_bytes(f"{participant} {kind}".encode())
            return path

        files = {name: InputFile(source(name)) for name in names}
        reference = source("T1w-ce") if with_reference else None
        job = InputJob(Visit(participant, "ses-M000"), files, reference=reference)
        _leave_prepared(job, replace(settings, amplify=amplify))
        return job

    return make


def _leave_prepared(job, settings):
    radius = np.sqrt(((np.indices(SHAPE) - 7.5) ** 2).sum(axis=0))
    brain, random = radius < 6.5, np.random.default_rng(0)
    images = [input_paths(settings.caps, job, name).image for name in job.files]
    if job.reference is not None:
        images.append(real_enhanced_paths(settings.caps, job).image)
    for path in images:
        values = random.uniform(50, 150, SHAPE) * (radius < 8)
        save_volume(Volume(values.astype(np.float32), CROP_GRID.affine), path)
    paths = paths_of(job, settings)
    save_volume(Volume(brain.astype(np.float32), CROP_GRID.affine), paths.brain)
    facts = {"ImageSha256": sha256_of(paths.linear), "Method": "builtin"}
    write_json(paths.brain_sidecar, facts)
    lead = {"SourceSha256": sha256_of(job.source), "Options": {"Route": "standard"}}
    write_json(paths.linear_sidecar, {**lead, "Registration": {"flags": ["rotation of 60°"]}})
    if job.reference is not None:
        request = {"ImageSha256": sha256_of(job.reference), "BValuesSha256": None}
        request |= {"LeadSha256": lead["SourceSha256"], "Options": lead["Options"]}
        write_json(real_enhanced_paths(settings.caps, job).sidecar, request)


@pytest.fixture
def visit(make_job, make_bundle, use, settings):
    """Return a visit whose synthetic image is there, and the checksum of its model."""
    bundle, job = make_bundle("T1w", "FLAIR"), make_job("T1w", "FLAIR")
    use(bundle)
    synthesise(job, settings)
    return job, bundle.sha256


@pytest.fixture
def make_images():
    """Return a function that draws a T1w, its real enhanced image by a gain, and one between."""

    def make(gain=1.0):
        before = np.random.default_rng(0).uniform(80, 120, (20, 20, 20)).astype(np.float32)
        real = before.copy()
        real[8:12, 8:12, 8:12] *= 2
        return {T1W: before, SYNTHETIC: np.where(real > 120, 0.9 * real, real), CE: gain * real}

    return make
