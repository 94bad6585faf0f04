"""The fixture `no_network` sees what it must."""

from __future__ import annotations

import socket

import pytest


def test_what_asks_for_the_network_is_refused_and_noted(no_network: list[str]) -> None:
    with pytest.raises(OSError, match="refused in this test"):
        socket.create_connection(("127.0.0.1", 9))
    with pytest.raises(OSError, match="refused in this test"), socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
    assert no_network == ["socket.getaddrinfo", "socket.bind"]
    no_network.clear()
