"""Filters by entity as typed by the user."""

from __future__ import annotations

import pytest

from clinica_gado.bids.entities import parse_name
from clinica_gado.bids.filters import parse_filter
from clinica_gado.errors import SelectionError

NAME = parse_name("sub-01_acq-mprage_ce-gadolinium_run-01_T1w.nii.gz")


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("acq=mprage", True),
        ("acq=space", False),
        ("acq=space,mprage", True),
        ("acq!=mprage", False),
        ("acq!=space,tse", True),
        ("rec=", True),
        ("rec!=", False),
        ("acq=", False),
        ("acq!=", True),
        ("rec!=norm", True),
        ("run=1", True),
        ("run=11", False),
        ("run!=001", False),
        ("acq=mprage run=01", True),
        ("acq=mprage run=02", False),
        ("acq=acq-mprage", True),
        ("ce=Gadolinium", False),
    ],
)
def test_a_condition_passes_or_not(text: str, passes: bool) -> None:
    assert parse_filter([text]).matches(NAME) is passes


def test_all_of_several_options_must_hold() -> None:
    wanted = parse_filter(["acq=mprage", "run=2"])
    assert str(wanted.first_unmet(NAME)) == "run=2"


def test_no_option_lets_everything_pass() -> None:
    assert parse_filter([]).matches(NAME)


@pytest.mark.parametrize("text", ["acq", "acq-mprage", "=mprage", "acq==mprage", "acq>1"])
def test_what_cannot_be_read_is_refused_by_the_name_of_the_option(text: str) -> None:
    with pytest.raises(SelectionError, match="--input-filter cannot read"):
        parse_filter([text])


def test_every_wrong_condition_is_listed() -> None:
    with pytest.raises(SelectionError, match=r"'acq', 'run-1'"):
        parse_filter(["acq ce=gd", "run-1"])
