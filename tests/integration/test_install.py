"""The package as a user installs it: wheel and editable, in fresh environments, without network.

The fresh environment borrows its dependencies from the running one through links, without
whatever that one has of Clinica and of this package: both are installed anew.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND, OTHER_COMMAND = "t1-gado-removal", "t1-virtual-enhance"
OFFLINE_PIP = ["-m", "pip", "--disable-pip-version-check", "--no-input"]
NOT_IN_A_CLONE = shutil.ignore_patterns(
    ".*", "__pycache__", "*.egg-info", "build", "dist", "data_ci", "tests"
)

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Environment:
    """A virtual environment and what its commands answer."""

    folder: Path

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the environment from its folder, as from a new terminal."""
        hidden = {"PYTHONPATH", "CLINICA_GADO_NO_HOOK"}
        kept = {key: value for key, value in os.environ.items() if key not in hidden}
        program, *arguments = command
        return subprocess.run(
            [str(self.folder / "bin" / program), *arguments],
            cwd=self.folder,
            env={**kept, "PIP_NO_INDEX": "1", **variables},
            capture_output=True,
            text=True,
        )

    def answer(self, *command: str, **variables: str) -> str:
        """Return what a command that must succeed says, errors included."""
        done = self.run(*command, **variables)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def pip(self, *arguments: str) -> str:
        """Call pip, which works on nothing but this environment."""
        return self.answer("python", *OFFLINE_PIP, *arguments)

    def files(self) -> set[Path]:
        """List what is installed, compiled modules aside."""
        return {file for file in self.folder.rglob("*") if file.is_file() and file.suffix != ".pyc"}


def is_clinica_or_ours(name: str) -> bool:
    return name == "clinica" or name.startswith("clinica-") or "clinica_gado" in name


@pytest.fixture(scope="module")
def dependencies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Link the running environment's libraries, Clinica and this package left out."""
    folder = tmp_path_factory.mktemp("dependencies")
    for site_packages in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for item in Path(site_packages).iterdir():
            if item.suffix != ".pth" and not is_clinica_or_ours(item.name):
                (folder / item.name).symlink_to(item)
    return folder


@pytest.fixture(scope="module")
def clinica_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pack the installed Clinica as the wheel it came from."""
    installed = importlib.metadata.distribution("clinica")
    wheel = tmp_path_factory.mktemp("wheels") / f"clinica-{installed.version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file in installed.files or []:
            inside = ".." not in file.parts and "__pycache__" not in file.parts
            if inside and file.name not in {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}:
                archive.write(file.locate(), file.as_posix())
        archive.writestr(f"clinica-{installed.version}.dist-info/RECORD", "")
    return wheel


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the tree, so that building leaves nothing in the checkout."""
    folder = tmp_path_factory.mktemp("source") / "clinica-gado"
    shutil.copytree(ROOT, folder, ignore=NOT_IN_A_CLONE)
    return folder


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build our wheel with the running interpreter's setuptools."""
    folder = tmp_path_factory.mktemp("wheels")
    build = ["wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    subprocess.run(
        [sys.executable, *OFFLINE_PIP, *build, str(folder), str(source)],
        check=True,
        capture_output=True,
    )
    return next(folder.glob("*.whl"))


@pytest.fixture
def bare(tmp_path: Path, dependencies: Path, clinica_wheel: Path) -> Environment:
    """Make an environment that holds stock Clinica."""
    venv.create(tmp_path / "venv", symlinks=True)
    environment = Environment(tmp_path / "venv")
    site_packages = next(environment.folder.glob("lib/python3*/site-packages"))
    (site_packages / "dependencies.pth").write_text(f"{dependencies}\n")
    environment.pip("install", "--no-deps", str(clinica_wheel))
    return environment


@pytest.fixture(params=["wheel", "editable"])
def install_arguments(request: pytest.FixtureRequest, source: Path, wheel: Path) -> list[str]:
    """Return how pip is asked to install the package."""
    if request.param == "wheel":
        return ["--no-deps", str(wheel)]
    return ["--no-deps", "--no-build-isolation", "--editable", str(source)]


@pytest.fixture
def installed(bare: Environment, install_arguments: list[str]) -> Environment:
    """Install the package beside stock Clinica."""
    bare.pip("install", *install_arguments)
    return bare


def lists_command(environment: Environment, *program: str, **variables: str) -> bool:
    return COMMAND in environment.answer(*program, "--help", **variables)


def test_stock_clinica_lists_and_describes_the_command(installed: Environment) -> None:
    listed = installed.answer("clinica", "run", "--help")
    assert COMMAND in listed
    assert OTHER_COMMAND in listed
    assert "t1-linear" in listed
    assert "not available" not in listed
    for command in (COMMAND, OTHER_COMMAND):
        described = installed.answer("clinica", "run", command, "--help")
        assert "BIDS_DIRECTORY" in described
        assert "CAPS_DIRECTORY" in described


def test_other_clinica_commands_are_as_before(bare: Environment, wheel: Path) -> None:
    asked = [("run", "t1-linear", "--help"), ("iotools", "--help"), ("--version",)]
    before = [bare.answer("clinica", *words) for words in asked]
    bare.pip("install", "--no-deps", str(wheel))
    assert [bare.answer("clinica", *words) for words in asked] == before


def test_opting_out_hides_the_command_and_leaves_the_second_door(installed: Environment) -> None:
    assert not lists_command(installed, "clinica", "run", CLINICA_GADO_NO_HOOK="1")
    for variables in ({"CLINICA_GADO_NO_HOOK": "1"}, {}):
        own = installed.answer("clinica-gado", "run", "--help", **variables)
        assert COMMAND in own
        assert "t1-linear" not in own
        assert lists_command(installed, "clinica-gado", "run", COMMAND, **variables)


def test_reinstalling_clinica_keeps_the_command(
    installed: Environment, clinica_wheel: Path
) -> None:
    installed.pip("install", "--no-deps", "--force-reinstall", str(clinica_wheel))
    assert lists_command(installed, "clinica", "run")


def test_uninstalling_leaves_no_file_and_no_command(
    bare: Environment, install_arguments: list[str]
) -> None:
    before = bare.files()
    bare.pip("install", *install_arguments)
    assert (bare.folder / "bin" / "clinica-gado").exists()
    bare.pip("uninstall", "--yes", "clinica-gado")
    assert bare.files() == before
    listed = bare.answer("clinica", "run", "--help")
    assert COMMAND not in listed
    assert "t1-linear" in listed


def test_broken_plugin_breaks_no_other_command(bare: Environment, wheel: Path) -> None:
    bare.pip("install", "--no-deps", str(wheel))
    pipelines = "lib/python3*/site-packages/clinica_gado/pipelines"
    (module,) = bare.folder.glob(f"{pipelines}/t1_gado_removal/cli.py")
    module.write_text("import no_such_library\n")
    warned = bare.run("clinica", "run", "t1-linear", "--help")
    assert warned.returncode == 0
    assert len(warned.stderr.splitlines()) == 1
    assert COMMAND in warned.stderr


def test_python_starts_in_silence(installed: Environment) -> None:
    assert installed.answer("python", "-W", "error", "-c", "pass") == ""
