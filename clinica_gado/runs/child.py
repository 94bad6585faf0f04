"""The process in which visits run one after another, so that a hung or greedy one can be ended.

Its model is loaded once. It ends with its parent, whatever it is doing.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

from clinica_gado.console import show_messages
from clinica_gado.runs.visit_process import VisitEndedError

logger = logging.getLogger(__name__)


def main(requests_fd: int, answers_fd: int) -> None:
    """Answer requests `(function, arguments)` until the parent closes them or dies."""
    show_messages(logging.WARNING)
    requests: SimpleQueue[Any] = SimpleQueue()
    reader = threading.Thread(
        target=_read, args=[Connection(requests_fd, writable=False), requests], daemon=True
    )
    reader.start()
    answers = Connection(answers_fd, readable=False)
    # A signal to a whole job is for the parent, with which this process ends. A handler, unlike
    # SIG_IGN, is not handed on to the programs that are started.
    signal.signal(signal.SIGTERM, lambda *_: None)
    while True:
        function, arguments = requests.get()
        answers.send(_answer(function, arguments))


def _answer(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Return what a function makes of its arguments, or what it raised: that is no death."""
    try:
        return function(*arguments)
    except Exception as error:
        logger.debug("%s", traceback.format_exc())
        return VisitEndedError(f"unexpected {type(error).__name__}: {error}; please report it.")


def _read(connection: Connection, requests: SimpleQueue[Any]) -> None:
    while True:
        try:
            requests.put(connection.recv())
        except Exception:  # its end, or its death in the middle of a request
            os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
