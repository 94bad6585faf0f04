"""The finder that makes stock `clinica run` see plugins, against a stand-in for Clinica."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import clinica_gado
from clinica_gado import _startup


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """Return an import folder with a tiny `clinica`, a plugin, and this package."""
    package = tmp_path / "clinica" / "pipelines"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").write_text("commands = ['t1-linear']\n")
    (tmp_path / "good.py").write_text(
        "from clinica.pipelines import commands\ncommands.append('good')\n"
    )
    write_plugins(tmp_path, "good = good")
    (tmp_path / "clinica_gado").symlink_to(Path(clinica_gado.__file__).parent)
    return tmp_path


def write_plugins(folder: Path, *lines: str) -> None:
    metadata = folder / "stand_in-1.0.dist-info"
    metadata.mkdir(exist_ok=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: stand-in\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("\n".join(["[clinica.pipelines]", *lines, ""]))


def run_python(code: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run code in a Python that sees the stand-ins and the standard library only."""
    environment = {key: value for key, value in os.environ.items() if key != _startup.OPT_OUT}
    return subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(folder), **variables},
        capture_output=True,
        text=True,
        check=True,
    )


START = "import clinica_gado._startup as s; s.install(); s.install(); "
SHOW = "import clinica.pipelines as p; print(*p.commands)"


def test_importing_clinica_pipelines_registers_plugins(stand_in: Path) -> None:
    assert run_python(START + SHOW, stand_in).stdout.split() == ["t1-linear", "good"]


def test_without_the_hook_clinica_sees_no_plugin(stand_in: Path) -> None:
    assert run_python(SHOW, stand_in).stdout.split() == ["t1-linear"]


def test_opt_out_switches_the_hook_off(stand_in: Path) -> None:
    shown = run_python(START + SHOW, stand_in, CLINICA_GADO_NO_HOOK="1")
    assert shown.stdout.split() == ["t1-linear"]


def test_finder_leaves_once_it_has_served(stand_in: Path) -> None:
    code = START + "import sys, clinica.pipelines; print(*map(type, sys.meta_path))"
    assert "ClinicaPipelinesFinder" not in run_python(code, stand_in).stdout


def test_module_keeps_its_real_spec(stand_in: Path) -> None:
    code = START + "import clinica.pipelines as p; print(p.__spec__.name, p.__file__)"
    name, file = run_python(code, stand_in).stdout.split()
    assert name == "clinica.pipelines"
    assert Path(file) == stand_in / "clinica" / "pipelines" / "__init__.py"


def test_reloading_clinica_pipelines_registers_once(stand_in: Path) -> None:
    code = (
        START + "import clinica.pipelines as p, importlib; importlib.reload(p); print(*p.commands)"
    )
    assert run_python(code, stand_in).stdout.split() == ["t1-linear"]


def test_failing_plugin_costs_one_warning_and_nothing_else(stand_in: Path) -> None:
    (stand_in / "broken.py").write_text("import no_such_library\n")
    write_plugins(stand_in, "broken = broken", "good = good")
    shown = run_python(START + SHOW, stand_in)
    assert shown.stdout.split() == ["t1-linear", "good"]
    assert len(shown.stderr.splitlines()) == 1
    assert "'broken'" in shown.stderr
    assert "no_such_library" in shown.stderr


def test_error_of_clinica_itself_is_not_hidden(stand_in: Path) -> None:
    (stand_in / "clinica" / "pipelines" / "__init__.py").write_text("1 / 0\n")
    code = START + "import clinica.pipelines"
    with pytest.raises(subprocess.CalledProcessError) as failure:
        run_python(code, stand_in)
    assert "ZeroDivisionError" in failure.value.stderr


def test_environment_without_clinica_is_left_alone(stand_in: Path) -> None:
    (stand_in / "clinica").rename(stand_in / "elsewhere")
    code = START + "import importlib.util as u; print(u.find_spec('clinica'))"
    assert run_python(code, stand_in).stdout.strip() == "None"


def test_starting_imports_nothing_but_this_package(stand_in: Path) -> None:
    # `site` loads os before any .pth file; -S leaves site out.
    code = (
        "import os, sys; before = set(sys.modules); "
        + START
        + "print(*sorted(set(sys.modules) - before))"
    )
    assert run_python(code, stand_in).stdout.split() == ["clinica_gado", "clinica_gado._startup"]


def test_pth_line_starts_the_hook(stand_in: Path) -> None:
    # In site-packages of an installed copy, beside the package; in the package of a checkout.
    package = Path(clinica_gado.__file__).parent
    pth = next(
        folder / "clinica_gado.pth"
        for folder in (package, package.parent)
        if (folder / "clinica_gado.pth").exists()
    )
    code = f"exec({pth.read_text()!r}); {SHOW}"
    assert run_python(code, stand_in).stdout.split() == ["t1-linear", "good"]


def test_finder_answers_for_no_other_module() -> None:
    finder = _startup.ClinicaPipelinesFinder()
    assert finder.find_spec("clinica") is None
    assert finder.find_spec("clinica.pipelines.t1_linear") is None
    assert finder.find_spec("json") is None


def test_finder_stays_when_the_module_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    finder = _startup.ClinicaPipelinesFinder()
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    assert finder.find_spec("clinica.pipelines", []) is None
    assert sys.meta_path[0] is finder


def test_installing_too_late_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", [])
    monkeypatch.setitem(sys.modules, "clinica.pipelines", clinica_gado)
    _startup.install()
    assert sys.meta_path == []
