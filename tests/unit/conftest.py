"""What all unit tests can ask for."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# No test fails by the clock: machines of continuous integration stand still now and then.
settings.register_profile(
    "by no clock", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("by no clock")

_ASKS_FOR_NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.bind", "socket.sendto")


@pytest.fixture(scope="session")
def _watchers() -> list[list[str]]:
    """Refuse the network while somebody watches: a hook of Python's cannot be taken away."""
    watchers: list[list[str]] = []

    def refuse(event: str, arguments: tuple[object, ...]) -> None:
        if not watchers or event not in _ASKS_FOR_NETWORK:
            return
        asked = arguments[0]
        if not (isinstance(asked, socket.socket) and asked.family == socket.AF_UNIX):
            watchers[-1].append(event)
            raise OSError(f"{event} is refused in this test")

    sys.addaudithook(refuse)
    return watchers


@pytest.fixture
def no_network(_watchers: list[list[str]]) -> Iterator[list[str]]:
    """Refuse to look up a host, connect or listen, in any library, and fail if that was tried."""
    tried: list[str] = []
    _watchers.append(tried)
    yield tried
    _watchers.pop()
    assert not tried
