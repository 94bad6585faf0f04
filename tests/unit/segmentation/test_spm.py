"""Batches of images through nipype to a program that answers as SPM does."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from clinica_gado.preprocessing.images import Volume, save_volume
from clinica_gado.segmentation.spm import SpmSegmenter
from clinica_gado.segmentation.spm_search import SpmInstallation
from clinica_gado.segmentation.tpm import locate_tpm

FAKE_SPM = """
import os, re, sys, time
from pathlib import Path
import nibabel as nib, numpy as np
from scipy.io import savemat

script = Path(sys.argv[-1]).read_text()
sampling = float(re.search(r"warp.samp = (.*);", script).group(1))
Path(os.environ["FAKE_SPM_STARTS"]).open("a").write(f"{sampling:g}\\n")
for name in re.findall(r"'(.*image\\d+.nii),1'", script):
    image = nib.load(name)
    data, path = image.get_fdata(), Path(name)
    Path(name + ".started").touch()
    value = data.max()
    if value == 17:
        Path(os.environ["FAKE_SPM_STARTS"]).write_text(str(os.getpid()))
        time.sleep(60)
    if value == 13:
        os.kill(os.getpid(), 9)
    for tissue in (1, 2, 3):
        maps = (data == tissue).astype(np.float32)
        nib.save(nib.Nifti1Image(maps, image.affine), path.with_name(f"c{tissue}{path.name}"))
    ll = np.nan if value == 5 or (value == 4 and sampling == 3) else 1.0
    savemat(path.with_name(path.stem + "_seg8.mat"), {"ll": ll})
    Path(name + ".done").touch()
"""


@pytest.fixture
def starts(tmp_path, monkeypatch):
    path = tmp_path / "starts"
    monkeypatch.setenv("FAKE_SPM_STARTS", str(path))
    return path


@pytest.fixture
def segmenter(tmp_path, monkeypatch):
    monkeypatch.delenv("SPM_TPM", raising=False)
    home = tmp_path / "SPM's home"
    (home / "tpm").mkdir(parents=True)
    tpm = np.zeros((4, 4, 4, 6), np.float32)
    nib.save(nib.Nifti1Image(tpm, np.eye(4)), home / "tpm" / "TPM.nii")
    program = home / "spm.py"
    program.write_text(textwrap.dedent(FAKE_SPM))
    command = (sys.executable, str(program), "folder", "script")
    installation = SpmInstallation("octave", "SPM12", "7771", home, command)
    return SpmSegmenter(installation, locate_tpm(home))


def save_image(path, *, peak=3.0, shape=(9, 40, 8)):
    """Write an image that the program splits by value; its peak says how the program behaves."""
    data = np.zeros(shape, np.float32)
    data[1:3], data[3:5], data[5:8] = 1, 2, 3
    data[0, 0, 0] = peak
    save_volume(Volume(data, np.eye(4)), path)
    return path, data


def test_maps_come_back_on_the_grid_of_the_image_and_nothing_else_is_left(
    segmenter, tmp_path, starts, monkeypatch
):
    path, data = save_image(tmp_path / "it's a T1w.nii.gz")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = {*tmp_path.iterdir(), *Path.cwd().iterdir(), starts}
    saved = {}
    assert segmenter.segment([path, path], saved.__setitem__) == {}
    assert list(saved) == [path]
    for number, tissue in enumerate(vars(saved[path]).values(), start=1):
        np.testing.assert_array_equal(tissue, data == number)
        assert tissue.dtype == np.float32
    assert starts.read_text().split() == ["3"]
    assert {*tmp_path.iterdir(), *Path.cwd().iterdir()} == before


def test_a_batch_survives_what_becomes_of_single_images(segmenter, tmp_path, starts):
    good, _ = save_image(tmp_path / "good.nii")
    deadly, _ = save_image(tmp_path / "deadly.nii", peak=13)
    other, _ = save_image(tmp_path / "other.nii.gz")
    absent = tmp_path / "absent.nii"
    saved = {}
    failures = segmenter.segment([good, absent, deadly, other], saved.__setitem__)
    assert list(saved) == [good, other]
    assert list(failures) == [absent, deadly]
    assert "cannot be read" in failures[absent]
    assert "ended" in failures[deadly]
    assert starts.read_text().split() == ["3", "3"]


def test_a_degenerate_estimation_is_made_again_once_with_another_sampling(
    segmenter, tmp_path, starts, caplog
):
    once, _ = save_image(tmp_path / "once.nii", peak=4)
    twice, _ = save_image(tmp_path / "twice.nii", peak=5)
    saved = {}
    failures = segmenter.segment([once, twice], saved.__setitem__)
    assert list(saved) == [once]
    assert list(failures) == [twice]
    assert "degenerated" in failures[twice]
    assert segmenter.retried == {once, twice}
    assert starts.read_text().split() == ["3", "4"]
    assert "once.nii" in caplog.text


def test_a_run_that_is_killed_takes_spm_and_its_files_with_it(segmenter, tmp_path, starts):
    path, _ = save_image(tmp_path / "T1w.nii", peak=17)
    (tmp_path / "temporary").mkdir()
    code = (
        "from pathlib import Path; from clinica_gado.segmentation.spm import SpmSegmenter\n"
        "from clinica_gado.segmentation.spm_search import SpmInstallation\n"
        f"installation = SpmInstallation('octave', 'SPM12', '7771', Path('.'), "
        f"{segmenter.installation.command!r})\n"
        f"SpmSegmenter(installation, Path({str(segmenter.tpm)!r})).segment("
        f"[Path({str(path)!r})], lambda *_: None)"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path / "temporary")}
    with subprocess.Popen([sys.executable, "-c", code], env=environment) as run:
        wait_until(lambda: starts.is_file() and starts.read_text().isdigit())
        run.kill()
    wait_until(lambda: not is_alive(int(starts.read_text())))
    wait_until(lambda: not [*(tmp_path / "temporary").iterdir()])


def wait_until(is_so, timeout_s=60):
    give_up = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < give_up
        time.sleep(0.1)


def is_alive(pid):
    """Tell whether a process runs; one that nobody has waited for yet does not."""
    try:
        os.kill(pid, 0)
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:  # no /proc on macOS
        return Path("/proc").is_dir() is False
    except ProcessLookupError:
        return False


def test_the_description_is_plain_and_names_what_decides_the_maps(segmenter):
    described = segmenter.describe()
    assert described["spm_version"] == "12.7771"
    assert described["parameters"]["gaussians"] == [2, 2, 2, 3, 4, 2]
    assert described["parameters"]["warping_regularisation"] == [0, 0.001, 0.5, 0.05, 0.2]
    assert len(described["tpm_sha256"]) == 64
    assert described == segmenter.describe()
