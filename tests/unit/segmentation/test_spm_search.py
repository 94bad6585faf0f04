"""Where SPM is looked for, and that it counts as found only when it answered."""

from __future__ import annotations

import pytest

from clinica_gado.segmentation import spm_search
from clinica_gado.segmentation.spm_search import find_spm, search, working_folder

ANSWERS = "#!/bin/sh\necho 'CLINICA-GADO|{name}|{release}|/spm|'\n"
SPM12 = ANSWERS.format(name="SPM12", release="7771")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Hide what this machine has: nothing but /bin is on PATH, no variable is set."""
    for name in ("SPMSTANDALONE_HOME", "MCR_HOME", "SPM_HOME"):
        monkeypatch.delenv(name, raising=False)
    programs = tmp_path / "pro grams"
    programs.mkdir()
    monkeypatch.setattr(spm_search.shutil, "which", lambda name: which(programs, name))
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    spm_search._run_once.cache_clear()
    return tmp_path


def which(programs, name):
    path = programs / name
    return str(path) if path.is_file() else None


def program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def standalone(folder, monkeypatch, text=SPM12):
    home = folder / "it's SPM"
    program(home / "run_spm12.sh", text)
    (folder / "MCR").mkdir()
    monkeypatch.setenv("SPMSTANDALONE_HOME", str(home))
    monkeypatch.setenv("MCR_HOME", str(folder / "MCR"))
    return home


def spm_folder(folder, monkeypatch):
    home = folder / "an SPM's home"
    program(home / "spm.m", "")
    monkeypatch.setenv("SPM_HOME", str(home))
    return home


def test_nothing_is_found_and_every_place_says_why():
    assert find_spm() is None
    assert [(attempt.host, attempt.reason) for attempt in search()] == [
        ("standalone", "SPMSTANDALONE_HOME not set"),
        ("matlab", "no matlab on PATH"),
        ("octave", "no octave on PATH"),
    ]


def test_standalone_comes_before_matlab_before_octave(folder, monkeypatch):
    for host in ("matlab", "octave"):
        program(folder / "pro grams" / host, ANSWERS.format(name="SPM12", release=host))
    assert find_spm().host == "matlab"
    standalone(folder, monkeypatch)
    assert find_spm().host == "standalone"
    assert [attempt.host for attempt in search()] == ["standalone", "matlab", "octave"]


def test_what_was_found_says_its_version_as_nipype_does(folder, monkeypatch):
    standalone(folder, monkeypatch)
    assert find_spm().version == "12.7771"
    assert str(find_spm().folder) == "/spm"


def test_the_newest_standalone_is_taken(folder, monkeypatch):
    home = standalone(folder, monkeypatch)
    program(home / "run_spm25.sh", ANSWERS.format(name="SPM25", release="25.01.02"))
    assert find_spm().version == "25.25.01.02"


def test_one_that_does_not_run_is_not_found_and_its_words_are_kept(folder, monkeypatch):
    standalone(folder, monkeypatch, "#!/bin/sh\necho error: libmwlaunchermain.so not found\n")
    assert find_spm() is None
    assert "libmwlaunchermain.so not found" in next(search()).reason


def test_octave_without_spm_says_which_variable_would_name_it(folder):
    text = "#!/bin/sh\necho \"error: 'spm' undefined near line 1\"\nexit 1\n"
    program(folder / "pro grams" / "octave", text)
    assert [*search()][-1].reason == "no SPM in its path, and SPM_HOME not set"


def test_a_standalone_without_its_runtime_says_so(folder, monkeypatch):
    standalone(folder, monkeypatch)
    monkeypatch.delenv("MCR_HOME")
    assert "MCR_HOME" in next(search()).reason


def test_octave_is_not_started_for_a_folder_without_spm(folder, monkeypatch):
    program(folder / "pro grams" / "octave", "#!/bin/sh\nexit 1\n")
    monkeypatch.setenv("SPM_HOME", str(folder))
    assert [*search()][-1].reason == f"SPM_HOME={folder} has no spm.m"


def test_spm_runs_once_in_a_process(folder, monkeypatch):
    count = folder / "count"
    text = f"#!/bin/sh\necho x >> '{count}'\necho 'CLINICA-GADO|SPM12|7771|/spm|'\n"
    program(folder / "pro grams" / "octave", text)
    assert find_spm() == find_spm()
    assert count.read_text().split() == ["x"]


@pytest.mark.parametrize("host", ["matlab", "octave"])
def test_paths_with_spaces_and_quotes_reach_the_host_whole(folder, monkeypatch, host):
    home = spm_folder(folder, monkeypatch)
    text = (
        "#!/bin/sh\n"
        'test -f "$CLINICA_GADO_SCRIPT" && echo "CLINICA-GADO|SPM12|7771|$CLINICA_GADO_SPM|"\n'
    )
    program(folder / "pro grams" / host, text)
    assert find_spm().folder == home


def test_temporary_paths_need_no_quotes(folder, monkeypatch):
    odd = folder / "o'dd one"
    odd.mkdir()
    monkeypatch.setattr(spm_search.tempfile, "gettempdir", lambda: str(odd))
    with working_folder() as name:
        assert not set(name) & set(" '\"\\$")
