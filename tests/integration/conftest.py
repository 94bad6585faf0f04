"""One run of stock `clinica` on data_ci, shared by the tests: registration takes minutes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA_CI = ROOT / "data_ci" / "bids"
CLINICA = Path(sys.executable).with_name("clinica")

NO_SOCKETS = """
import socket
def refuse(*args, **kwargs):
    raise OSError("sockets are blocked in this test")
class Blocked(socket.socket):
    def connect(self, address):
        return refuse() if self.family != socket.AF_UNIX else super().connect(address)
    connect_ex = connect
socket.socket = Blocked
socket.create_connection = socket.getaddrinfo = refuse
"""


@pytest.fixture(scope="session")
def clinica(tmp_path_factory):
    """Return a function that runs stock `clinica`, no network to be had and nobody to answer."""
    blocked = tmp_path_factory.mktemp("no_sockets")
    (blocked / "sitecustomize.py").write_text(NO_SOCKETS)
    cwd = tmp_path_factory.mktemp("cwd")

    def run(*arguments, **kwargs):
        environment = {**os.environ, "PYTHONPATH": str(blocked)}
        return subprocess.run(
            [CLINICA, *map(str, arguments)],
            env=environment,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            **kwargs,
        )

    return run


@pytest.fixture(scope="session")
def first_run(clinica, tmp_path_factory):
    """Return the finished first run on data_ci and its CAPS."""
    caps = tmp_path_factory.mktemp("first") / "caps"
    options = ["--native-space", "--segmentation", "builtin", "-np", 2]
    result = clinica("run", "t1-gado-removal", DATA_CI, caps, *options)
    assert result.returncode == 0, result.stdout + result.stderr
    return result, caps


@pytest.fixture
def caps(first_run, tmp_path):
    """Return a copy of the CAPS of the first run, to be changed at will."""
    return Path(shutil.copytree(first_run[1], tmp_path / "caps"))
