"""A killed process ends its own node and no other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import nipype.interfaces.utility as nutil
import nipype.pipeline.engine as npe
import pytest

from clinica_gado.workflow import ProgressLog, SteadyMultiProcPlugin


def write_or_die(number, folder):
    import os
    import signal
    import time
    from pathlib import Path

    Path(folder, f"started-{number}-{os.getpid()}").touch()
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.2)
    Path(folder, f"done-{number}").touch()
    return number


@pytest.mark.slow
def test_a_killed_worker_is_tried_again_alone_and_the_others_end_well(tmp_path):
    node = npe.Node(
        nutil.Function(
            input_names=["number", "folder"], output_names=["out"], function=write_or_die
        ),
        name="work",
        iterables=[("number", [0, 1, 2, 3])],
    )
    node.inputs.folder = str(tmp_path)
    workflow = npe.Workflow("steady", base_dir=str(tmp_path / "work"))
    workflow.add_nodes([node])
    with pytest.raises(RuntimeError, match="killed 2 times"):
        workflow.run(plugin=SteadyMultiProcPlugin({"n_procs": 2}))
    assert sorted(p.name for p in tmp_path.glob("done-*")) == ["done-0", "done-2", "done-3"]
    assert len(list(tmp_path.glob("started-1-*"))) == 2


START_AND_DIE = """
    import os, signal, sys
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context
    from clinica_gado.workflow import start_worker

    if __name__ == "__main__":
        pool = ProcessPoolExecutor(
            1, get_context("spawn"), initializer=start_worker, initargs=(os.getcwd(), 20)
        )
        print(pool.submit(os.getpid).result(), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""


def is_running(pid):
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat")
        return not (state.is_file() and state.read_text().rsplit(")")[1].split()[0] == "Z")
    except ProcessLookupError:
        return False


@pytest.mark.slow
def test_workers_end_with_a_killed_run(tmp_path):
    script = tmp_path / "run.py"
    script.write_text(textwrap.dedent(START_AND_DIE))
    run = subprocess.run([sys.executable, script], stdout=subprocess.PIPE, text=True, timeout=120)
    assert run.returncode == -signal.SIGKILL
    worker = int(run.stdout)
    deadline = time.monotonic() + 20
    while is_running(worker) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_running(worker)


def test_progress_tells_each_end_once(caplog):
    ends = iter([[], ["sub-01: done"], [], ["sub-02: failed (why)"]])
    progress = ProgressLog(2, lambda: next(ends))
    with caplog.at_level("INFO", "clinica_gado"):
        for _ in range(4):
            progress(None, "end")
    assert [record.getMessage().split(";")[0] for record in caplog.records] == [
        "[1/2] sub-01: done",
        "[2/2] sub-02: failed (why)",
    ]
