"""Each probe: what it calls ok, absent and wrong."""

from __future__ import annotations

import os
import shutil
from types import SimpleNamespace

import pytest

from clinica_gado.detection import classifier
from clinica_gado.doctor import machine, shipped, software
from clinica_gado.errors import BundleError
from clinica_gado.models import bundle as bundles
from clinica_gado.preprocessing import templates


@pytest.mark.parametrize(
    ("release", "state"),
    [("0.12.0", "ok"), ("0.12.3", "ok"), ("0.11.0", "wrong"), ("0.120", "wrong")],
)
def test_clinica_of_another_release_is_wrong(monkeypatch, release, state):
    monkeypatch.setattr(software, "version", lambda _: release)
    assert software.clinica().state == state
    assert software.clinica().needed


def test_an_absent_package_blocks_and_says_how_to_install_it(monkeypatch):
    def absent(name):
        raise software.PackageNotFoundError(name)

    monkeypatch.setattr(software, "version", absent)
    for probe in (software.clinica, software.antspyx):
        assert probe().state == "absent"
        assert probe().blocks
        assert "pip install" in probe().advice


def test_dask_blocks_nothing_and_says_which_engine_does_without(monkeypatch):
    def only_dask(name):
        if name == "dask-jobqueue":
            raise software.PackageNotFoundError(name)
        return "2026.1"

    monkeypatch.setattr(software, "version", only_dask)
    found = software.dask()
    assert (found.state, found.text, found.blocks) == ("absent", "without dask-jobqueue", False)
    assert "--engine processes" in found.advice
    monkeypatch.setattr(software, "version", lambda name: "2026.1")
    assert software.dask().text == "distributed 2026.1, dask-jobqueue 2026.1"


def test_programs_are_absent_without_blocking(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    for probe in (software.ants_programs, software.matlab, software.octave, software.slurm):
        assert probe().state == "absent"
        assert not probe().blocks


def test_ants_programs_that_are_missing_in_part_are_named(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None if name.endswith(".sh") else "there")
    assert software.ants_programs().text == "antsRegistrationSyNQuick.sh"


def test_the_pipelines_are_registered_with_clinica_or_not(monkeypatch):
    from clinica.pipelines import cli

    both = {"t1-gado-removal": None, "t1-virtual-enhance": None}
    monkeypatch.setattr(cli, "cli", SimpleNamespace(commands=both))
    assert software.plugin().state == "ok"
    for commands in ({}, {"t1-gado-removal": None}):
        monkeypatch.setattr(cli, "cli", SimpleNamespace(commands=commands))
        assert software.plugin().state == "absent"
    assert "clinica-gado run" in software.plugin().advice


def test_shipped_resources_are_verified(monkeypatch):
    assert shipped.atlas().state == "ok"
    assert shipped.templates().state == "ok"
    assert shipped.contrast_classifier().state == "ok"
    monkeypatch.setattr(classifier, "SHA256", "0" * 64)
    assert shipped.contrast_classifier().state == "wrong"
    assert not shipped.contrast_classifier().blocks
    monkeypatch.setitem(templates.SHA256, "template_head_T1w.nii.gz", "0" * 64)
    assert shipped.templates().state == "wrong"
    monkeypatch.setitem(templates.SHA256, "another.nii.gz", "0" * 64)
    assert shipped.templates().state == "absent"
    assert shipped.templates().blocks


def test_resources_are_counted():
    assert shipped.atlas().text == "2 files, verified by sha256"
    assert shipped.contrast_classifier().text == "1 file, verified by sha256"


def test_an_altered_model_blocks_only_where_it_is_the_default(monkeypatch, tmp_path):
    def altered(folder):
        raise BundleError(f"{folder} is altered")

    known = {"mine": tmp_path / "mine", "default": tmp_path / "default"}
    monkeypatch.setattr(bundles, "known_bundles", lambda: known)
    monkeypatch.setattr(bundles, "default_bundle", lambda _: tmp_path / "default")
    monkeypatch.setattr(bundles, "load_bundle", altered)
    assert [(found.name, found.state, found.blocks) for found in shipped.models()] == [
        ("mine", "wrong", False),
        ("default", "wrong", True),
    ]


def test_the_default_model_of_each_task_is_named():
    said = [found.text for found in shipped.models() if found.state == "ok"]
    for task in ("t1-gado-removal", "t1-virtual-enhance"):
        assert sum(text.endswith(f", default of {task}") for text in said) == 1


def test_no_default_model_blocks(monkeypatch):
    def absent(task):
        raise BundleError(task)

    monkeypatch.setattr(bundles, "known_bundles", dict)
    monkeypatch.setattr(bundles, "default_bundle", absent)
    (found,) = shipped.models()
    assert found.blocks


def test_memory_is_that_of_the_container(monkeypatch, tmp_path):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 16000000 kB\nMemAvailable: 9000000 kB\nHugePages_Total: 0\n")
    limit, used = tmp_path / "max", tmp_path / "current"
    monkeypatch.setattr(machine, "_MEMINFO", meminfo)
    monkeypatch.setattr(machine, "_CGROUP_LIMIT", limit)
    monkeypatch.setattr(machine, "_CGROUP_USED", used)
    assert (machine.memory().state, machine.memory().text) == ("ok", "9.2 GB free of 16.4 GB")
    limit.write_text("max\n")
    assert machine.memory().state == "ok"
    limit.write_text("4000000000\n")
    used.write_text("3000000000\n")
    assert (machine.memory().state, machine.memory().text) == ("wrong", "1.0 GB free of 4.0 GB")


def test_disk_is_looked_at_where_the_folder_will_be(monkeypatch, tmp_path):
    assert machine.disk(tmp_path / "caps" / "new").state == "ok"
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**8))
    assert machine.disk(tmp_path).state == "wrong"
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "cannot be written" in machine.disk(tmp_path).text
