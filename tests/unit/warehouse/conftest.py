"""Visits that take no time, on files of a few bytes, by `benchmarks/_stand_in.py`."""

from __future__ import annotations

import os
import sys
import uuid
from pathlib import Path

import pytest

from clinica_gado.bids import NO_EVIDENCE, Job, Visit
from clinica_gado.gado_removal import RemovalSettings
from clinica_gado.runs.visit_process import Limits
from clinica_gado.validation.settings import ValidationSettings
from clinica_gado.warehouse.task import Order
from clinica_gado.warehouse.visit import VisitSettings

BENCHMARKS = str(Path(__file__).parents[3] / "benchmarks")
sys.path.insert(0, BENCHMARKS)


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Let the processes of visits find the stand-in by its name."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([BENCHMARKS, *filter(None, sys.path)]))


@pytest.fixture
def settings(tmp_path):
    removal = RemovalSettings(bids=tmp_path / "bids", caps=tmp_path / "caps")
    validation = ValidationSettings(removal.caps, "none")
    return VisitSettings(removal, validation, "a" * 64).with_request()


@pytest.fixture
def order(settings):
    from _stand_in import treat

    # A name of its own: a run that was stopped begins nothing more in this process.
    return Order(settings, uuid.uuid4().hex, Limits(timeout_s=60, attempts=2), treat)


@pytest.fixture
def make_job(settings):
    """Return a function that makes a visit and says what befalls it."""

    def make(participant="sub-01", words="0 well"):
        anat = settings.removal.bids / participant / "ses-M000" / "anat"
        anat.mkdir(parents=True, exist_ok=True)
        source = anat / f"{participant}_ses-M000_ce-gadolinium_T1w.nii.gz"
        source.write_text(words)
        return Job(Visit(participant, "ses-M000"), source, NO_EVIDENCE)

    return make
