"""The diagnosis as a screen and as JSON."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from clinica_gado.commands.main import cli
from clinica_gado.doctor import diagnosis, segmentation
from clinica_gado.doctor.diagnosis import as_json, as_text, can_run
from clinica_gado.doctor.finding import Finding
from clinica_gado.segmentation import spm_search
from clinica_gado.segmentation.spm_search import Attempt

GOOD = {
    "Software": [Finding("Clinica", "ok", "0.12.0", needed=True)],
    "Machine": [
        Finding("GPU", "absent", advice="the network runs on the processors"),
        Finding("memory", "wrong", "1 GB free", "a visit needs 3 GB: " + "close programs " * 12),
    ],
}
BAD = {**GOOD, "Software": [Finding("Clinica", "absent", advice="pip install it", needed=True)]}


@pytest.fixture
def found(monkeypatch):
    """Return a function that decides what is found."""

    def decide(findings):
        monkeypatch.setattr(diagnosis, "examine", lambda *_: findings)

    return decide


def test_only_what_is_needed_blocks():
    assert can_run(GOOD)
    assert not can_run(BAD)


def test_states_are_aligned_and_lines_fit_a_screen():
    lines = as_text(GOOD).splitlines()
    columns = [
        line.index(state)
        for line, state in zip(lines[1:], ["ok", "absent", "wrong"], strict=False)
        if f" {state} " in line
    ]
    assert len(set(columns)) == 1
    assert max(map(len, lines)) <= 100
    assert all(line == line.rstrip() for line in lines)


def test_the_last_line_is_the_verdict():
    assert as_text(GOOD).endswith("can run.")
    assert as_text(BAD).splitlines()[-1].endswith("cannot run yet: see Clinica.")


def test_a_row_says_what_to_do():
    assert "absent  pip install it" in as_text(BAD)


@pytest.mark.parametrize(("findings", "code"), [(GOOD, 0), (BAD, 1)])
def test_the_exit_code_tells_whether_the_main_job_can_run(found, findings, code):
    found(findings)
    assert CliRunner().invoke(cli, ["doctor"]).exit_code == code
    shown = CliRunner().invoke(cli, ["doctor", "--json"])
    assert shown.exit_code == code
    assert json.loads(shown.stdout) == as_json(findings)


def test_json_holds_every_finding_with_its_section():
    content = as_json(BAD)
    assert content["can_run"] is False
    assert [entry["name"] for entry in content["findings"]] == ["Clinica", "GPU", "memory"]
    assert content["findings"][0]["section"] == "Software"


def test_absent_spm_is_no_error_and_wrong_when_it_was_configured(monkeypatch):
    attempts = [Attempt("octave", None, "no octave on PATH")]
    monkeypatch.setattr(spm_search, "search", lambda: iter(attempts))
    monkeypatch.delenv("SPMSTANDALONE_HOME", raising=False)
    monkeypatch.delenv("SPM_HOME", raising=False)
    (finding,) = segmentation.spm()
    assert (finding.state, finding.needed) == ("absent", False)
    assert "built-in" in finding.advice
    monkeypatch.setenv("SPM_HOME", "somewhere")
    (finding,) = segmentation.spm()
    assert (finding.state, finding.needed) == ("wrong", False)
    assert "no octave on PATH" in finding.text
