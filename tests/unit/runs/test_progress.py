"""How far a run is, told on a terminal, in lines and in a log of events."""

from __future__ import annotations

import json

import pytest

from clinica_gado.bids import Visit
from clinica_gado.errors import OutputError
from clinica_gado.runs import progress as progress_module
from clinica_gado.runs.progress import open_event_log, show_progress


def test_events_have_ids_and_no_path(tmp_path):
    path = tmp_path / "events.json"
    with open_event_log(path) as log:
        log.add("visit ended", Visit("sub-01", "ses-M000"), status="done")
    (line,) = path.read_text().splitlines()
    event = json.loads(line)
    assert event.pop("time")
    assert event == {
        "event": "visit ended",
        "participant_id": "sub-01",
        "session_id": "ses-M000",
        "status": "done",
    }


def test_a_log_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(OutputError, match="Cannot write"), open_event_log(tmp_path):
        pass


def test_progress_tells_how_far_and_how_fast(caplog):
    caplog.set_level("INFO", "clinica_gado")
    with show_progress(4) as progress:
        progress.add(failed=False)
        progress.add(failed=True)
    assert "[2/4] 1 failed;" in caplog.text
    assert "visits a minute" in caplog.text


def test_progress_tells_now_and_then_that_it_waits_and_its_end_once(caplog, monkeypatch):
    caplog.set_level("INFO", "clinica_gado")
    with show_progress(1) as progress:
        progress.tick()
        assert caplog.text == ""
        monkeypatch.setattr(progress_module, "LINE_S", -1.0)
        progress.tick()
        assert "[0/1] 0 failed; 0.0 visits a minute; ? left" in caplog.text
        progress.add(failed=False)
        progress.tick()
    assert caplog.text.count("[1/1]") == 1
