"""Loading of plugin pipelines."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from clinica_gado import _plugins


@pytest.fixture
def announce(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Return a function that makes entry points of a plugin's name, target and source."""
    monkeypatch.syspath_prepend(tmp_path)
    points: list[EntryPoint] = []
    monkeypatch.setattr(_plugins, "entry_points", lambda group: points)

    def add(name: str, target: str, source: str | None = None) -> None:
        points.append(EntryPoint(name, target, _plugins.GROUP))
        if source is not None:
            (tmp_path / f"{target}.py").write_text(source)

    return add


@pytest.fixture
def warnings_shown(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> pytest.LogCaptureFixture:
    """Collect the warnings of this package."""
    monkeypatch.setattr(logging.getLogger("clinica_gado"), "propagate", True)
    caplog.set_level(logging.WARNING, "clinica_gado")
    return caplog


@pytest.mark.parametrize(
    ("target", "source"),
    [
        ("raising_plugin", "raise ValueError('no luck')"),
        ("leaving_plugin", "import sys; sys.exit(3)"),
        ("slipped_plugin", "def broken(:"),
        ("no_such_plugin", None),
        ("not a target!", None),
    ],
)
def test_failing_plugin_gives_one_warning_and_the_next_is_loaded(
    target: str,
    source: str | None,
    announce: Callable[..., None],
    warnings_shown: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    loaded = tmp_path / "loaded"
    announce("bad", target, source)
    announce("good", f"good_after_{abs(hash(target))}", f"open({str(loaded)!r}, 'w').close()")
    _plugins.register()
    assert loaded.exists()
    assert len(warnings_shown.records) == 1
    assert "'bad'" in warnings_shown.text
    assert target in warnings_shown.text


def test_interrupt_of_the_user_passes(announce: Callable[..., None]) -> None:
    announce("slow", "interrupted_plugin", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        _plugins.register()


def test_own_plugins_are_those_of_this_package(announce: Callable[..., None]) -> None:
    announce("t1-gado-removal", "clinica_gado.pipelines.t1_gado_removal.cli")
    announce("t1-other", "clinica_gado_like.cli")
    announce("t1-foreign", "elsewhere.cli")
    assert list(_plugins.own_plugins()) == ["t1-gado-removal"]
