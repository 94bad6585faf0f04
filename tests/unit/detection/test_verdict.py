"""What is believed when metadata and picture agree, disagree or are silent."""

from __future__ import annotations

import pytest

from clinica_gado.bids import NO_EVIDENCE, Contrast, Evidence, Source
from clinica_gado.detection.classifier import Picture
from clinica_gado.detection.verdict import decide, with_dicom_fields

CE, NCE, OPEN = Contrast.ENHANCED, Contrast.NON_ENHANCED, Contrast.UNKNOWN
SHOWN = {CE: Picture(0.99, CE), NCE: Picture(0.01, NCE), OPEN: Picture(0.5, OPEN)}
COMPANION = Evidence(NCE, Source.COMPANION, "inferred")


@pytest.mark.parametrize("shown", [CE, NCE, OPEN])
@pytest.mark.parametrize("stated", [CE, NCE])
@pytest.mark.parametrize("source", [Source.ENTITY, Source.SIDECAR, Source.DICOM])
def test_metadata_stand_and_disagreement_is_reviewed(
    shown: Contrast, stated: Contrast, source: Source
) -> None:
    verdict = decide(Evidence(stated, source, "words"), SHOWN[shown])
    assert (verdict.contrast, verdict.source) == (stated, source)
    assert bool(verdict.review) == (shown not in (stated, OPEN))


@pytest.mark.parametrize("shown", [CE, NCE])
def test_the_picture_tells_what_metadata_do_not(shown: Contrast) -> None:
    verdict = decide(NO_EVIDENCE, SHOWN[shown])
    assert (verdict.contrast, verdict.source, verdict.review) == (shown, Source.IMAGE, "")


@pytest.mark.parametrize("evidence", [NO_EVIDENCE, COMPANION])
@pytest.mark.parametrize("picture", [None, SHOWN[OPEN]])
def test_doubt_is_never_a_guess(evidence: Evidence, picture: Picture | None) -> None:
    verdict = decide(evidence, picture)
    assert verdict.contrast is OPEN
    assert verdict.review


def test_a_companion_must_be_confirmed_by_the_picture() -> None:
    assert decide(COMPANION, SHOWN[NCE]).contrast is NCE
    contradicted = decide(COMPANION, SHOWN[CE])
    assert contradicted.contrast is OPEN
    assert "shows ce" in contradicted.review


def test_another_agent_is_neither() -> None:
    iodine = Evidence(OPEN, Source.SIDECAR, "iodine", other_agent=True)
    verdict = decide(iodine, SHOWN[CE])
    assert verdict.contrast is OPEN
    assert verdict.review


def test_contradictory_metadata_are_reviewed() -> None:
    evidence = Evidence(CE, Source.ENTITY, "words", contradicted=True)
    assert decide(evidence, SHOWN[CE]).review


@pytest.mark.parametrize("evidence", [NO_EVIDENCE, COMPANION])
def test_dicom_fields_count_more_than_silence(evidence: Evidence) -> None:
    found = with_dicom_fields(evidence, {"SeriesDescription": "T1 gado"})
    assert (found.contrast, found.source) == (CE, Source.DICOM)
    assert found.contradicted == (evidence is COMPANION)


def test_dicom_fields_count_less_than_the_entity() -> None:
    entity = Evidence(CE, Source.ENTITY, "entity ce-gd")
    found = with_dicom_fields(entity, {"SeriesDescription": "T1 sans injection"})
    assert (found.contrast, found.source, found.contradicted) == (CE, Source.ENTITY, True)
    assert with_dicom_fields(entity, {"SeriesDescription": "T1 gado"}) == entity
