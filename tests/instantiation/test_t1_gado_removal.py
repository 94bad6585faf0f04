"""The graph of t1-gado-removal builds, and its texts cross between nodes unharmed."""

from __future__ import annotations

import json
from pathlib import Path

import networkx as nx
import pytest

from clinica_gado.bids import NO_EVIDENCE, Job, Visit
from clinica_gado.gado_removal import RemovalSettings
from clinica_gado.pipelines.t1_gado_removal.messages import (
    read_job,
    read_settings,
    write_job,
)
from clinica_gado.pipelines.t1_gado_removal.pipeline import LAST_NODE, T1GadoRemoval
from clinica_gado.pipelines.texts import write_settings
from clinica_gado.pipelines.visit_chain import MEMORY_GB_PER_VISIT
from clinica_gado.preprocessing.t1_linear import LinearOptions


@pytest.fixture
def bids(tmp_path):
    folder = tmp_path / "bids"
    (folder / "sub-01" / "anat").mkdir(parents=True)
    description = {"Name": "x", "BIDSVersion": "1.7.0", "DatasetType": "raw"}
    (folder / "dataset_description.json").write_text(json.dumps(description))
    return folder


def jobs(bids):
    return [
        Job(Visit(f"sub-{n:02d}", "ses-M000"), bids / f"sub-{n:02d}_T1w.nii.gz", NO_EVIDENCE)
        for n in (1, 2, 3)
    ]


def test_each_visit_has_a_chain_of_its_own(bids, tmp_path):
    settings = RemovalSettings(bids, tmp_path / "caps")
    pipeline = T1GadoRemoval(settings, jobs(bids), base_dir=tmp_path / "work")
    pipeline.build()
    graph = pipeline._create_flat_graph()
    names = [node.name for node in graph.nodes]
    assert nx.is_directed_acyclic_graph(graph)
    assert {"ReadJobs", "Preprocess", LAST_NODE} <= set(names)
    read = next(node for node in graph.nodes if node.name == "ReadJobs")
    assert len(read.iterables[0][1]) == 3
    heavy = [node for node in graph.nodes if node.name in ("Preprocess", LAST_NODE)]
    assert {node.mem_gb for node in heavy} == {MEMORY_GB_PER_VISIT}


def test_a_cross_sectional_dataset_asks_nothing(bids, tmp_path):
    settings = RemovalSettings(bids, tmp_path / "caps")
    pipeline = T1GadoRemoval(settings, [], base_dir=tmp_path / "work")
    assert pipeline.run_all(1) == []
    assert pipeline.subjects == []


def test_no_dependency_is_demanded(bids, tmp_path):
    pipeline = T1GadoRemoval(RemovalSettings(bids, tmp_path / "caps"), [])
    assert pipeline.dependencies == []


@pytest.mark.parametrize("template", [None, Path("t.nii")])
def test_settings_cross_as_text(template):
    settings = RemovalSettings(
        Path("b"), Path("c"), model="m", native_space=True, linear=LinearOptions(template=template)
    )
    assert read_settings(write_settings(settings)) == settings


def test_a_job_crosses_with_its_visit_and_source(bids):
    job = jobs(bids)[0]
    crossed = read_job(write_job(job))
    assert (crossed.visit, crossed.source) == (job.visit, job.source)
