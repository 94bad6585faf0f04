"""The report in a real browser: sort, filter, look, review, save."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clinica_gado.bids import Visit
from clinica_gado.caps import qc_folder
from clinica_gado.files import write_tsv
from clinica_gado.report.build import write_report
from clinica_gado.report.html import asset
from clinica_gado.report.planes import save_planes
from clinica_gado.report.reviews import Review, read_reviews
from clinica_gado.segmentation.segmenter import TissueMaps

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

DRIVER = shutil.which("chromedriver")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(
    DRIVER is None or CHROMIUM is None, reason="Chromium or chromedriver is not installed"
)

PIPELINE = "t1-gado-removal"
N_VISITS = 30
HOSTILE = "<img src=x onerror=document.title='hacked'>"
WAIT_SECONDS = 10.0


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the report of a run of which every tenth visit is doubtful and one failed."""
    caps = tmp_path_factory.mktemp("run") / "caps"
    folder = qc_folder(caps, PIPELINE)
    ids = pd.DataFrame({"participant_id": [f"sub-{n:02d}" for n in range(N_VISITS)]})
    ids["session_id"] = "ses-M000"
    flags = ["rotation 34 degrees" if n % 10 == 0 else None for n in range(N_VISITS)]
    write_tsv(folder / "images.tsv", ids.assign(filename="a.nii.gz", status="done", flags=flags))
    write_tsv(folder / "failures.tsv", ids.tail(1).assign(filename="a.nii.gz", reason=HOSTILE))
    write_tsv(folder / "differences.tsv", pd.concat(
        ids.assign(test_set="all", engine="spm", tissue=tissue, ce_cm3=50.0, ce_signed_cm3=50.0,
                   synthetic_cm3=(np.arange(N_VISITS) * 7 % N_VISITS) / 2,
                   synthetic_signed_cm3=1.0, nce_normalised_cm3=600.0)
        for tissue in ("gm", "wm", "csf")
    ))  # fmt: skip
    image = np.random.default_rng(0).uniform(1, 2, (20, 24, 22)).astype(np.float32)
    maps = TissueMaps(image - 1, 2 - image, image - 1)
    picture = folder / "figures" / "sub-00_ses-M000_desc-SynthNCE_planes.webp"
    save_planes({"ce": image, "synthetic": image / 2}, {"synthetic": maps}, picture)
    return write_report(caps, PIPELINE)


@pytest.fixture
def browser(report: Path, tmp_path: Path) -> Iterator[Any]:
    """Open the report in a browser of its own, whose downloads go to `tmp_path / "saved"`."""
    options = webdriver.ChromeOptions()
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--window-size=1280,1000", f"--user-data-dir={tmp_path / 'profile'}",
    ):  # fmt: skip
        options.add_argument(argument)
    (tmp_path / "saved").mkdir()
    options.add_experimental_option(
        "prefs", {"download.default_directory": str(tmp_path / "saved")}
    )
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.binary_location = CHROMIUM
    service = webdriver.ChromeService(executable_path=DRIVER)
    driver = webdriver.Chrome(options=options, service=service)
    try:
        driver.get(report.as_uri())
        yield driver
        # A violated policy or an error in a script is told here.
        assert driver.get_log("browser") == []
    finally:
        driver.quit()


def visits_shown(browser: Any) -> list[str]:
    script = (
        "return [...document.querySelectorAll('#table tbody th')].map((cell) => cell.innerText)"
    )
    names: list[str] = browser.execute_script(script)
    return [name.split()[0] for name in names]


def wait_for(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + WAIT_SECONDS
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def heading(browser: Any, title: str) -> Any:
    return browser.find_element(
        By.XPATH, f"//table[@id='table']//th[button[starts-with(.,'{title}')]]"
    )


def test_doubts_open_the_table_and_headings_sort(browser: Any) -> None:
    assert visits_shown(browser)[:4] == ["sub-29", "sub-00", "sub-10", "sub-20"]
    heading(browser, "ΔGM").find_element(By.TAG_NAME, "button").click()
    assert heading(browser, "ΔGM").get_attribute("aria-sort") == "ascending"
    assert visits_shown(browser)[:3] == ["sub-00", "sub-13", "sub-26"]
    browser.switch_to.active_element.send_keys(Keys.ENTER)  # the heading kept the focus
    assert heading(browser, "ΔGM").get_attribute("aria-sort") == "descending"
    assert visits_shown(browser)[:2] == ["sub-17", "sub-04"]


def test_filters_and_words_narrow_the_table(browser: Any) -> None:
    browser.find_element(By.CSS_SELECTOR, "button[data-filter=registration]").click()
    assert visits_shown(browser) == ["sub-00", "sub-10", "sub-20"]
    browser.find_element(By.ID, "find").send_keys("SUB-1")
    assert visits_shown(browser) == ["sub-10"]
    browser.find_element(By.ID, "find").send_keys("xyz")
    assert visits_shown(browser) == []
    assert "No visit" in browser.find_element(By.ID, "count").text


def test_pages_hold_all_visits_once(browser: Any) -> None:
    seen = visits_shown(browser)
    following = browser.find_element(By.ID, "next")
    while following.is_enabled():
        following.click()
        seen += visits_shown(browser)
    assert sorted(seen) == [f"sub-{n:02d}" for n in range(N_VISITS)]


def test_text_of_the_data_is_shown_as_text(browser: Any) -> None:
    assert HOSTILE in browser.find_element(By.ID, "attention").text
    assert HOSTILE in browser.find_element(By.ID, "card-sub-29_ses-M000").text
    assert browser.title == "t1-gado-removal: report"


def test_the_slider_moves_by_arrow_keys(browser: Any) -> None:
    card = browser.find_element(By.ID, "card-sub-00_ses-M000")
    slider = card.find_element(By.CSS_SELECTOR, "input[type=range]")
    slider.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert slider.get_attribute("value") == "52"
    figure = card.find_element(By.CSS_SELECTOR, ".planes")
    assert "52%" in figure.get_attribute("style")


def test_the_picture_is_decoded_and_outlines_are_laid_over(browser: Any) -> None:
    card = browser.find_element(By.ID, "card-sub-00_ses-M000")
    layers = card.find_elements(By.CSS_SELECTOR, ".layer")
    assert len(layers) == 6  # two images in three planes
    assert layers[0].value_of_css_property("background-image").startswith('url("blob:')
    browser.find_element(By.CSS_SELECTOR, "[data-tissue=csf]").click()
    assert len(card.find_elements(By.CSS_SELECTOR, ".layer.outline")) == 6
    browser.find_element(By.CSS_SELECTOR, "[value=all]").click()
    words = [caption.text for caption in card.find_elements(By.TAG_NAME, "figcaption")]
    assert words == ["with contrast", "synthetic, without", "change"]


def test_blinking_swaps_the_images(browser: Any) -> None:
    browser.find_element(By.CSS_SELECTOR, "[value=blink]").click()
    card = browser.find_element(By.ID, "card-sub-00_ses-M000")
    figure = card.find_element(By.CSS_SELECTOR, ".planes.blink")
    first = "swapped" in figure.get_attribute("class")
    assert wait_for(lambda: ("swapped" in figure.get_attribute("class")) != first)


def test_motion_is_reduced_on_request(browser: Any) -> None:
    feature = {"name": "prefers-reduced-motion", "value": "reduce"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    browser.find_element(By.CSS_SELECTOR, "[value=blink]").click()
    figure = browser.find_element(By.CSS_SELECTOR, ".planes.blink")
    period = re.search(r"const BLINK_MS = (\d+)", asset("viewer.js"))
    assert period is not None
    time.sleep(1.5 * int(period.group(1)) / 1000)
    assert "swapped" not in figure.get_attribute("class")
    figure.parent.find_element(By.XPATH, "//button[.='Swap']").click()
    assert "swapped" in figure.get_attribute("class")


def test_reviews_are_kept_and_saved_as_tsv(browser: Any, tmp_path: Path) -> None:
    browser.find_element(By.ID, "reviewer").send_keys("ab")
    review(browser, "sub-00", "reject", "rim lost,\tnot only faded é")
    review(browser, "sub-10", "accept", "")

    def kept() -> bool:
        browser.refresh()  # what a page stores is there for the next one a moment later
        return "2 of 30 visits decided" in browser.find_element(By.ID, "saved").text

    assert wait_for(kept)
    browser.find_element(By.ID, "save").click()
    saved = tmp_path / "saved" / "reviews.tsv"
    assert wait_for(saved.is_file)
    reviews = read_reviews(saved)
    assert {visit: found[:3] for visit, found in reviews.items()} == {
        Visit("sub-00", "ses-M000"): ("reject", "rim lost,not only faded é", "ab"),
        Visit("sub-10", "ses-M000"): ("accept", "", "ab"),
    }
    assert all(len(found.date) == 20 for found in reviews.values())


def test_a_saved_tsv_is_loaded_again(browser: Any, tmp_path: Path) -> None:
    saved = tmp_path / "mine.tsv"
    lines = ["participant_id\tsession_id\tdecision\tcomment\treviewer\tdate"]
    lines += ["sub-20\tses-M000\treject\tmotion\tcd\t2026-01-01", "sub-77\tses-M000\treject\t\t\t"]
    saved.write_text("\n".join(lines) + "\n", encoding="utf-8")
    browser.find_element(By.ID, "load").send_keys(str(saved))
    assert wait_for(lambda: "1 of 2 reviews taken" in browser.find_element(By.ID, "saved").text)
    browser.find_element(By.ID, "filter").send_keys("rejected")
    assert visits_shown(browser) == ["sub-20"]


def test_a_merged_review_opens_in_the_report(report: Path, browser: Any, tmp_path: Path) -> None:
    caps = report.parents[2]
    table = pd.DataFrame([{"participant_id": "sub-05", "session_id": "ses-M000"}])
    write_tsv(
        tmp_path / "r.tsv", table.assign(decision="accept", comment="fine", date="2026-01-01")
    )
    merged = write_report(caps, PIPELINE, reviews=tmp_path / "r.tsv", output=tmp_path / "r.html")
    browser.get(merged.as_uri())
    browser.find_element(By.ID, "find").send_keys("sub-05")
    card = browser.find_element(By.ID, "card-sub-05_ses-M000")
    assert card.find_element(By.CSS_SELECTOR, "input[value=accept]").is_selected()
    assert read_reviews(tmp_path / "r.tsv") == {
        Visit("sub-05", "ses-M000"): Review("accept", "fine", "", "2026-01-01")
    }


@pytest.mark.parametrize("width", [1280, 480])
def test_nothing_is_wider_than_the_window(browser: Any, width: int) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    for mode in ("slider", "blink", "all"):
        browser.find_element(By.CSS_SELECTOR, f"[value={mode}]").click()
        widths = (
            "const root = document.documentElement; return [root.scrollWidth, root.clientWidth]"
        )
        wanted, there = browser.execute_script(widths)
        assert wanted <= there


def test_everything_that_acts_has_a_name_and_can_be_reached(browser: Any) -> None:
    nameless = browser.execute_script("""
        return [...document.querySelectorAll('button, input, select, a, [role=img], svg')].filter(
          (each) => !(each.textContent.trim() || each.getAttribute('aria-label')
                      || each.labels && each.labels.length)).length""")
    assert nameless == 0
    unreachable = (
        "return document.querySelectorAll('[tabindex]:not([tabindex=\"0\"]):not(.card)').length"
    )
    assert browser.execute_script(unreachable) == 0
    levels = browser.execute_script(
        "return [...document.querySelectorAll('h1,h2,h3,h4')].map((h) => Number(h.tagName[1]))"
    )
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def review(browser: Any, participant: str, decision: str, comment: str) -> None:
    card = browser.find_element(By.ID, f"card-{participant}_ses-M000")
    card.find_element(By.CSS_SELECTOR, f"input[value={decision}]").click()
    if comment:
        field = card.find_element(By.CSS_SELECTOR, ".review input[type=text]")
        field.send_keys(comment.replace("\t", ""), Keys.TAB)
