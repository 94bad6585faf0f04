"""Tables and ledger tell of the whole dataset, whichever run wrote them last."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest
from click.testing import CliRunner

from clinica_gado.bids import Problem, Visit, select
from clinica_gado.commands.main import cli
from clinica_gado.outcomes import FAILED, Outcome
from clinica_gado.runs.shards import Shard
from clinica_gado.warehouse import records
from clinica_gado.warehouse.claims import take_claim
from clinica_gado.warehouse.records import WAITING, make_record, save_record
from clinica_gado.warehouse.state import State, coverage, merge_selection, write_run_tables
from clinica_gado.warehouse.status import generalise, read_status
from clinica_gado.warehouse.task import Task, claims_folder, run_task


@pytest.fixture
def state(settings):
    return State(settings.removal.caps, "this-run")


@pytest.fixture
def jobs(make_job):
    return [make_job(f"sub-{number:02d}") for number in range(8)]


def read(state, name):
    return pd.read_csv(state.folder / f"{name}.tsv", sep="\t", keep_default_na=False)


def chosen(settings, holds=lambda visit: True):
    return select(settings.removal.bids, keep=holds)


def fail(job, settings, reason="broken"):
    return save_record(job, settings, Outcome(job.visit, job.source.name, FAILED, reason))


def test_the_choices_of_shards_come_together(state, settings, jobs):
    for index in (1, 2, 3):
        shard = Shard(index, 3)
        state.begin(chosen(settings, shard.holds), shard.holds)
    table = read(state, "selection")
    assert list(table.participant_id) == [job.visit.participant_id for job in jobs]
    whole = state.folder / "whole.tsv"
    merge_selection(whole, chosen(settings).table, lambda visit: True)
    assert (state.folder / "selection.tsv").read_bytes() == whole.read_bytes()
    assert len(state.records()) == len(jobs)


def test_a_new_choice_takes_the_place_of_the_old_one(state, settings, jobs):
    state.begin(chosen(settings), lambda visit: True)
    jobs[0].source.unlink()
    state.begin(chosen(settings), lambda visit: True)
    assert len(read(state, "selection")) == len(jobs) - 1


def test_doubtful_choices_come_first(state, settings, jobs):
    jobs[7].source.with_name("sub-07_ses-M000_acq-x_T1w.nii.gz").touch()
    (jobs[6].source.parent / "sub-06_ses-M000_rec-y_T2w.nii.gz").touch()
    selection = select(settings.removal.bids, infer_companions=False)
    merge_selection(state.folder / "selection.tsv", selection.table, lambda visit: True)
    assert read(state, "selection").doubtful.tolist() == [True] + [False] * len(jobs)


def test_the_ledger_knows_who_waits_and_what_became_of_the_others(state, settings, jobs):
    state.begin(chosen(settings), lambda visit: True)
    state.keep(fail(jobs[3], settings))
    state.flush(every_s=0)
    counts = [record.status for record in state.records().values()]
    assert (counts.count(WAITING), counts.count(FAILED)) == (7, 1)


def test_while_another_run_writes_nothing_is_lost(state, settings, jobs):
    state.ledger.write_new([])
    with State(state.caps, "other").locked():
        state.keep(fail(jobs[3], settings))
        state.flush(every_s=0)
        assert state.ledger.read() == {}
    state.flush(every_s=0)
    assert len(state.ledger.read()) == 1


def test_a_lost_ledger_is_made_again_from_caps(state, settings, jobs, order):
    state.begin(chosen(settings), lambda visit: True)
    state.keep(run_task(Task(jobs[0], order)).record)
    state.keep(fail(jobs[3], settings))
    state.flush(every_s=0)
    before = state.ledger.read()
    state.ledger.path.unlink()
    assert read_status(state.caps, rebuild=True) == read_status(state.caps)
    assert state.ledger.read() == before


def test_what_is_gone_from_caps_and_choice_is_gone_from_the_ledger(state, settings, jobs):
    state.begin(chosen(settings), lambda visit: True)
    jobs[0].source.unlink()
    state.begin(chosen(settings), lambda visit: True)
    assert len(state.refresh()) == len(jobs) - 1


def test_a_failure_that_caps_could_not_take_stays(state, settings, jobs):
    state.begin(chosen(settings), lambda visit: True)
    outcome = Outcome(jobs[3].visit, jobs[3].source.name, FAILED, "Cannot write its folder.")
    state.keep(make_record(jobs[3], settings, outcome))
    state.flush(every_s=0)
    assert [record.status for record in state.refresh()].count(FAILED) == 1


def test_a_result_that_is_gone_waits_again(state, settings, jobs, order):
    state.begin(chosen(settings), lambda visit: True)
    record = run_task(Task(jobs[0], order)).record
    assert state.refresh()[0] == record
    for path in state.caps.rglob("*SynthNCE*"):
        path.unlink()
    assert state.refresh()[0].status == WAITING


def test_failures_of_visits_that_a_run_did_not_look_at_stay(state, settings, jobs):
    problems = [Problem(Visit(f"sub-9{n}", "ses-M000"), "", "not there") for n in (1, 2)]
    write_run_tables(state, [fail(jobs[0], settings)], problems, lambda visit: True)
    shard = SimpleNamespace(holds=lambda visit: visit.participant_id == "sub-91")
    failed = [fail(jobs[0], settings), fail(jobs[1], settings, "other")]
    write_run_tables(state, failed, [], shard.holds)
    assert read(state, "failures").participant_id.tolist() == ["sub-00", "sub-01", "sub-92"]
    assert read(state, "images").status.tolist() == [FAILED, FAILED]


def test_what_a_killed_run_did_not_tell_the_ledger_is_read_in_caps(state, settings, jobs):
    state.begin(chosen(settings), lambda visit: True)
    fail(jobs[3], settings)
    assert state.ledger.read()[jobs[3].visit].status == WAITING
    assert state.records()[jobs[3].visit].status == FAILED
    assert state.begin(chosen(settings), lambda visit: True)[jobs[3].visit].status == FAILED


def test_a_problem_of_a_folder_stays_beside_a_record_of_its_visit(state, settings, jobs):
    record, problem = fail(jobs[0], settings), Problem(jobs[0].visit, "", "anat without session")
    write_run_tables(state, [record], [problem], lambda visit: True)
    write_run_tables(state, [record], [], lambda visit: False)
    assert read(state, "failures").reason.tolist() == ["anat without session", "broken"]


def test_a_folder_that_cannot_be_read_costs_its_own_visits(state, settings, jobs, monkeypatch):
    for job in jobs[:2]:
        fail(job, settings)
    look = records.os.scandir

    def scandir(path):
        if str(path).endswith("sub-00"):
            raise PermissionError(13, "Permission denied")
        return look(path)

    monkeypatch.setattr(records.os, "scandir", scandir)
    assert [record.visit for record in records.scan(state.caps, {})] == [jobs[1].visit]


def test_a_run_on_a_table_of_visits_looked_at_these_alone(settings, jobs, tmp_path):
    tsv = tmp_path / "visits.tsv"
    tsv.write_text("participant_id\tsession_id\nsub-01\tses-M000\nsub-99\tses-M000\n")
    covers = coverage(select(settings.removal.bids, visits_tsv=tsv), True, lambda visit: True)
    names = ("sub-01", "sub-99", "sub-02")
    assert [covers(Visit(name, "ses-M000")) for name in names] == [True, True, False]


def test_a_ledger_that_cannot_be_written_stops_nothing(state, settings, jobs, caplog):
    state.ledger.path.mkdir(parents=True)
    state.begin(chosen(settings), lambda visit: True)
    assert "goes on without it" in caplog.text


def test_status_groups_reasons_and_counts_what_runs(state, settings, jobs):
    state.begin(chosen(settings), lambda visit: True)
    for job in jobs[:3]:
        state.keep(fail(job, settings, f"{job.source} cannot be read: 12 bytes."))
    state.flush(every_s=0)
    take_claim(claims_folder(state.caps), "_".join(jobs[5].visit), "run")
    result = CliRunner().invoke(cli, ["status", str(state.caps)])
    assert result.exit_code == 0
    lines = [line.split(maxsplit=1) for line in result.output.splitlines()]
    assert ["3", "… cannot be read: N bytes."] in lines
    running = ["running", "1  counted above as what they were before"]
    assert lines[1:2] + lines[3:] == [["failed", "3"], ["waiting", "5"], running]


def test_status_of_a_folder_without_runs_is_told(tmp_path):
    result = CliRunner().invoke(cli, ["status", str(tmp_path)])
    assert result.exit_code == 2
    assert "harmonize first" in result.output


@pytest.mark.parametrize(
    ("reason", "general"),
    [
        ("/data/bids/sub-1/a b cannot", "… b cannot"),
        ("/data/A B/sub-1/a_T1w.nii.gz and /c d/e.json differ", "… and … differ"),
        ("sub-01_ses-M000_T1w.nii.gz has 4 dimensions", "… has N dimensions"),
        ("no path in it", "no path in it"),
    ],
)
def test_reasons_lose_what_is_of_one_visit(reason, general):
    assert generalise(reason) == general
