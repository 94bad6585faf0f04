"""How far a run is: a bar with rate and time left on a terminal, lines and JSON elsewhere."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from clinica_gado.bids import Visit
from clinica_gado.errors import OutputError

logger = logging.getLogger(__name__)

LINE_S = 60.0
"""Between lines where there is no terminal to draw a bar on."""


class Progress:
    """Counts visits, or other units, as they end; `bar` is drawn on a terminal alone."""

    def __init__(self, total: int, bar: tqdm, unit: str = "visit") -> None:
        self._total, self._bar, self._unit = total, bar, unit
        self._ended = self._failed = 0
        self._began = self._told = time.monotonic()

    def add(self, failed: bool) -> None:
        """Count a visit that ended."""
        self._ended += 1
        self._failed += failed
        self._bar.set_postfix(failed=self._failed, refresh=False)
        self._bar.update()

    def tick(self) -> None:
        """Log a line a minute where there is no bar, whether visits end or not."""
        is_time = time.monotonic() - self._told > LINE_S
        if self._bar.disable and is_time and self._ended < self._total:
            self.tell()

    def tell(self) -> None:
        """Log how far the run is, how fast, and the time left."""
        self._told = time.monotonic()
        rate = self._ended / max(self._told - self._began, 1e-9)
        left = tqdm.format_interval((self._total - self._ended) / rate) if rate else "?"
        logger.info(
            "[%d/%d] %d failed; %.1f %ss a minute; %s left",
            *(self._ended, self._total, self._failed, 60 * rate, self._unit, left),
        )


@contextmanager
def show_progress(total: int, unit: str = "visit") -> Iterator[Progress]:
    """Count to a total; on a terminal a bar is drawn below the messages of this package."""
    ours = [logging.getLogger("clinica_gado")]
    with tqdm(total=total, unit=unit, smoothing=0.05, disable=None) as bar, ExitStack() as stack:
        if not bar.disable:
            stack.enter_context(logging_redirect_tqdm(loggers=ours))
        progress = Progress(total, bar, unit)
        yield progress
        if bar.disable:
            progress.tell()


class EventLog:
    """One JSON object a line: what happened to which visit. No path, host or user is in it."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def add(self, event: str, visit: Visit | None = None, **facts: Any) -> None:
        """Write an event."""
        if self._stream is None:
            return
        ids = {} if visit is None else visit._asdict()
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        line = json.dumps({"time": now, "event": event, **ids, **facts})
        try:
            self._stream.write(f"{line}\n")
            self._stream.flush()
        except OSError as error:
            logger.warning("The log of events ends here: %s.", error.strerror)
            self._stream = None


@contextmanager
def open_event_log(path: Path | None) -> Iterator[EventLog]:
    """Open a log to append to; None for no log.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    if path is None:
        yield EventLog(None)
        return
    try:
        stream = path.open("a", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"Cannot write {path} ({error.strerror}).") from error
    with stream:
        yield EventLog(stream)
