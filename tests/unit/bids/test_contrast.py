"""Evidence of contrast: each source, their order, and the unknown state."""

from __future__ import annotations

from typing import Any

import pytest

from clinica_gado.bids.contrast import (
    Contrast,
    Evidence,
    Source,
    contrast_evidence,
    contrast_of_word,
)
from clinica_gado.bids.entities import parse_name

CE, NCE, UNKNOWN = Contrast.ENHANCED, Contrast.NON_ENHANCED, Contrast.UNKNOWN
PLAIN = parse_name("sub-01_T1w.nii.gz")


def with_ce(label: str) -> Evidence:
    return contrast_evidence(PLAIN.with_entities(ce=label))


def stated(contrast: Contrast) -> Evidence:
    return Evidence(contrast, Source.CONTRAST_TSV, f"table says {contrast.value}")


@pytest.mark.parametrize(
    "label",
    ["gadolinium", "gad", "gd", "Gd", "dotarem", "gadovist", "postcontrast", "post", "agentX", "1"],
)
def test_any_agent_in_the_entity_is_contrast(label: str) -> None:
    assert with_ce(label).contrast is CE
    assert with_ce(label).source is Source.ENTITY


@pytest.mark.parametrize(
    "label",
    [
        "none",
        "NONE",
        "no",
        "pre",
        "precontrast",
        "preGd",
        "nogad",
        "noncontrast",
        "nce",
        "without",
        "wo",
    ],
)
def test_none_and_the_like_in_the_entity_is_no_contrast(label: str) -> None:
    assert with_ce(label).contrast is NCE


@pytest.mark.parametrize("label", ["iodine", "xenon", "barium", "carbondioxide", "ferumoxytol"])
def test_contrast_of_another_kind_is_neither(label: str) -> None:
    evidence = with_ce(label)
    assert evidence.contrast is UNKNOWN
    assert evidence.other_agent
    assert "another kind than gadolinium" in evidence.detail


@pytest.mark.parametrize(
    ("fields", "contrast"),
    [
        ({"ContrastBolusIngredient": "GADOLINIUM"}, CE),
        ({"ContrastBolusIngredient": "gadolinium"}, CE),
        ({"ContrastBolusIngredient": ["GADOLINIUM"]}, CE),
        ({"ContrastBolusIngredient": "NONE"}, NCE),
        ({"ContrastBolusIngredient": "UNKNOWN"}, UNKNOWN),
        ({"ContrastBolusIngredient": "IODINE"}, UNKNOWN),
        ({"ContrastBolusIngredient": "CARBON DIOXIDE"}, UNKNOWN),
        ({"ContrastBolusIngredient": "UNKNOWN", "ContrastBolusAgent": "Gadovist"}, CE),
        ({"ContrastBolusAgent": "DOTAREM 15 ml"}, CE),
        ({"ContrastBolusAgent": "No IV contrast"}, NCE),
        ({"ContrastBolusAgent": "None"}, NCE),
        ({"ContrastBolusAgent": "None given"}, NCE),
        ({"ContrastBolusAgent": "not administered"}, NCE),
        ({"ContrastBolusAgent": "w/o contrast"}, NCE),
        ({"ContrastBolusAgent": "WO"}, NCE),
        ({"ContrastBolusAgent": "ohne KM"}, NCE),
        ({"ContrastBolusAgent": "Kein Kontrastmittel"}, NCE),
        ({"ContrastBolusAgent": "nein"}, NCE),
        ({"ContrastBolusAgent": "non injecté"}, NCE),
        ({"ContrastBolusAgent": "aucun produit de contraste"}, NCE),
        ({"ContrastBolusAgent": "0 ml"}, NCE),
        ({"ContrastBolusAgent": "0.0"}, NCE),
        ({"ContrastBolusAgent": 0.0}, NCE),
        ({"ContrastBolusAgent": "Not applicable"}, UNKNOWN),
        ({"ContrastBolusAgent": "not known"}, UNKNOWN),
        ({"ContrastBolusAgent": "unknown agent"}, UNKNOWN),
        ({"ContrastBolusAgent": "no reaction to Gadovist"}, UNKNOWN),
        ({"ContrastBolusAgent": "No contrast reaction, Gadavist 7 mL"}, UNKNOWN),
        ({"ContrastBolusAgent": "No injection reaction Gadovist 7ml"}, UNKNOWN),
        ({"ContrastBolusAgent": "NON CONTRAST AND POST CONTRAST"}, UNKNOWN),
        ({"ContrastBolusAgent": "without contrast / with contrast"}, UNKNOWN),
        ({"ContrastBolusAgent": ["NONE", "GADOLINIUM"]}, UNKNOWN),
        ({"ContrastBolusAgent": ["NONE", "NONE"]}, NCE),
        ({"ContrastBolusAgent": "un bolus de gadovist"}, CE),
        ({"ContrastBolusAgent": "un mezzo di contrasto"}, CE),
        ({"ContrastBolusAgent": "unenhanced"}, NCE),
        ({"ContrastBolusAgent": "Nativ"}, NCE),
        ({"ContrastBolusAgent": "Non-ionic gadolinium 7 ml"}, CE),
        ({"ContrastBolusAgent": "nonionic Gd"}, CE),
        ({"ContrastBolusAgent": "0.1 mmol/kg Gadovist"}, CE),
        ({"ContrastBolusAgent": "Novagad"}, CE),
        ({"ContrastBolusAgent": ""}, UNKNOWN),
        ({"ContrastBolusAgent": None}, UNKNOWN),
        ({"EchoTime": 0.003}, UNKNOWN),
        ({}, UNKNOWN),
    ],
)
def test_the_sidecar_is_evidence(fields: dict[str, Any], contrast: Contrast) -> None:
    assert contrast_evidence(PLAIN, fields).contrast is contrast


@pytest.mark.parametrize("contrast", [CE, NCE])
def test_the_table_is_evidence_where_nothing_else_speaks(contrast: Contrast) -> None:
    evidence = contrast_evidence(PLAIN, {}, stated(contrast))
    assert (evidence.contrast, evidence.source) == (contrast, Source.CONTRAST_TSV)


def test_an_unknown_ingredient_leaves_the_word_to_the_table() -> None:
    evidence = contrast_evidence(PLAIN, {"ContrastBolusIngredient": "UNKNOWN"}, stated(CE))
    assert (evidence.contrast, evidence.contradicted) == (CE, False)


def test_nothing_said_is_unknown_and_silent() -> None:
    evidence = contrast_evidence(PLAIN)
    assert (evidence.contrast, evidence.source, evidence.silent) == (UNKNOWN, Source.NONE, True)


def test_unknown_said_is_not_silent() -> None:
    assert not contrast_evidence(PLAIN, {"ContrastBolusIngredient": "UNKNOWN"}).silent
    assert not contrast_evidence(PLAIN, {}, stated(UNKNOWN)).silent


def test_of_contradictions_the_first_in_order_wins_and_they_are_said() -> None:
    name = PLAIN.with_entities(ce="gadolinium")
    evidence = contrast_evidence(name, {"ContrastBolusIngredient": "NONE"}, stated(NCE))
    assert (evidence.contrast, evidence.source) == (CE, Source.ENTITY)
    assert evidence.contradicted
    assert "contradicted: sidecar ContrastBolusIngredient=none" in evidence.detail
    assert "contradicted: table says nce" in evidence.detail


def test_agreement_and_unknown_are_no_contradiction() -> None:
    name = PLAIN.with_entities(ce="gadolinium")
    fields = {"ContrastBolusIngredient": "GADOLINIUM", "ContrastBolusAgent": "unknown"}
    assert not contrast_evidence(name, fields, stated(UNKNOWN)).contradicted


@pytest.mark.parametrize(
    ("word", "contrast"),
    [
        ("ce", CE),
        ("Yes", CE),
        ("TRUE", CE),
        ("1", CE),
        ("nce", NCE),
        ("no", NCE),
        ("false", NCE),
        ("0", NCE),
        ("unknown", UNKNOWN),
        ("", UNKNOWN),
        ("?", UNKNOWN),
        ("maybe", None),
    ],
)
def test_words_of_the_table(word: str, contrast: Contrast | None) -> None:
    assert contrast_of_word(word) is contrast


def test_what_else_was_typed_into_the_sidecar_is_not_repeated() -> None:
    fields = {"ContrastBolusAgent": "Dotarem 15ml DUPONT Marie 1961-03-12"}
    evidence = contrast_evidence(PLAIN, fields)
    assert evidence.contrast is CE
    assert evidence.detail == "sidecar ContrastBolusAgent=dotarem 15ml …"
