"""Handing visits to an engine, a few more than it can run, and taking their ends as they come."""

from __future__ import annotations

import heapq
import itertools
import logging
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType

from clinica_gado.bids import Job, Visit
from clinica_gado.errors import GadoError
from clinica_gado.outcomes import failure
from clinica_gado.warehouse.claims import list_claims
from clinica_gado.warehouse.engine import LOST, Engine, EngineError
from clinica_gado.warehouse.records import make_record, save_record
from clinica_gado.warehouse.task import (
    BLOCKED,
    ENDED,
    GOES_ON,
    STOPPED,
    TAKEN,
    Order,
    Result,
    Task,
    claims_folder,
)
from clinica_gado.warehouse.visit import STEPS
from clinica_gado.words import counted

logger = logging.getLogger(__name__)

MIN_WINDOW = 4
WINDOW = 2
"""Tasks handed in for each that can run: enough that nobody idles, few enough to be taken back."""
RETAKE_S = 5.0
"""Before a visit that another process is at is tried again."""
WAIT_S = 0.5
MAX_LOST = 20
"""Tasks lost in a row: after that the workers are broken, not the visits."""


class Stop:
    """What the user asked for: 0 nothing, 1 finish what runs, 2 stop at once."""

    def __init__(self) -> None:
        self.level = 0

    @contextmanager
    def on_signals(self) -> Iterator[Stop]:
        """Count Ctrl-C while the block runs; SIGTERM, by which batch systems end, counts double."""
        before = {
            number: signal.signal(number, self._take) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _take(self, number: int, frame: FrameType | None) -> None:
        self.level = 2 if number == signal.SIGTERM else self.level + 1


@dataclass
class Driver:
    """Drives the visits of a run through an engine.

    Attributes
    ----------
    order : what is asked for every visit.
    tell : called with the result of every visit that ended, with a record.
    problem : why the run came to an early end.
    """

    engine: Engine
    order: Order
    tell: Callable[[Result], None]
    stop: Stop
    tick: Callable[[], None] = lambda: None
    problem: str = ""
    _waiting: deque[Job] = field(default_factory=deque)
    _later: list[tuple[float, int, Job, int]] = field(default_factory=list)
    _running: dict[Visit, tuple[Job, int]] = field(default_factory=dict)
    _taken: set[Visit] = field(default_factory=set)
    _lost: dict[Visit, int] = field(default_factory=dict)
    _lost_in_a_row: int = 0
    _stopping: bool = False

    def __post_init__(self) -> None:
        self._steps = [(step,) for step in STEPS] if self.engine.gpu_apart else [STEPS]
        self._number = itertools.count()

    def run(self, jobs: Sequence[Job]) -> None:
        """Take visits to their ends, or as far as the user and the engine let it."""
        self._waiting = deque(jobs)
        try:
            while self._waiting or self._later or self._running:
                self._hand_in()
                for result in self.engine.results(WAIT_S):
                    self._take(result)
                self.tick()
                if not self._heed():
                    return
        except EngineError as error:
            self.problem = str(error)

    def _hand_in(self) -> None:
        window = max(MIN_WINDOW, WINDOW * self.engine.slots())
        while len(self._running) < window:
            if self._later and self._later[0][0] <= time.monotonic():
                _, _, job, step = heapq.heappop(self._later)
                self._submit(job, step)
            elif self._waiting:
                self._submit(self._waiting.popleft(), 0)
            else:
                return

    def _submit(self, job: Job, step: int) -> None:
        self._running[job.visit] = (job, step)
        was_taken = job.visit in self._taken
        self.engine.submit(Task(job, self.order, self._steps[step], was_taken))

    def _take(self, result: Result) -> None:
        job, step = self._running.pop(result.visit)
        self._lost_in_a_row = self._lost_in_a_row + 1 if result.state == LOST else 0
        if result.state == ENDED:
            self.tell(result)
        elif result.state == LOST:
            self._take_lost(job, step, result)
        elif result.state == BLOCKED:
            self.problem = self.problem or result.reason
        elif self._stopping or result.state == STOPPED:
            return
        elif result.state == GOES_ON:
            self._submit(job, step + 1)
        elif result.state == TAKEN:
            self._taken.add(job.visit)
            self._put_off(job, step)

    def _take_lost(self, job: Job, step: int, result: Result) -> None:
        """Try again a visit whose task was lost; one that is lost too often has failed."""
        times = self._lost[job.visit] = self._lost.get(job.visit, 0) + 1
        if self._lost_in_a_row >= MAX_LOST:
            self.problem = f"The workers cannot run any task ({result.reason})."
        elif times < self.order.limits.attempts:
            logger.warning("%s starts again: %s.", job.visit, result.reason)
            self._put_off(job, step)
        else:
            reason = GadoError(f"its task was lost {times} times: {result.reason}.")
            outcome = failure(job, reason)
            record = make_record(job, self.order.settings, outcome)
            with suppress(GadoError):
                record = save_record(job, self.order.settings, outcome)
            self.tell(Result(job.visit, ENDED, record))

    def _put_off(self, job: Job, step: int) -> None:
        if not self._stopping:
            heapq.heappush(
                self._later, (time.monotonic() + RETAKE_S, next(self._number), job, step)
            )

    def _heed(self) -> bool:
        """Stop if the user or a problem asks for it; return whether to go on waiting."""
        if self.stop.level >= 2:
            self._stop_now()
            return False
        if not self._stopping and (self.stop.level or self.problem):
            self._finish_what_runs()
        return True

    def _finish_what_runs(self) -> None:
        self._stopping = True
        self._waiting.clear()
        self._later.clear()
        if not self._running:
            return
        held = list_claims(claims_folder(self.order.caps))
        begun = {name for name, owner in held.items() if owner.run == self.order.run}
        idle = [visit for visit in self._running if "_".join(visit) not in begun]
        for visit in self.engine.withdraw(self.order.run, idle):
            del self._running[visit]
        logger.warning(
            "%s Finishing %s that ran; press Ctrl-C again to stop at once.",
            *(self.problem or "Interrupted.", counted(len(self._running), "visit")),
        )

    def _stop_now(self) -> None:
        left = counted(len(self._running), "visit")
        logger.warning("Stopped; %s that ran will be treated by the next run.", left)
        self.engine.stop(self.order.run)
