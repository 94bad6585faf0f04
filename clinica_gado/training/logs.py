"""What a run says while it goes on: lines on the terminal, a CSV and TensorBoard."""

from __future__ import annotations

import csv
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clinica_gado.files import atomic_path

logger = logging.getLogger(__name__)

CSV_NAME = "metrics.csv"
COLUMNS = ("step", "learning_rate", "loss", "l1", "l2", "ssim", "local", "validation")
"""Of the CSV; losses are those of the first process, and `validation` is the stated metric."""
SECONDS_BETWEEN_LINES = 15.0


class RunLog:
    """Records each step; rows of an earlier run beyond the step it goes on from are dropped.

    Parameters
    ----------
    folder
        Of `metrics.csv` and TensorBoard's files.
    step, n_steps
        Steps done, and to be done.
    """

    def __init__(self, folder: Path, step: int, n_steps: int) -> None:
        self._path = folder / CSV_NAME
        self._first, self._n_steps = step, n_steps
        self._started = self._last_line = time.monotonic()
        self._rows = _rows_until(self._path, step)
        self._board = _open_board(folder, step)

    def record(self, step: int, numbers: Mapping[str, float]) -> None:
        """Record a step; numbers are named as `COLUMNS`."""
        self._rows.append({"step": step})
        self.add(numbers)
        now = time.monotonic()
        if now - self._last_line >= SECONDS_BETWEEN_LINES or step == self._n_steps:
            self._last_line = now
            self._say(step, numbers["loss"], (now - self._started) / (step - self._first))

    def add(self, numbers: Mapping[str, float]) -> None:
        """Add numbers to the step recorded last."""
        row = self._rows[-1]
        row.update({name: repr(value) for name, value in numbers.items()})
        if self._board is not None:
            for name, value in numbers.items():
                self._board.add_scalar(name, value, row["step"])

    def write(self) -> None:
        """Bring the files up to date."""
        with atomic_path(self._path) as partial, partial.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(self._rows)
        if self._board is not None:
            self._board.flush()

    def _say(self, step: int, loss: float, seconds: float) -> None:
        left_min = seconds * (self._n_steps - step) / 60
        logger.info(
            "step %d/%d: loss %.5f, %.2f s a step, %.0f min left",
            *(step, self._n_steps, loss, seconds, left_min),
        )


def _rows_until(path: Path, step: int) -> list[dict[str, Any]]:
    if not path.is_file() or step == 0:
        return []
    with path.open(newline="") as stream:
        return [row for row in csv.DictReader(stream) if int(row["step"]) <= step]


def _open_board(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        logger.info("TensorBoard is not installed: there is metrics.csv alone.")
        return None
    return SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)
