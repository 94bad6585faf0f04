"""What setup.cfg promises against what the tree holds."""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path

import pytest

import clinica_gado

ROOT = Path(__file__).parents[2]
TOP_FOLDERS = {
    "clinica_gado": "clinica_gado",
    "pipelines": "clinica_gado.pipelines",
    "models": "clinica_gado.models",
}


@pytest.fixture(scope="module")
def metadata() -> ConfigParser:
    """Return the content of setup.cfg."""
    parser = ConfigParser(delimiters=["="])
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def listed(metadata: ConfigParser, section: str, key: str) -> list[str]:
    return [line.strip() for line in metadata[section][key].splitlines() if line.strip()]


def mapping(metadata: ConfigParser, section: str, key: str) -> dict[str, str]:
    pairs = (line.split("=", 1) for line in listed(metadata, section, key))
    return {name.strip(): value.strip() for name, value in pairs}


def package_of(folder: Path) -> str:
    top, *below = folder.relative_to(ROOT).parts
    return ".".join([TOP_FOLDERS[top], *below])


def folders_of_modules() -> set[Path]:
    return {file.parent for top in TOP_FOLDERS for file in (ROOT / top).rglob("*.py")}


def test_listed_packages_are_the_folders_that_hold_modules(metadata: ConfigParser) -> None:
    packages = listed(metadata, "options", "packages")
    assert packages == sorted(packages)
    assert set(packages) == {package_of(folder) for folder in folders_of_modules()}


def test_every_package_has_an_init() -> None:
    assert [
        folder for folder in folders_of_modules() if not (folder / "__init__.py").exists()
    ] == []


def test_folders_are_mapped_to_one_package(metadata: ConfigParser) -> None:
    mapped = mapping(metadata, "options", "package_dir")
    assert mapped == {package: folder for folder, package in TOP_FOLDERS.items()}


def test_every_file_of_a_package_is_shipped(metadata: ConfigParser) -> None:
    files = {
        file
        for top in TOP_FOLDERS
        for file in (ROOT / top).rglob("*")
        if file.is_file() and file.suffix != ".py" and "__pycache__" not in file.parts
    }
    assert files - shipped_data(metadata) == set()


def shipped_data(metadata: ConfigParser) -> set[Path]:
    folders = {package_of(folder): folder for folder in folders_of_modules()}
    shipped = {ROOT / name for name in listed(metadata, "options.data_files", "../purelib")}
    for package, patterns in metadata["options.package_data"].items():
        for pattern in re.split(r"[,\s]+", patterns.strip()):
            shipped.update(folders[package].glob(pattern))
    return shipped


def test_start_up_files_go_to_the_root_of_site_packages(metadata: ConfigParser) -> None:
    assert [Path(name).name for name in listed(metadata, "options.data_files", "../purelib")] == [
        "clinica_gado.pth",
        "clinica_gado.start",
    ]


def test_every_pipeline_folder_is_announced_to_clinica(metadata: ConfigParser) -> None:
    announced = mapping(metadata, "options.entry_points", "clinica.pipelines")
    folders = [file.parent.name for file in (ROOT / "pipelines").glob("*/cli.py")]
    assert set(announced.values()) == {f"clinica_gado.pipelines.{name}.cli" for name in folders}
    assert set(announced) == {name.replace("_", "-") for name in folders}


def test_every_requirement_has_a_lower_bound(metadata: ConfigParser) -> None:
    requirements = listed(metadata, "options", "install_requires")
    assert [name for name in requirements if ">=" not in name] == []


def test_changelog_knows_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "## [Unreleased]" in changelog or f"## [{clinica_gado.__version__}]" in changelog


def test_the_library_stands_without_the_pipelines() -> None:
    library = (ROOT / "clinica_gado").rglob("*.py")
    inner = [path for path in library if path.parent.name != "commands"]
    assert inner
    assert [p for p in inner if "clinica_gado.pipelines." in p.read_text(encoding="utf-8")] == []
