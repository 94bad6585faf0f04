"""sections.yml against the template that shows it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from clinica_gado.bids import INPUT_COLUMNS
from clinica_gado.evaluation.agreement import COLUMNS as AGREEMENT
from clinica_gado.evaluation.paired_measures import COLUMNS as PAIRED_TESTS
from clinica_gado.evaluation.paired_measures import FAMILIES
from clinica_gado.evaluation.similarity import DEFINITIONS
from clinica_gado.evaluation.statistics import columns_of_tests
from clinica_gado.report.content import TISSUES, define, presentation
from clinica_gado.report.html import SCRIPTS, asset
from clinica_gado.report.planes import CHANGE, UNCERTAINTY
from clinica_gado.report.tables import TABLES
from clinica_gado.roles import ENHANCEMENT_ROLES, LOW_DOSE, REMOVAL_ROLES, ROUTINE
from clinica_gado.validation.enhancement import DEFINITIONS as CHANGES

PAGE = presentation()
ENHANCEMENT = presentation("t1-virtual-enhance")
each_page = pytest.mark.parametrize("page", [PAGE, ENHANCEMENT], ids=["removal", "enhancement"])


@each_page
def test_every_section_has_its_words_and_its_body(page: dict[str, Any]) -> None:
    bodies = re.search(r"set bodies = \{(.*?)\}", asset("report.html.j2"))
    assert bodies is not None
    shown = set(re.findall(r'"(\w+)":', bodies.group(1)))
    assert {section["id"] for section in page["sections"]} <= shown
    for section in page["sections"]:
        assert {"id", "short", "title", "caption", "absent"} == set(section)
        assert all(section.values())


def test_the_report_of_the_removal_shows_every_section() -> None:
    assert len(PAGE["sections"]) == 9


@pytest.mark.parametrize(
    ("pipeline", "percent"), [("t1-gado-removal", "10 %"), ("t1-virtual-enhance", "20 %")]
)
def test_a_number_is_defined_by_the_pipeline_that_measured_it(pipeline: str, percent: str) -> None:
    (row,) = define([{"darkened_percent": 1.0}], pipeline)
    assert f"more than {percent} of its median" in row["definition"]


@each_page
def test_every_kind_of_doubt_says_what_to_do(page: dict[str, Any]) -> None:
    for kind in page["doubts"]:
        assert kind["title"]
        assert kind["symbol"]
        assert kind["advice"]
        assert kind.get("table", "images") in TABLES
    symbols = [kind["symbol"] for kind in page["doubts"]]
    assert len(set(symbols)) == len(symbols)


def test_every_image_and_tissue_has_a_name() -> None:
    assert set(PAGE["images"]) == {*REMOVAL_ROLES.names, CHANGE}
    assert set(ENHANCEMENT["images"]) == {
        *(*ENHANCEMENT_ROLES.names, LOW_DOSE, ROUTINE),
        *(CHANGE, UNCERTAINTY),
    }
    for page in (PAGE, ENHANCEMENT):
        assert set(page["compared"]) <= set(page["images"])
        assert page["real"]["image"] in page["images"]
    assert set(PAGE["tissues"]) == set(TISSUES)


@each_page
def test_columns_are_those_of_the_tables(page: dict[str, Any]) -> None:
    roles = REMOVAL_ROLES if page is PAGE else ENHANCEMENT_ROLES
    assert set(page["tests"]) <= set(columns_of_tests(roles))
    assert set(page.get("paired_tests", ())) <= set(PAIRED_TESTS)
    if page is ENHANCEMENT:
        assert set(page["measures"]) == {name for names in FAMILIES.values() for name in names}
    assert set(page["agreement"]) <= set(AGREEMENT)
    of_similarity = [c["column"] for c in page["columns"] if c["table"] == "similarity"]
    assert set(of_similarity) <= set(DEFINITIONS)


def test_columns_of_choices_and_changes_are_those_of_the_enhancement() -> None:
    assert set(ENHANCEMENT["selection"]) == set(INPUT_COLUMNS)
    of_change = {c["column"] for c in ENHANCEMENT["columns"] if c["table"] == "contrast"}
    assert of_change <= set(CHANGES)


def test_scripts_put_no_text_into_markup() -> None:
    for name in SCRIPTS:
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", asset(name)
        )
        assert len(asset(name).splitlines()) < 400
