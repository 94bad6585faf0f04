"""sections.yml against the template that shows it."""

from __future__ import annotations

import re

from clinica_gado.evaluation.agreement import COLUMNS as AGREEMENT
from clinica_gado.evaluation.similarity import DEFINITIONS
from clinica_gado.evaluation.statistics import COLUMNS as TESTS
from clinica_gado.report.content import TISSUES, presentation
from clinica_gado.report.html import SCRIPTS, asset
from clinica_gado.report.planes import CHANGE, IMAGES
from clinica_gado.report.tables import TABLES

PAGE = presentation()


def test_every_section_has_its_words_and_its_body() -> None:
    bodies = re.search(r"set bodies = \{(.*?)\}", asset("report.html.j2"))
    assert bodies is not None
    shown = set(re.findall(r'"(\w+)":', bodies.group(1)))
    assert {section["id"] for section in PAGE["sections"]} == shown
    for section in PAGE["sections"]:
        assert {"id", "short", "title", "caption", "absent"} == set(section)
        assert all(section.values())


def test_every_kind_of_doubt_says_what_to_do() -> None:
    for kind in PAGE["doubts"]:
        assert kind["title"]
        assert kind["symbol"]
        assert kind["advice"]
        assert kind.get("table", "images") in TABLES
    symbols = [kind["symbol"] for kind in PAGE["doubts"]]
    assert len(set(symbols)) == len(symbols)


def test_every_image_and_tissue_has_a_name() -> None:
    assert set(PAGE["images"]) == {*IMAGES, CHANGE}
    assert set(PAGE["tissues"]) == set(TISSUES)


def test_columns_are_those_of_the_tables() -> None:
    assert set(PAGE["tests"]) <= set(TESTS)
    assert set(PAGE["agreement"]) <= set(AGREEMENT)
    of_similarity = [c["column"] for c in PAGE["columns"] if c["table"] == "similarity"]
    assert set(of_similarity) <= set(DEFINITIONS)


def test_scripts_put_no_text_into_markup() -> None:
    for name in SCRIPTS:
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", asset(name)
        )
        assert len(asset(name).splitlines()) < 400
