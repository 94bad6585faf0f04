"""The route by the ANTs programs: their command lines, and what becomes of what they write.

The programs are stand-ins on PATH that record how they were called: N4 doubles the image, the
registration writes a known affine and a known image on the grid of the template.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from nipype.interfaces.ants.base import Info

from clinica_gado.errors import RegistrationError, ResourceError
from clinica_gado.preprocessing.ants_programs import run_linear_with_programs
from clinica_gado.preprocessing.grids import CROP_GRID, CROP_SLICES, MNI_GRID
from clinica_gado.preprocessing.images import Volume
from clinica_gado.preprocessing.t1_linear import LinearOptions, _register
from clinica_gado.preprocessing.templates import Template

ANGLE = 0.1
CENTRE = (5.0, -10.0, 20.0)
SHIFT = (1.0, 2.0, 3.0)
START = """#!{python}
import json, sys
import nibabel as nib, numpy as np
from scipy.io import savemat
arguments = sys.argv[1:]
inputs = [nib.load(a) for a in arguments if a.endswith(".nii.gz") and "corrected" not in a]
with open({calls!r}, "a") as stream:
    facts = [[str(i.get_data_dtype()), int(i.header["qform_code"]), i.get_qform().tolist(),
              i.get_sform().tolist()] for i in inputs]
    stream.write(json.dumps([arguments, facts]) + "\\n")
"""
N4 = """
image = nib.load(arguments[arguments.index("--input-image") + 1])
doubled = nib.Nifti1Image(2 * image.get_fdata(dtype="f4"), image.affine)
nib.save(doubled, arguments[arguments.index("--output") + 1])
"""
REGISTRATION = """
prefix = arguments[arguments.index("-o") + 1]
template = nib.load(arguments[arguments.index("-f") + 1])
nib.save(template.__class__(template.get_fdata(dtype="f4") + 1, template.affine),
         prefix + "Warped.nii.gz")
c, s = np.cos({angle}), np.sin({angle})
savemat(prefix + "0GenericAffine.mat", {{
    "AffineTransform_double_3_3": np.array([[c, -s, 0, s, c, 0, 0, 0, 1, *{shift}]]).T,
    "fixed": np.array([{centre}]).T}}, format="4", appendmat=False)
"""
VERSION = "print('ANTs Version: 2.5.4')\n"


def write_program(folder: Path, name: str, body: str, calls: Path) -> None:
    text = START.format(python=sys.executable, calls=str(calls)) + body.format(
        angle=ANGLE, shift=SHIFT, centre=CENTRE
    )
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """Install the stand-ins and a temporary folder of our own; return where calls are recorded."""
    folder, temporary, calls = tmp_path / "bin", tmp_path / "temporary", tmp_path / "calls"
    folder.mkdir()
    temporary.mkdir()
    write_program(folder, "N4BiasFieldCorrection", N4, calls)
    write_program(folder, "antsRegistrationSyNQuick.sh", REGISTRATION, calls)
    version = folder / "antsRegistration"
    version.write_text(f"#!{sys.executable}\n{VERSION}")
    version.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(Info, "_version", None)
    return calls


def oblique():
    affine = np.array([[0, 0, 1.5, -9], [-1.2, 0.2, 0, 8], [0.2, 1.2, 0, -7], [0, 0, 0, 1]])
    return Volume(np.random.default_rng(0).random((9, 10, 11)).astype(np.float32), affine)


def template():
    data = np.zeros(MNI_GRID.shape, dtype=np.float32)
    data[40:60, 50:70, 60:80] = 5
    return Volume(data, MNI_GRID.affine)


def options_of(arguments):
    return dict(zip(arguments[::2], arguments[1::2], strict=True))


def test_programs_are_called_as_clinica_does_and_their_results_taken(calls, tmp_path):
    native, fixed = oblique(), template()
    result = run_linear_with_programs(native, fixed, seed=7)
    (n4, (image,)), (registration, _) = [json.loads(line) for line in calls.open()]

    folder = Path(n4[n4.index("--output") + 1]).parent
    # nipype writes the value in brackets with spaces, which makes three arguments.
    start = n4.index("--bspline-fitting")
    assert n4[start : start + 4] == ["--bspline-fitting", "[", "200", "]"]
    del n4[start : start + 4]
    assert options_of(n4) == {
        "-d": "3",
        "--input-image": str(folder / "T1w.nii.gz"),
        "--output": str(folder / "T1w_corrected.nii.gz"),
    }
    assert options_of(registration) == {
        "-d": "3",
        "-f": str(folder / "template.nii.gz"),
        "-m": str(folder / "T1w_corrected.nii.gz"),
        "-o": str(folder / "T1w"),
        "-t": "a",
        "-e": "7",
        "-n": "1",
        "-p": "d",
        "-r": "32",
        "-s": "26",
    }
    data_type, code, qform, sform = image
    assert data_type == "float32"
    assert code > 0
    np.testing.assert_allclose(qform, native.affine, atol=1e-5)
    np.testing.assert_allclose(sform, native.affine, atol=1e-5)

    np.testing.assert_allclose(result.corrected.data, 2 * native.data)
    np.testing.assert_array_equal(result.corrected.affine, native.affine)
    np.testing.assert_array_equal(result.cropped.data, fixed.data[CROP_SLICES] + 1)
    np.testing.assert_array_equal(result.cropped.affine, CROP_GRID.affine)
    np.testing.assert_allclose(result.mni_to_native, expected_matrix(), atol=1e-6)
    assert list((tmp_path / "temporary").iterdir()) == []


def expected_matrix():
    """Return the affine of the stand-in, which ITK keeps in LPS about a centre, in RAS."""
    cosine, sine = np.cos(ANGLE), np.sin(ANGLE)
    lps = np.eye(4)
    lps[:2, :2] = [[cosine, -sine], [sine, cosine]]
    lps[:3, 3] = np.array(SHIFT) + CENTRE - lps[:3, :3] @ CENTRE
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    return flip @ lps @ flip


@pytest.mark.parametrize("name", ["N4BiasFieldCorrection", "antsRegistrationSyNQuick.sh"])
def test_a_program_that_fails_gives_the_last_line_it_said(calls, tmp_path, name):
    body = "print('working'); sys.stderr.write('one\\nno memory left\\n\\n'); sys.exit(3)\n"
    write_program(tmp_path / "bin", name, body, calls)
    with pytest.raises(RegistrationError) as caught:
        run_linear_with_programs(oblique(), template())
    assert str(caught.value) == f"{name} failed: no memory left"
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_program_that_writes_nothing_has_failed(calls, tmp_path):
    write_program(tmp_path / "bin", "N4BiasFieldCorrection", "print('all is well')\n", calls)
    with pytest.raises(RegistrationError, match="N4BiasFieldCorrection failed: all is well"):
        run_linear_with_programs(oblique(), template())


def test_an_ants_too_old_to_take_a_seed_is_named(calls, monkeypatch):
    monkeypatch.setattr(Info, "_version", "2.2.0")
    with pytest.raises(ResourceError, match=r"2\.2\.0.*install ANTs 2\.3 or later"):
        run_linear_with_programs(oblique(), template())


def test_without_ants_the_error_says_what_to_install_or_choose(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    fixed = Template("head", template(), "")
    with pytest.raises(ResourceError) as caught:
        _register(Path("sub-01_T1w.nii.gz"), oblique(), fixed, LinearOptions(route="clinica"))
    message = str(caught.value)
    assert message.startswith("N4BiasFieldCorrection, antsRegistrationSyNQuick.sh")
    assert "install ANTs" in message
    assert "--preprocessing standard" in message
