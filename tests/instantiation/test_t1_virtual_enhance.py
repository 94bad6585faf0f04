"""The graph of t1-virtual-enhance builds, and its texts cross between nodes unharmed."""

from __future__ import annotations

import json
from pathlib import Path

import networkx as nx
import pytest

from clinica_gado.bids import InputFile, InputJob, Visit
from clinica_gado.pipelines.t1_virtual_enhance.messages import read_job, read_settings, write_job
from clinica_gado.pipelines.t1_virtual_enhance.pipeline import T1VirtualEnhance
from clinica_gado.pipelines.texts import write_settings
from clinica_gado.preprocessing.t1_linear import LinearOptions
from clinica_gado.virtual_enhancement import EnhancementSettings


@pytest.fixture
def bids(tmp_path):
    folder = tmp_path / "bids"
    (folder / "sub-01" / "anat").mkdir(parents=True)
    description = {"Name": "x", "BIDSVersion": "1.7.0", "DatasetType": "raw"}
    (folder / "dataset_description.json").write_text(json.dumps(description))
    return folder


def make_job(n, reference=None):
    files = {
        "T1w": InputFile(Path(f"sub-{n:02d}_T1w.nii.gz")),
        "ADC": InputFile(Path(f"sub-{n:02d}_dwi.nii.gz"), Path(f"sub-{n:02d}_dwi.bval")),
    }
    visit = Visit(f"sub-{n:02d}", "ses-M000")
    return InputJob(visit, files, ("FLAIR",), cross_sectional=True, reference=reference)


def test_each_visit_has_a_chain_of_its_own(bids, tmp_path):
    jobs = [make_job(n) for n in (1, 2, 3)]
    settings = EnhancementSettings(bids, tmp_path / "caps")
    pipeline = T1VirtualEnhance(settings, jobs, base_dir=tmp_path / "work")
    pipeline.build()
    graph = pipeline._create_flat_graph()
    names = [node.name for node in nx.topological_sort(graph)]
    assert {"ReadJobs", "Preprocess", "Enhance"} <= set(names)
    assert names.index("Preprocess") < names.index("Enhance")
    read = next(node for node in graph.nodes if node.name == "ReadJobs")
    assert len(read.iterables[0][1]) == len(jobs)
    assert pipeline.dependencies == []


@pytest.mark.parametrize("path", [None, Path("t.nii")])
def test_settings_cross_as_text(path):
    settings = EnhancementSettings(
        *(Path("b"), Path("c")), model="m", amplify=True, repeat=3, tpm=path, lesions=path,
        enhancing_labels=(1, 2), healthy=path, native_space=True,
        linear=LinearOptions(template=path),
    )  # fmt: skip
    assert read_settings(write_settings(settings)) == settings


@pytest.mark.parametrize("reference", [None, Path("ce.nii.gz")])
def test_a_job_crosses_with_its_images_in_their_order(reference):
    job = make_job(1, reference)
    crossed = read_job(write_job(job))
    assert crossed == job
    assert list(crossed.files) == list(job.files)
