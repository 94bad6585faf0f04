"""Run SPM's unified segmentation through nipype; started as a process of its own.

So nipype's changes of the working folder, SPM's chatter and a crash stay in that process.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from nipype.interfaces.base import traits
from nipype.interfaces.spm import NewSegment, SPMCommand
from nipype.interfaces.spm.preprocess import NewSegmentInputSpec

_RUN_ONE_BY_ONE = """
spm('defaults', 'pet');
spm_jobman('initcfg');
spm_get_defaults('cmdline', true);
{job}
images = jobs{{1}}.spm.spatial.preproc.channel(1).vols;
for n = 1:numel(images)
    name = strrep(images{{n}}, ',1', '');
    fclose(fopen([name '.started'], 'w'));
    one = jobs;
    one{{1}}.spm.spatial.preproc.channel(1).vols = images(n);
    try
        spm_jobman('run', one);
        fclose(fopen([name '.done'], 'w'));
    catch problem
        note = fopen([name '.failed'], 'w');
        fprintf(note, '%s', problem.message);
        fclose(note);
    end
end
"""


class _InputSpec(NewSegmentInputSpec):
    mrf = traits.Float(field="warp.mrf", desc="strength of the Markov random field")
    cleanup = traits.Int(field="warp.cleanup", desc="0 none, 1 light, 2 thorough")


class Segment(NewSegment):
    """nipype's NewSegment for a list of images, of which one may fail without the others.

    Written for SPM12 and SPM25 alike: nipype would file the job of an SPM25 under a name of SPM8.
    The version is known, so SPM is not started to ask for it.
    """

    input_spec = _InputSpec
    version = "unknown"

    def __init__(self, **inputs: Any) -> None:
        SPMCommand.__init__(self, **inputs)
        self._jobtype, self._jobname = "spatial", "preproc"

    def _make_matlab_command(self, contents: list[Any], postscript: str | None = None) -> str:
        job = self._generate_job(f"jobs{{1}}.spm.{self.jobtype}.{self.jobname}", contents[0])
        return _RUN_ONE_BY_ONE.format(job=job)


def run(job: dict[str, Any]) -> None:
    """Segment the images of a job in the current folder.

    For each image, files tell how it went: `X.nii.started`, then `X.nii.done` or `X.nii.failed`.
    """
    parameters = job["parameters"]
    segment = Segment(matlab_cmd=shlex.join(job["command"]), use_mcr=True)
    inputs = segment.inputs
    inputs.channel_files = job["images"]
    inputs.channel_info = (
        parameters["bias_regularisation"],
        parameters["bias_fwhm_mm"],
        (False, False),
    )
    inputs.tissues = [
        ((job["tpm"], number), gaussians, (number <= 3, False), (False, False))
        for number, gaussians in enumerate(parameters["gaussians"], start=1)
    ]
    inputs.mrf = parameters["mrf"]
    inputs.cleanup = parameters["cleanup"]
    inputs.warping_regularization = parameters["warping_regularisation"]
    inputs.affine_regularization = parameters["affine_regularisation"]
    inputs.sampling_distance = parameters["sampling_mm"]
    inputs.write_deformation_fields = [False, False]
    segment.run()


def end_with_parent(folder: Path) -> None:
    """Watch the pipe that the parent holds as our standard input.

    A parent that is killed, as schedulers do, ends nothing itself: then the temporary folder is
    removed from here and the group of processes, SPM among them, ended.
    """
    pipe = os.dup(0)  # SPM does not inherit it, and finds an empty standard input
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)

    def wait_for_the_end() -> None:
        os.read(pipe, 1)  # nothing is ever written: it returns when the parent is gone
        shutil.rmtree(folder, ignore_errors=True)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=wait_for_the_end, daemon=True).start()


def main(description: Path) -> None:
    """Run the job that a file describes, in the folder of that file."""
    end_with_parent(description.parent)
    run(json.loads(description.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
