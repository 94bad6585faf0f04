"""Messages on the terminal."""

from __future__ import annotations

import logging

import pytest

from clinica_gado.console import show_messages


@pytest.fixture
def own_logger(monkeypatch: pytest.MonkeyPatch) -> logging.Logger:
    """Return the package's logger as a fresh process has it."""
    logger = logging.getLogger("clinica_gado")
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "level", logging.NOTSET)
    return logger


def test_messages_reach_standard_error_once(
    own_logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    show_messages()
    show_messages()
    logging.getLogger("clinica_gado.somewhere").info("two visits remain")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "INFO: two visits remain\n"


def test_debug_messages_are_shown_on_request_only(
    own_logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    show_messages()
    own_logger.debug("hidden")
    show_messages(logging.DEBUG)
    own_logger.debug("shown")
    assert capsys.readouterr().err == "DEBUG: shown\n"


def test_a_pipeline_keeps_the_level_that_its_command_set(
    own_logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    show_messages(logging.DEBUG)  # clinica-gado -v …
    show_messages()  # … run t1-gado-removal
    assert own_logger.level == logging.DEBUG
    own_logger.setLevel(logging.NOTSET)
    monkeypatch.setattr(logging.getLogger(), "level", logging.DEBUG)  # clinica -v run …
    show_messages()
    assert own_logger.level == logging.DEBUG
