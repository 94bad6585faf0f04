"""A process that segments a list of images: harvested as it goes, whatever becomes of it."""

from __future__ import annotations

import sys
import textwrap
import time

import pytest

from clinica_gado.segmentation.spm_process import SpmProcess

NAMES = ["a.nii", "b.nii", "c.nii"]


def run(folder, script, timeout_s=30.0):
    prelude = "import os, sys, time\nfrom pathlib import Path\n"
    command = [sys.executable, "-c", prelude + textwrap.dedent(script)]
    with SpmProcess(command, folder, NAMES, timeout_s) as process:
        return [*process.results()]


def test_every_image_that_is_done_is_reported_in_order(tmp_path):
    results = run(
        tmp_path,
        """
        for name in "abc":
            Path(f"{name}.nii.started").touch()
            Path(f"{name}.nii.done").touch()
        """,
    )
    assert results == [(name, "") for name in NAMES]


def test_a_result_is_there_before_the_process_ends(tmp_path):
    command = [sys.executable, "-c", "open('a.nii.done', 'w').close(); import time; time.sleep(60)"]
    start = time.monotonic()
    with SpmProcess(command, tmp_path, NAMES, 30.0) as process:
        assert next(process.results()) == ("a.nii", "")
    assert time.monotonic() - start < 20


def test_one_image_that_fails_stops_no_other_and_its_reason_is_what_spm_printed(tmp_path):
    results = run(
        tmp_path,
        """
        for name in "abc":
            Path(f"{name}.nii.started").touch()
            if name == "b":
                print("Failed  'Segment'\\nerror: no overlap\\nIn file x.m", flush=True)
                Path("b.nii.failed").write_text("Job execution failed.")
            else:
                Path(f"{name}.nii.done").touch()
        """,
    )
    assert results == [
        ("a.nii", ""),
        ("b.nii", "SPM could not segment it: error: no overlap"),
        ("c.nii", ""),
    ]


def test_a_death_is_the_failure_of_the_image_it_was_at_and_of_no_later_one(tmp_path):
    results = run(
        tmp_path,
        """
        Path("a.nii.started").touch()
        Path("a.nii.done").touch()
        Path("b.nii.started").touch()
        print("error: out of memory", flush=True)
        os.kill(os.getpid(), 9)
        """,
    )
    assert results[0] == ("a.nii", "")
    assert [result.name for result in results] == ["a.nii", "b.nii"]
    assert "exit code -9" in results[1].reason
    assert "out of memory" in results[1].reason


def test_a_process_that_cannot_start_fails_all_images_once(tmp_path):
    results = run(tmp_path, "sys.exit('License checkout error')")
    assert [result.name for result in results] == NAMES
    assert all("License checkout error" in result.reason for result in results)


def test_an_image_that_hangs_is_given_up(tmp_path):
    script = "Path('a.nii.started').touch()\ntime.sleep(60)"
    results = run(tmp_path, script, timeout_s=8.0)
    assert results == [("a.nii", "SPM was ended: no result within 8 s.")]


def test_leaving_early_ends_the_process(tmp_path):
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    with (
        pytest.raises(KeyboardInterrupt),
        SpmProcess(command, tmp_path, NAMES, 30.0) as process,
    ):
        raise KeyboardInterrupt
    assert process._process.returncode is not None
