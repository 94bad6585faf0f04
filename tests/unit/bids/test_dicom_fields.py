"""What fields taken over from DICOM say of the contrast."""

from __future__ import annotations

import pytest

from clinica_gado.bids.contrast import Contrast, Source
from clinica_gado.bids.dicom_fields import contrast_in_words, dicom_evidence


@pytest.mark.parametrize(
    "text",
    [
        "T1 MPRAGE GADO", "AX T1 C+", "T1 +C", "3D T1 après injection", "T1 POST", "t1_post_gd",
        "T1 space KM", "SAG T1 Dotarem", "T1 post C",
    ],
)  # fmt: skip
def test_words_for_an_agent(text: str) -> None:
    assert contrast_in_words(text) is Contrast.ENHANCED


@pytest.mark.parametrize(
    "text",
    [
        "3D T1 SANS INJECTION", "t1 w/o contrast", "T1_mprage_pre", "T1 nativ", "T1 non gado",
        "T1 kein KM", "T1 not enhanced", "T1 aucune injection",
    ],
)  # fmt: skip
def test_words_for_none(text: str) -> None:
    assert contrast_in_words(text) is Contrast.NON_ENHANCED


@pytest.mark.parametrize(
    "text",
    [
        "T1 MPRAGE", "T1 POST OP", "T1 PRE OP", "NO ANGLE", "T1 sans et avec gado",
        "T1 pre and post gad", "did not move, KM", "posterior fossa", "T1 C spine", "",
    ],
)  # fmt: skip
def test_words_that_leave_it_open(text: str) -> None:
    assert contrast_in_words(text) is None


@pytest.mark.parametrize("amount", [7.5, "10"])
def test_an_amount_is_an_injection(amount: object) -> None:
    evidence = dicom_evidence({"ContrastBolusVolume": amount, "SeriesDescription": "T1 pre"})
    assert evidence is not None
    assert (evidence.contrast, evidence.source) == (Contrast.ENHANCED, Source.DICOM)


@pytest.mark.parametrize("amount", [0, "", None, "none"])
def test_no_amount_says_nothing(amount: object) -> None:
    assert dicom_evidence({"ContrastBolusVolume": amount}) is None


def test_what_else_was_typed_at_the_console_is_not_repeated() -> None:
    evidence = dicom_evidence({"ImageComments": "post gado, DUPONT^Marie born 12/03/1961"})
    assert evidence is not None
    assert evidence.detail == "sidecar ImageComments says post gado"


def test_a_name_that_begins_like_an_agent_is_none() -> None:
    assert dicom_evidence({"ImageComments": "Gadsby John T1"}) is None
    assert dicom_evidence({"ImageComments": "Injaz T1"}) is None
