"""One SPM process that works through a list of images, watched from outside."""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

logger = logging.getLogger(__name__)

POLL_S = 0.5
_FAILED_STEP = re.compile(r"^Failed\s+'Segment'\s*$", re.MULTILINE)
_STACK = re.compile(r"^(In file|error: called from|Error in)", re.IGNORECASE)


class Result(NamedTuple):
    """How an image ended; the reason is empty where its maps are there."""

    name: str
    reason: str


class SpmProcess:
    """Runs a command in a process group of its own; leaving the `with` block ends it.

    Parameters
    ----------
    command : a program that leaves the files of `spm_job.run` beside the images.
    folder : where the images are.
    names : file names of the images, in the order in which they are segmented.
    image_timeout_s : the process is ended at an image that takes longer.
    """

    def __init__(
        self, command: Sequence[str], folder: Path, names: Sequence[str], image_timeout_s: float
    ) -> None:
        self._command = command
        self._folder = folder
        self._names = list(names)
        self._timeout_s = image_timeout_s
        self._log = folder / "spm.log"
        self._n_failed = 0

    def __enter__(self) -> SpmProcess:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                stdin=subprocess.PIPE,  # never written to: its end tells the process of ours
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def __exit__(self, *exception: object) -> None:
        self._end()
        if self._process.stdin is not None:
            self._process.stdin.close()
        logger.debug("SPM said:\n%s", self._said())

    def results(self) -> Iterator[Result]:
        """Yield each image as it ends; what is not yielded was not reached.

        The image at which the process died or was ended is the last, with that as its reason. If
        it died before the first image, all fail, since another start would do no better.
        """
        for name in self._names:
            reason = self._wait_for(name)
            if reason is not None and not self._has(name, "started"):
                yield from self._not_started(name, reason)
                return
            ended = reason is not None and not self._has(name, "failed")
            yield Result(name, reason or "")
            if ended:
                return

    def _not_started(self, name: str, reason: str) -> Iterator[Result]:
        if name == self._names[0]:
            yield from (Result(other, reason) for other in self._names)

    def _wait_for(self, name: str) -> str | None:
        """Wait for an image; return None when it is done, else the reason in one line."""
        give_up = time.monotonic() + self._timeout_s
        while True:
            running = self._process.poll() is None  # asked before the files: they come first
            if self._has(name, "done"):
                return None
            if self._has(name, "failed"):
                return f"SPM could not segment it: {self._reason(name)}"
            if not running:
                return self._death()
            if time.monotonic() > give_up:
                self._end()
                return f"SPM was ended: no result within {self._timeout_s:g} s."
            time.sleep(POLL_S)

    def _has(self, name: str, state: str) -> bool:
        return (self._folder / f"{name}.{state}").is_file()

    def _reason(self, name: str) -> str:
        """Return what SPM's batch system says after the step that failed; its message is vague."""
        note = (self._folder / f"{name}.failed").read_text(encoding="utf-8", errors="replace")
        said = _FAILED_STEP.split(self._said())
        self._n_failed += 1
        lines = said[self._n_failed].splitlines() if self._n_failed < len(said) else []
        return _first_words(lines) or _first_words(note.splitlines()) or "it gave no reason."

    def _death(self) -> str:
        code = self._process.returncode
        lines = [line.strip() for line in self._said().splitlines() if line.strip()]
        errors = [line for line in lines if re.search(r"\berror\b|exception|killed", line.lower())]
        last = (errors or lines or ["it said nothing"])[-1]
        return f"SPM's process ended at it (exit code {code}): {last}"

    def _said(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def _end(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()


def _first_words(lines: Sequence[str]) -> str:
    stripped = (line.strip() for line in lines)
    return next((line for line in stripped if line and not _STACK.match(line)), "")
