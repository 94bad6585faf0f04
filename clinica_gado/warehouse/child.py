"""The process in which visits run one after another, so that a hung or greedy one can be ended.

Its model is loaded once. It ends with its parent, whatever it is doing.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

from clinica_gado.console import show_messages


def main(requests_fd: int, answers_fd: int) -> None:
    """Answer requests `(function, arguments)` until the parent closes them or dies."""
    show_messages(logging.WARNING)
    requests: SimpleQueue[Any] = SimpleQueue()
    reader = threading.Thread(
        target=_read, args=[Connection(requests_fd, writable=False), requests], daemon=True
    )
    reader.start()
    answers = Connection(answers_fd, readable=False)
    while True:
        function, arguments = requests.get()
        answers.send(function(*arguments))


def _read(connection: Connection, requests: SimpleQueue[Any]) -> None:
    while True:
        try:
            requests.put(connection.recv())
        except EOFError:
            os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
